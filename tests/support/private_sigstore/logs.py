"""The transparency log (Rekor v2): an RFC 6962 tree under checkpoints signed with Ed25519."""

import base64
import hashlib
import threading

import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

KIND, VERSION = "hashedrekord", "0.0.2"


def b64(data):
    return base64.b64encode(data).decode()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def tree_hash(leaves):
    if len(leaves) <= 1:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node(tree_hash(leaves[:split]), tree_hash(leaves[split:]))


def inclusion_path(index, leaves):
    if len(leaves) <= 1:
        return []
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    if index < split:
        return [*inclusion_path(index, leaves[:split]), tree_hash(leaves[split:])]
    return [*inclusion_path(index - split, leaves[split:]), tree_hash(leaves[:split])]


class TransparencyLog:
    """Logs a signature over a digest after checking it, and proves that it did."""

    def __init__(self, origin):
        self.origin = origin
        self.key = ed25519.Ed25519PrivateKey.generate()
        self.leaves = []
        self._lock = threading.Lock()

    @property
    def key_id(self):
        """C2SP's: name, newline, algorithm, key."""
        public = self.key.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        return hashlib.sha256(self.origin.encode() + b"\n\x01" + public).digest()

    def checkpoint(self, origin=""):
        """The signed head; under another origin, if one is given, by the same key."""
        origin = origin or self.origin
        body = f"{origin}\n{len(self.leaves)}\n{b64(tree_hash(self.leaves))}\n"
        signature = self.key_id[:4] + self.key.sign(body.encode())
        return f"{body}\n\u2014 {origin} {b64(signature)}\n"

    def add(self, asked):
        """Answer a request of Rekor v2's REST form."""
        request = asked["hashedRekordRequestV002"]
        signature = request["signature"]
        certificate = x509.load_der_x509_certificate(
            base64.b64decode(signature["verifier"]["x509Certificate"]["rawBytes"])
        )
        certificate.public_key().verify(
            base64.b64decode(signature["content"]),
            base64.b64decode(request["digest"]),
            ec.ECDSA(Prehashed(hashes.SHA256())),
        )
        data = {"algorithm": "SHA2_256", "digest": request["digest"]}
        spec = {"hashedRekordV002": {"data": data, "signature": signature}}
        body = rfc8785.dumps({"apiVersion": VERSION, "kind": KIND, "spec": spec})
        with self._lock:
            self.leaves.append(hashlib.sha256(b"\0" + body).digest())
            return self._entry(len(self.leaves) - 1, body)

    def _entry(self, index, body):
        return {
            "logIndex": str(index),
            "logId": {"keyId": b64(self.key_id)},
            "kindVersion": {"kind": KIND, "version": VERSION},
            "inclusionProof": {
                "logIndex": str(index),
                "rootHash": b64(tree_hash(self.leaves)),
                "treeSize": str(len(self.leaves)),
                "hashes": [b64(each) for each in inclusion_path(index, self.leaves)],
                "checkpoint": {"envelope": self.checkpoint()},
            },
            "canonicalizedBody": b64(body),
        }
