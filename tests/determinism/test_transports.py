"""Connections without a door: the recording stops at the first one, by library and call site."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import urllib.request

import aiohttp
import asyncpg
import pytest
import requests
import websockets

from replay.errors import UsageError
from replay.events.kinds import CaptureGap
from replay.log.fsck import check
from replay.session.opening import open_run
from replay.session.record import record_program
from replay.sources.history import History


@pytest.fixture
def listener():
    """A server that counts who connects."""
    seen = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            seen.append(True)
            connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1], seen
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def by_urllib(port):
    urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2)


def by_requests(port):
    requests.get(f"http://127.0.0.1:{port}/", timeout=2)


def by_socket(port):
    socket.create_connection(("127.0.0.1", port), timeout=2).close()


def by_datagram(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(b"x", ("127.0.0.1", port))


def by_aiohttp(port):
    async def main():
        async with aiohttp.ClientSession() as session:
            await session.get(f"http://127.0.0.1:{port}/")

    asyncio.run(main())


def by_websockets(port):
    async def main():
        async with websockets.connect(f"ws://127.0.0.1:{port}/"):
            pass

    asyncio.run(main())


def by_asyncpg(port):
    asyncio.run(asyncpg.connect(host="127.0.0.1", port=port, user="u", password="p", timeout=2))


def by_streams(port):
    asyncio.run(asyncio.open_connection("127.0.0.1", port))


WAYS = {
    by_urllib: "urllib.request",
    by_requests: "requests.api",
    by_socket: "socket",
    by_datagram: "test_transports.py",
    by_aiohttp: "aiohttp",
    by_websockets: "websockets",
    by_asyncpg: "asyncpg",
    by_streams: "asyncio",
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_recording_stops_at_its_first_use_whatever_the_program_makes_of_it(
    way, listener, tmp_path, capsys
):
    port, seen = listener

    def program():
        try:
            way(port)
        except BaseException:  # a program that hopes to get away with it
            print("went on")

    with pytest.raises(UsageError, match="opened a connection") as stopped:
        record_program(program, workspace=tmp_path, entry="t", dialects=())
    assert WAYS[way] in stopped.value.where
    assert "test_transports.py" in stopped.value.where
    assert "effect" in stopped.value.hint
    assert "went on" not in capsys.readouterr().out
    assert seen == []
    (directory,) = (tmp_path / "runs").iterdir()
    reader = open_run(directory.name, workspace=tmp_path)
    checked = check(reader)
    reader.close()
    assert (checked.integrity, checked.completeness) == ("ok", "open")


@pytest.mark.parametrize("way", [by_urllib, by_socket], ids=lambda way: way.__name__)
def test_outside_of_a_run_the_same_call_connects(way, listener):
    """The negative twin: without the door somebody does answer the call."""
    port, seen = listener
    with contextlib.suppress(OSError):
        way(port)
    for _ in range(100):
        if seen:
            break
        threading.Event().wait(0.02)
    assert seen


def test_a_library_with_entropy_of_its_own_is_named_in_the_record(tmp_path):
    def program():
        from cryptography.hazmat.bindings import _rust

        return _rust.__name__

    recording = record_program(program, workspace=tmp_path, entry="t", dialects=())
    reader = open_run(recording.run_id, workspace=tmp_path)
    history = History(reader)
    payloads = [history.payload(history.entry(seq))[0] for seq in range(history.size)]
    reader.close()
    gaps = {(each.what, each.name) for each in payloads if isinstance(each, CaptureGap)}
    assert ("own-entropy", "cryptography.hazmat.bindings._rust") in gaps
