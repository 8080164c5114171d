"""An exchange that a thread waits for, through the synchronous transports of httpx and httpx2.

The program's own transport does the real work, so that certificates, proxies, connections and the
words of its errors are its own. It blocks, so each exchange has an engine thread for as long as it
lasts; as many are under way as threads of the program wait, no more.

Limits: before the head of a response is there, nothing shows the connection, so an exchange that
is given up then goes on in the background until its own time-out and is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import threading
from typing import TYPE_CHECKING, Any, Final

from replay.doors.failures import rebuild
from replay.doors.http.exchange import Exchange, post_failure, post_head
from replay.doors.waiting import ThreadAnswers
from replay.events.kinds import ResponseEnded
from replay.own_locks import OwnLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from replay.doors.context import DoorContext, Post

__all__ = ["SyncExchange", "on_own_thread", "sync_body_class"]

# The program's own threading may be answered by the run; the engine uses these.
_Thread: Final = threading.Thread
_start: Final = threading.Thread.start


class SyncExchange(Exchange):
    """One exchange of a thread."""

    def __init__(
        self, context: DoorContext, library: ModuleType, body_class: Callable[[SyncExchange], Any]
    ) -> None:
        self._answers = ThreadAnswers(context.scheduler)
        super().__init__(context, library, self._answers)
        self._body_class = body_class

    def run(self, handle: Any, transport: Any, request: Any, content: bytes) -> Any:
        """Send the request and return the response as soon as its head is there."""
        self.ask(request, content, functools.partial(_send, handle, transport))
        return self.response(self._next()[0], self._body_class(self))

    def chunks(self) -> Iterator[bytes]:
        """Yield the chunks of the body as they come."""
        while True:
            payload, data = self._next()
            if isinstance(payload, ResponseEnded):
                if payload.failure is not None:
                    raise rebuild(payload.failure)
                return
            yield data

    def abandon(self) -> None:
        """Give up, also for another thread that reads this body at the moment."""
        super().abandon()
        self._answers.close()

    def _next(self) -> tuple[Any, bytes]:
        try:
            answer = self._answers.next()
        except BaseException:
            # Ctrl-C, or whatever a signal handler raises: what a blocking call is broken off by.
            self.abandon()
            raise
        if answer is None:
            raise self.library.StreamClosed
        return answer[0], answer[1]


class _Line:
    """The connection under an exchange, once it is known, to hang up from another thread."""

    def __init__(self) -> None:
        self._lock = OwnLock()
        self._socket: socket.socket | None = None
        self.is_cut = False

    def connected(self, response: Any) -> None:
        """Take note of the connection. One that carries other exchanges too is left alone."""
        stream = response.extensions.get("network_stream")
        if stream is None or response.extensions.get("http_version") == b"HTTP/2":
            return
        found = stream.get_extra_info("socket")
        with self._lock:
            self._socket = found if isinstance(found, socket.socket) else None
        if self.is_cut:
            self.cut()

    def released(self) -> None:
        """Forget the connection: from here on it may serve another exchange."""
        with self._lock:
            self._socket = None

    def cut(self) -> None:
        """Hang up: a thread that waits for more of the body wakes with an error."""
        with self._lock:
            self.is_cut = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    # Not the method of a TLS socket, which would take its state away first.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


async def _send(handle: Any, transport: Any, post: Post, request: Any) -> None:
    """Do the real exchange on an engine thread and post what comes of it."""
    line = _Line()
    try:
        await on_own_thread(lambda: _exchange(handle, transport, post, request, line))
    except asyncio.CancelledError:
        line.cut()
        raise


def _exchange(handle: Any, transport: Any, post: Post, request: Any, line: _Line) -> None:
    try:
        response = handle(transport, request)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        post_failure(post, error, request)
        return
    try:
        try:
            line.connected(response)
            post_head(post, request, response)
            for chunk in response.stream:
                if line.is_cut:
                    break
                if chunk:
                    post(None, chunk, "ok")
        finally:
            # Before the end is told: the program's next request may want the same connection.
            line.released()
            response.stream.close()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        post_failure(post, error)
    else:
        post(ResponseEnded(), None, "ok")


async def on_own_thread(work: Callable[[], None]) -> None:
    """Wait for blocking work on a thread that is its own and keeps no process alive."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: Exception | None) -> None:
        if not done.done():
            done.set_result(None) if error is None else done.set_exception(error)

    def run() -> None:
        error = None
        try:
            work()
        except Exception as raised:  # noqa: BLE001 - it belongs to whoever waits
            error = raised
        loop.call_soon_threadsafe(settle, error)

    _start(_Thread(target=run, name="ritornello-exchange", daemon=True))
    await done


def sync_body_class(library: ModuleType) -> Callable[[SyncExchange], Any]:
    """Return the class of response bodies that a library's synchronous client reads."""

    class Body(library.SyncByteStream):  # type: ignore[name-defined,misc]
        """The body of a response: chunks as they enter."""

        def __init__(self, exchange: SyncExchange) -> None:
            self._exchange = exchange

        def __iter__(self) -> Iterator[bytes]:
            yield from self._exchange.chunks()

        def close(self) -> None:
            self._exchange.abandon()

    return Body
