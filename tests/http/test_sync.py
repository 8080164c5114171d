"""Synchronous clients: in plain scripts without a loop, in worker threads, in a loop itself."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
import socket
import ssl
import subprocess
import threading
import time

import httpx
import httpx2
import pytest

from orchestrator.testing import ScriptedProvider
from replay.events.payload import decode_payload
from replay.log.duckdb_store import DuckDBStore
from replay.session.record import record_program
from replay.sources.outside import NETWORK
from tests.http.driver import LIBRARIES, PROGRAMS, Recorded, record, replay, replay_many
from tests.http.forging import change_word
from tests.http.raw_server import raw_server
from tests.http.scenes import PROCESSES, TROUBLE, closed_url, fake_key

#: Processes of a loaded machine; alone they take a few seconds.
pytestmark = pytest.mark.timeout(180)

_PATIENCE_S = 10
_HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"
_END = b"0\r\n\r\n"


def _assert_identical(recorded, replayed):
    report = replayed.report

    assert report["divergence"] is None, report
    assert replayed.verdict == "identical"
    assert report["root_replayed"] == recorded.root
    assert report["live_effects"] == 0
    assert replayed.attempts == ()
    assert replayed.stdout == recorded.stdout


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_a_synchronous_script_of_plain_http_replays(tmp_path, library):
    program = PROGRAMS / "blocking.py"
    with raw_server() as (url, _):
        variables = {"BASE_URL": url, "CLOSED_URL": closed_url(), "HTTP_LIBRARY": library}
        recorded = record(program, tmp_path, variables=variables)

    replayed = replay(program, recorded, process=PROCESSES[0])
    lines = recorded.stdout.decode().splitlines()
    failed = {line.split(" failed: ")[0]: line for line in lines if " failed: " in line}

    assert recorded.error == ""
    assert lines[-1] == "end without newline"
    # The words are those of the program's own transport.
    assert failed["slow"].startswith(f"slow failed: {library}.ReadTimeout(timed out)")
    assert "RemoteProtocolError(peer closed connection" in failed["cut short"]
    assert "ConnectError([Errno 111] Connection refused)" in failed["nobody there"]
    assert "UnsupportedProtocol" in failed["unknown scheme"]
    assert sum(" -> " in line and line.endswith(" False") for line in lines) == 9
    assert sum(" -> " in line and line.endswith(" True") for line in lines) == 1
    _assert_identical(recorded, replayed)


def test_a_synchronous_script_on_an_sdk_replays_with_all_that_fails(tmp_path):
    program = PROGRAMS / "blocking_sdk.py"
    with ScriptedProvider(mode="wild", script=TROUBLE) as provider:
        variables = {
            "BASE_URL": provider.base_url,
            "CLOSED_URL": closed_url(),
            "ANTHROPIC_API_KEY": fake_key(),
        }
        recorded = record(program, tmp_path, variables=variables)
    lines = recorded.stdout.decode().splitlines()

    assert recorded.error == ""
    assert [line.split(" failed: ")[1].split("(")[0] for line in lines if " failed: " in line] == [
        "anthropic.InternalServerError",
        "anthropic.APIConnectionError",
        "anthropic.APITimeoutError",
        "anthropic.APIConnectionError",
    ]
    assert sum(" answered: " in line for line in lines) == 6
    assert sum(" broke after " in line for line in lines) == 2
    assert any("tool_use" in line for line in lines)
    for process in PROCESSES[:2]:
        _assert_identical(recorded, replay(program, recorded, process=process))


def test_a_changed_chunk_changes_what_a_synchronous_script_prints(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import os, httpx2\n"
        "answer = httpx2.get(os.environ['BASE_URL'] + '/number/7').text\n"
        "print('it says:', answer.split()[0])\n"
    )
    with raw_server() as (url, _):
        recorded = record(program, tmp_path, variables={"BASE_URL": url}, preload=LIBRARIES)
    change_word(recorded.directory, tmp_path / "forged", "ChunksReceived", b"7 ", b"8 ")
    forged = Recorded(str(tmp_path / "forged"), "", 0, "", "", b"")

    (replayed,) = replay_many([(program, forged)], preload=LIBRARIES)

    assert recorded.stdout == b"it says: 7\n"
    assert replayed.stdout == b"it says: 8\n"
    assert replayed.verdict == "diverged"
    assert replayed.report["divergence"]["replayed_kind"] == "OutputWritten"


def test_a_changed_request_of_a_synchronous_script_is_refused_and_placed(tmp_path):
    text = "import os, httpx2\nhttpx2.post(os.environ['BASE_URL'] + '/x', json={'n': 1})\n"
    program, other = tmp_path / "program.py", tmp_path / "other.py"
    program.write_text(text)
    other.write_text(text.replace("'n': 1", "'n': 2"))
    with raw_server() as (url, seen):
        recorded = record(program, tmp_path, variables={"BASE_URL": url}, preload=LIBRARIES)
        replayed = replay(other, recorded, preload=LIBRARIES)
        assert len(seen) == 1

    divergence = replayed.report["divergence"]
    assert replayed.verdict == "diverged"
    assert divergence["fields"] == [{"path": "body.n", "recorded": "1", "replayed": "2"}]
    assert f"{other}:2" in divergence["replayed_place"]


# --- connections ----------------------------------------------------------------------------------


@contextlib.contextmanager
def _one_connection(answer):
    """A server of one connection: its address, and an event set when the client closed it."""
    closed = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            listener.settimeout(_PATIENCE_S)
            with contextlib.suppress(OSError), listener.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(answer)
                connection.settimeout(_PATIENCE_S)
                if connection.recv(1) == b"":
                    closed.set()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/", closed
        finally:
            thread.join()


def _record(main, workspace):
    recording = record_program(main, entry="test", workspace=workspace)
    if recording.error is not None:
        raise recording.error
    return recording


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_response_that_is_closed_in_mid_stream_is_no_longer_received(tmp_path, library):
    client = library.Client(timeout=None)  # else a time-out of its own would close it

    def main():
        with client.stream("GET", url) as response:
            return next(response.iter_bytes())

    with _one_connection(_HEAD) as (url, closed):
        assert _record(main, tmp_path).result() == b"hello"
        # The client stays open, so nothing but giving up can have closed it.
        assert closed.wait(_PATIENCE_S)


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_closed_client_leaves_no_connection(tmp_path, library):
    client = library.Client()

    def main():
        text = client.get(url).text
        client.close()
        return text

    with _one_connection(_HEAD + _END) as (url, closed):
        assert _record(main, tmp_path).result() == "hello"
        assert closed.wait(_PATIENCE_S)


def test_a_run_that_ends_in_mid_body_leaves_nothing_under_way(tmp_path):
    client = httpx2.Client(timeout=None)

    def main():
        request = client.build_request("GET", url)
        response = client.send(request, stream=True)
        return next(response.iter_bytes())

    with _one_connection(_HEAD) as (url, closed):
        assert _record(main, tmp_path).result() == b"hello"
        assert closed.wait(_PATIENCE_S)


def test_a_client_serves_a_run_and_what_is_outside_over_one_connection(tmp_path):
    with ScriptedProvider() as provider, httpx2.Client(timeout=None) as client:

        def main():
            return client.get(f"{provider.base_url}/v1/models").status_code

        before = main()
        statuses = [_record(main, tmp_path).result() for _ in range(2)]
        connections = [request.connection for request in provider.requests]

    assert [before, *statuses] == [200, 200, 200]
    assert connections == [0, 0, 0]


def test_a_proxy_of_the_program_is_used(tmp_path):
    def main():
        with httpx2.Client(proxy=proxy) as client:
            return client.get("http://nowhere.invalid/song").status_code

    with raw_server() as (proxy, seen):
        status = _record(main, tmp_path).result()

    assert status == 404
    assert [path for _, path, _ in seen] == ["http://nowhere.invalid/song"]


@pytest.fixture
def certificate(tmp_path):
    """A certificate for the loopback address that nobody trusts, and its key, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    file = tmp_path / "certificate.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = subprocess.run(
        [*command, "-keyout", "-", "-out", "-"], check=True, capture_output=True, timeout=60
    )
    file.write_bytes(made.stdout)
    return file


def test_the_certificates_that_the_program_trusts_are_those_that_count(tmp_path, certificate):
    def main():
        trusting = ssl.create_default_context(cafile=certificate)
        with httpx2.Client(verify=trusting) as client:
            trusted = client.get(secure).text
        with httpx2.Client() as client, pytest.raises(httpx2.ConnectError, match="certificate"):
            client.get(secure)
        return trusted

    with raw_server(certificate) as (url, _):
        secure = url.replace("http://", "https://") + "/number/5"
        recording = _record(main, tmp_path / "workspace")

    start, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    public = start + certificate.read_text().partition(start)[2].partition(end)[0] + end
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(public)).hexdigest()
    assert recording.result().startswith("5 ")
    assert [each.certificate for each in _observed(recording)] == [digest, None]


def _observed(recording):
    store = DuckDBStore.open(recording.directory, read_only=True)
    with contextlib.closing(store):
        for entry in store.entries():
            if entry.header.kind == "WireObserved":
                data = b"".join(part.data for part in entry.brought)
                yield decode_payload(entry.header.media, data)[0]


def test_a_body_closed_by_one_thread_ends_in_the_thread_that_reads_it(tmp_path):
    client = httpx2.Client(timeout=None)

    def main():
        response = client.send(client.build_request("GET", url), stream=True)

        def read():
            return b"".join(response.iter_raw())

        async def both():
            reading = asyncio.ensure_future(asyncio.to_thread(read))
            await asyncio.sleep(0.05)
            response.close()
            with pytest.raises(httpx2.StreamClosed):
                await reading

        asyncio.run(both())

    with _one_connection(_HEAD) as (url, closed):
        _record(main, tmp_path)
        assert closed.wait(_PATIENCE_S)


def test_no_thread_is_left_but_those_of_the_engine(tmp_path):
    before = set(threading.enumerate())

    def main():
        with httpx2.Client() as client:
            for _ in range(3):
                client.get(f"{provider.base_url}/health")

    with ScriptedProvider() as provider:
        _record(main, tmp_path)
    until = time.monotonic() + _PATIENCE_S
    left = {"?"}
    while left - {"ritornello-io", "ritornello-effects"} and time.monotonic() < until:
        left = {thread.name for thread in set(threading.enumerate()) - before}
        time.sleep(0.01)

    assert left <= {"ritornello-io", "ritornello-effects"}
    assert not NETWORK._tasks
