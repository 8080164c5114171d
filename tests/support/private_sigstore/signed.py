"""What a private Sigstore signed while it ran, for those who read it after it is gone."""

import hashlib
import json

from attestations.keyless import KeylessIdentity, PinnedRoot
from attestations.keyless.signing import SigstoreServices, sign
from tests.support.private_sigstore import PrivateSigstore

SUBJECT = "robot@ritornello.test"


def statement(data=b"what is spoken of", **changed):
    """The bytes of a statement about some bytes."""
    digest = {"sha256": hashlib.sha256(data).hexdigest()}
    said = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "bytes", "digest": digest}],
        "predicateType": "https://ritornello.test/said/v1",
        "predicate": {"count": 2**53 + 1},
    }
    return json.dumps(said | changed).encode()


def pinned(data):
    """A root that is pinned by the digest it has."""
    return PinnedRoot.of(data, hashlib.sha256(data).hexdigest())


class Signed:
    """A private Sigstore that has stopped, and what it signed while it ran."""

    def __init__(self):
        with PrivateSigstore() as sigstore:
            services = SigstoreServices.private(sigstore.config())
            sign(statement(b"an older leaf"), sigstore.token(), services)
            sigstore.certificates.claims = {15: "772247423", 20: "release"}
            self.signature = sign(statement(), sigstore.token(), services)
            self.other = sign(statement(b"something else"), sigstore.token(), services)
        self.sigstore = sigstore
        self.bundle = self.signature.bundle
        self.identity = KeylessIdentity(subject=SUBJECT, issuer=sigstore.identities.issuer)
        self.root = pinned(sigstore.root())

    def document(self):
        """The bundle's JSON, to be changed."""
        return json.loads(self.bundle)
