"""What a run opened is closed when the program closed it, gave it up, or ended."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time

import httpx
import httpx2
import pytest

from orchestrator.testing import ScriptedProvider
from replay.session.record import record_program
from replay.sources.outside import NETWORK

_PATIENCE_S = 10
_HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"
_END = b"0\r\n\r\n"


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
    recording = record_program(lambda: asyncio.run(main()), entry="test", workspace=workspace)
    if recording.error is not None:
        raise recording.error
    return recording


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("how", ["break", "cancel"])
def test_a_response_that_is_given_up_is_no_longer_received(tmp_path, library, how):
    client = library.AsyncClient(timeout=None)  # else a time-out of its own would close it

    async def receive(begun):
        async with client.stream("GET", url) as response:
            async for _ in response.aiter_bytes():
                begun.set()
                if how == "break":
                    break

    async def main():
        begun = asyncio.Event()
        task = asyncio.create_task(receive(begun))
        await begun.wait()
        if how == "cancel":
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    with _one_connection(_HEAD) as (url, closed):
        _record(main, tmp_path)
        # The client stays open, so nothing but giving up can have closed it.
        assert closed.wait(_PATIENCE_S)


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_closed_client_leaves_no_connection(tmp_path, library):
    client = library.AsyncClient()

    async def main():
        assert (await client.get(url)).text == "hello"
        await client.aclose()

    with _one_connection(_HEAD + _END) as (url, closed):
        _record(main, tmp_path)
        assert closed.wait(_PATIENCE_S)


def test_a_run_that_ends_in_mid_exchange_leaves_nothing_under_way(tmp_path):
    client = httpx2.AsyncClient(timeout=None)

    async def receive(begun):
        async with client.stream("GET", url) as response:
            async for _ in response.aiter_bytes():
                begun.set()

    async def main():
        begun = asyncio.Event()
        task = asyncio.create_task(receive(begun))
        await begun.wait()
        assert not task.done()

    with _one_connection(_HEAD) as (url, closed):
        _record(main, tmp_path)
        assert closed.wait(_PATIENCE_S)


def test_no_thread_and_no_task_is_left_but_those_of_the_engine(tmp_path):
    before = set(threading.enumerate())

    async def main():
        async with httpx2.AsyncClient() as client:
            await asyncio.gather(*[client.get(f"{provider.base_url}/health") for _ in range(5)])
            await asyncio.to_thread(int)

    with ScriptedProvider() as provider:
        _record(main, tmp_path)
    left = {thread.name for thread in set(threading.enumerate()) - before}
    until = time.monotonic() + _PATIENCE_S
    while NETWORK._tasks and time.monotonic() < until:
        time.sleep(0.01)

    assert left <= {"ritornello-io", "ritornello-effects"}
    assert not NETWORK._tasks


def test_a_client_serves_two_runs_over_one_connection(tmp_path):
    client = httpx2.AsyncClient(timeout=None)

    async def main():
        return (await client.get(f"{provider.base_url}/v1/models")).status_code

    async def last():
        await main()
        await client.aclose()

    with ScriptedProvider() as provider:
        first = _record(main, tmp_path)
        _record(last, tmp_path)
        connections = [request.connection for request in provider.requests]

    assert first.result() == 200
    assert connections == [0, 0]
