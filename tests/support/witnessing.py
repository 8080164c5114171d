"""Logs that are signed by real keys, and a witness of them behind real HTTP on loopback."""

import contextlib
import http.client
import threading
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attestations.checkpoints import VerifierKey, sign_checkpoint
from attestations.witness import Submission, Witness, WitnessState
from attestations.witness.serving import WitnessServer
from replay.tree import Checkpoint, consistency_proof, root_of

LOG_SIGNER = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
LOG_KEY = VerifierKey("log.example", LOG_SIGNER.public_key().public_bytes_raw())
WITNESS_SIGNER = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
WITNESS_KEY = VerifierKey("w1", WITNESS_SIGNER.public_key().public_bytes_raw(), "cosignature/v1")
ORIGIN = "ritornello/run/r1"
NOW_S = 1_800_000_000


def leaves(size, branch=""):
    return [sha256(f"{branch}{number}".encode()).digest() for number in range(size)]


def head(size, branch="", origin=ORIGIN):
    return Checkpoint(origin, size, root_of(leaves(size, branch)))


def submission(size, old=0, branch="", *, origin=ORIGIN, key=LOG_KEY, signer=LOG_SIGNER):
    """What a log of so many leaves sends to a witness that has so many of them."""
    now = head(size, branch, origin)
    proof = consistency_proof(old, leaves(size, branch)) if old <= size else ()
    return Submission(old, proof, now, (sign_checkpoint(now, key, signer),))


def witness_on(state, **changed):
    given = {
        "state": state,
        "key": WITNESS_KEY,
        "signer": WITNESS_SIGNER,
        "log_keys": [LOG_KEY],
        "prefixes": ("ritornello/run/", "ritornello/workspace/"),
        "clock": lambda: NOW_S,
    }
    return Witness(**{**given, **changed})


def begun(directory):
    return WitnessState.begin(directory, WITNESS_KEY)


@contextlib.contextmanager
def served(witness, tell=lambda _: None):
    server = WitnessServer("127.0.0.1", 0, witness, tell)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def post(url, body, path="/add-checkpoint", method="POST", headers=()):
    """Send a request; return status, media type and body."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read()
    finally:
        connection.close()
