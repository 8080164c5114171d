"""What is believed of a witness's answer, and what is a conflict rather than an outage."""

import http.server
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attestations.checkpoints import VerifierKey, check_signature, cosign_checkpoint
from attestations.errors import WitnessConflictError, WitnessServiceError
from attestations.witness import request_cosignature
from replay.tree import consistency_proof
from tests.support.witnessing import (
    NOW_S,
    WITNESS_KEY,
    WITNESS_SIGNER,
    begun,
    head,
    leaves,
    served,
    submission,
    witness_on,
)


@pytest.fixture
def url(tmp_path):
    with served(witness_on(begun(tmp_path / "state"))) as server:
        yield server.url


@pytest.fixture
def answering():
    """A service that gives the answers it is told to: status, media type, body."""
    answers = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            status, media_type, body = answers.pop(0)
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield answers, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def ask(url, size, branch="", key=WITNESS_KEY):
    made = submission(size, 0, branch)
    return request_cosignature(
        url,
        made.checkpoint,
        made.signatures,
        lambda old: consistency_proof(old, leaves(size, branch)),
        key,
    )


def test_each_head_that_continues_the_last_is_cosigned_whatever_size_the_witness_has(url):
    for size in (2, 7, 7, 8):
        made = ask(url, size)
        assert check_signature(head(size).body(), made, WITNESS_KEY) == NOW_S


@pytest.mark.parametrize(
    ("size", "branch", "message"),
    [
        (5, "", "has cosigned 7 records of this log, here are 5"),
        (5, "other", "has cosigned 7 records of this log, here are 5"),
        (7, "other", "another version of this log, of 7 records too"),
        (9, "other", "7 records of this log that are not the first 7 here"),
    ],
)
def test_a_log_that_was_rolled_back_or_rewritten_is_a_conflict(url, size, branch, message):
    ask(url, 7)

    with pytest.raises(WitnessConflictError, match=message):
        ask(url, size, branch)


def cosignature(size, *, key=WITNESS_KEY, signer=WITNESS_SIGNER):
    return cosign_checkpoint(head(size), key, signer, NOW_S).line()


OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
OTHER_KEY = VerifierKey("w1", OTHER.public_key().public_bytes_raw(), "cosignature/v1")
SIZE = "text/x.tlog.size"


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([(200, "text/plain", b"")], "no cosignature"),
        ([(200, "text/plain", b"<html>")], "no cosignature"),
        ([(200, "text/plain", b"x" * 70_000)], "too long"),
        ([(200, "text/plain", cosignature(4))], "does not hold"),
        ([(200, "text/plain", cosignature(5, key=OTHER_KEY, signer=OTHER))], "did not cosign"),
        ([(400, "text/plain", b"why")], "cannot read what it was sent: 400 why"),
        ([(403, "text/plain", b"")], "trusts no key"),
        ([(404, "text/plain", b"")], "knows no log"),
        ([(500, "text/html", b"")], "does not answer as a witness does: 500"),
        ([(409, "text/plain", b"3\n")], "does not say which size"),
        ([(409, SIZE, b"three\n")], "does not say which size"),
        ([(409, SIZE, b"0\n")], "contradicts itself"),
        ([(409, SIZE, b"3\n"), (409, SIZE, b"3\n")], "contradicts itself"),
        ([(409, SIZE, b"3\n"), (409, SIZE, b"4\n")], "moved the witness on"),
        ([(422, "text/plain", b"")], "does not answer as a witness does: 422"),
    ],
)
def test_an_answer_that_is_none_is_the_witness_s_fault(answering, answers, message):
    left, url = answering
    left += answers

    with pytest.raises(WitnessServiceError, match=message):
        ask(url, 5)
    assert left == []


def test_another_root_at_the_same_size_is_a_conflict_also_without_a_size(answering):
    left, url = answering
    left += [(409, SIZE, b"5\n"), (409, "text/plain", b"")]

    with pytest.raises(WitnessConflictError, match="another version"):
        ask(url, 5)


def test_the_line_of_the_named_key_is_found_among_those_of_others(answering):
    left, url = answering
    lines = cosignature(5, key=OTHER_KEY, signer=OTHER) + cosignature(5)
    left.append((200, "text/plain", lines))

    assert ask(url, 5).line() == cosignature(5)


@pytest.mark.parametrize("url", ["gopher://x", "ftp://x", "http://127.0.0.1:1", "http://["])
def test_a_witness_that_is_not_there_is_said(url):
    with pytest.raises(WitnessServiceError, match=r"did not answer|begins with http"):
        ask(url, 5)
