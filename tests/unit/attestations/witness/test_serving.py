"""A witness behind HTTP: several who ask at once, malformed requests, and bounds."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from attestations.witness import WitnessState
from attestations.witness.protocol import SUBMISSION_SIZE_MAX
from tests.support.witnessing import (
    ORIGIN,
    WITNESS_KEY,
    begun,
    head,
    post,
    served,
    submission,
    witness_on,
)

ROOT = Path(__file__).parents[4]

#: A witness in a process of its own, which is killed where it would sign, if it is told to.
PROGRAM = """
import os, signal, sys
from pathlib import Path
from attestations.witness import WitnessState
from attestations.witness.serving import WitnessServer
from tests.support import witnessing

class Dies:
    def sign(self, message):
        os.kill(os.getpid(), signal.SIGKILL)

changed = {"signer": Dies()} if sys.argv[2:] else {}
state = WitnessState.open(Path(sys.argv[1]), witnessing.WITNESS_KEY)
server = WitnessServer("127.0.0.1", 0, witnessing.witness_on(state, **changed))
print(server.url, flush=True)
server.serve_forever()
"""


@pytest.fixture
def state(tmp_path):
    return begun(tmp_path / "state")


def process(directory, *words):
    started = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(directory), *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    return started, started.stdout.readline().strip()


def asked_at_once(urls, requests):
    with ThreadPoolExecutor(len(requests)) as pool:
        found = pool.map(lambda each: post(*each), zip(urls, requests, strict=True))
        return sorted(status for status, _, _ in found)


def test_of_versions_that_are_sent_at_once_one_is_cosigned(state):
    requests = [submission(5, 0, f"branch {number}").encode() for number in range(8)]
    # Two servers that share a state lock each other out as two processes do.
    with served(witness_on(state)) as one, served(witness_on(state)) as two:
        found = asked_at_once([one.url, two.url] * 4, requests)

    assert found == [200] + [409] * 7


@pytest.mark.full
def test_of_versions_that_are_sent_to_two_processes_at_once_one_is_cosigned(state, tmp_path):
    started = [process(tmp_path / "state") for _ in range(2)]
    requests = [submission(5, 0, f"branch {number}").encode() for number in range(8)]
    try:
        found = asked_at_once([url for _, url in started] * 4, requests)
    finally:
        for each, _ in started:
            each.kill()
            each.communicate()

    assert found == [200] + [409] * 7


def test_a_witness_killed_before_it_answers_cosigns_that_head_and_no_other(state, tmp_path):
    started, url = process(tmp_path / "state", "dies")
    with pytest.raises(OSError, match=r"closed|reset"):
        post(url, submission(5).encode())
    started.communicate(timeout=20)

    again = witness_on(WitnessState.open(tmp_path / "state", WITNESS_KEY))

    assert started.returncode == -signal.SIGKILL
    assert again.add_checkpoint(submission(5, 0, "other").encode()).status == 409
    assert again.add_checkpoint(submission(5, 5, "other").encode()).status == 409
    assert again.add_checkpoint(submission(5, 5).encode()).status == 200


def test_a_witness_that_was_started_again_goes_on_where_it_was(state, tmp_path):
    with served(witness_on(state)) as server:
        first = post(server.url, submission(5).encode())
    with served(witness_on(WitnessState.open(tmp_path / "state", WITNESS_KEY))) as server:
        fork = post(server.url, submission(6, 5, "other").encode())
        grown = post(server.url, submission(6, 5).encode())

    assert (first[0], fork[0], grown[0]) == (200, 422, 200)


def test_what_is_no_submission_is_refused_and_changes_nothing(state):
    with served(witness_on(state)) as server:
        url = server.url
        found = [
            post(url, b"")[0],
            post(url, b"old 0\n\n")[0],
            post(url, b"\xff" * 1000)[0],
            post(url, b"x" * (SUBMISSION_SIZE_MAX + 1))[0],
            post(url, submission(5).encode(), "/add-checkpoint/")[0],
            post(url, submission(5).encode(), "/")[0],
            post(url, None, method="GET")[0],
            post(url, None, "/../../etc/passwd", method="GET")[0],
            post(url, submission(5).encode(), method="PUT")[0],
            post(url, None, headers=[("Transfer-Encoding", "chunked")])[0],
            post(url, None, headers=[("Content-Length", "-1")])[0],
        ]

    assert found == [400, 400, 400, 413, 404, 404, 405, 404, 501, 411, 411]
    assert state.last(ORIGIN) is None


def test_nothing_of_a_request_comes_back_and_a_connection_carries_several(state):
    told = []
    with served(witness_on(state), told.append) as server:
        with socket.create_connection(server.server_address, timeout=20) as raw:
            raw.sendall(b"<script>\x1b[31m nonsense\r\n\r\n")
            answered = b"".join(iter(lambda: raw.recv(4096), b""))
        connection = http.client.HTTPConnection(*server.server_address, timeout=20)
        for size, old in ((3, 0), (5, 3)):
            connection.request("POST", "/add-checkpoint", submission(size, old).encode())
            same = connection.sock
            answer = connection.getresponse()
            assert (answer.status, answer.read()[:3]) == (200, "\u2014".encode())
            assert connection.sock is same
        connection.close()

    assert b"script" not in answered
    assert told[-2:] == [f"200 {ORIGIN}, {size} records" for size in (3, 5)]
    assert state.last(ORIGIN) == head(5)


def test_more_connections_than_there_are_slots_are_closed_and_those_before_go_on(state):
    with served(witness_on(state)) as server:
        open_ones = [socket.create_connection(server.server_address) for _ in range(32)]
        for each in open_ones:
            each.sendall(b"POST ")
        with socket.create_connection(server.server_address, timeout=20) as late:
            assert late.recv(1) == b""
        body = submission(5).encode()
        first = open_ones[0]
        first.settimeout(20)
        first.sendall(b"/add-checkpoint HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body))
        first.sendall(body)
        assert b" 200 " in first.recv(4096)
        for each in open_ones:
            each.close()
