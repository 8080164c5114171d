"""The scripted provider: a real HTTP server on the loopback interface, in threads of its own.

One thread accepts, one serves each connection: plain blocking sockets, so that nothing here runs on
an event loop that an engine under test has taken over. The one invariant: after `stop` no socket
and no thread of it is left.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from types import TracebackType
from typing import Final, Self

from orchestrator.testing.answering import Answerer, Mode, refusal
from orchestrator.testing.delivery import Response, deliver
from orchestrator.testing.http_wire import Head, RefusedRequestError, RequestReader
from orchestrator.testing.message_body import encode_json
from orchestrator.testing.request_record import RequestRecord
from orchestrator.testing.script import Script

__all__ = ["BODY_SIZE_MAX", "ScriptedProvider"]

#: Bytes of a request's body that are accepted unless told otherwise.
BODY_SIZE_MAX: Final = 32 * 1024 * 1024
_CONNECTIONS_MAX: Final = 512
_BACKLOG: Final = 256
_JOIN_S: Final = 10.0
_NOT_SCRIPTED: Final = "/health"


class _StoppedError(Exception):
    """The provider stops while an answer is on its way."""


class ScriptedProvider:
    """Speaks the Anthropic Messages API on ``127.0.0.1``; no key is needed, none is checked.

    Paths: ``POST /v1/messages`` (one body or a stream), ``POST /v1/messages/count_tokens``,
    ``GET /v1/models`` and ``GET /health``, which is neither scripted nor logged.

    Args:
        mode: ``pure``, where an answer is a function of the request's body, or ``wild``, where
            every answer differs.
        seed: varies pure answers; makes wild ones a function of seed and ordinal.
        script: what to answer; what it leaves open the mode composes.
        port: 0 for any free one.
        body_size_max: bytes of a request's body that are accepted.

    Example:
        >>> with ScriptedProvider() as provider:
        ...     provider.base_url.startswith("http://127.0.0.1:")
        True
    """

    def __init__(
        self,
        *,
        mode: Mode = "pure",
        seed: int | None = None,
        script: Script | None = None,
        port: int = 0,
        body_size_max: int = BODY_SIZE_MAX,
    ) -> None:
        self._answerer = Answerer(mode, seed, script or Script())
        self._port = port
        self._body_size_max = body_size_max
        self._stopping = threading.Event()
        self._listener: socket.socket | None = None
        self._waker: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        # Guarded by the lock; a connection is closed by its own thread only.
        self._lock = threading.Lock()
        self._requests: list[RequestRecord] = []
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._accepted = 0

    @property
    def base_url(self) -> str:
        """Where it listens, such as ``http://127.0.0.1:49152``; known once it has started."""
        if self._listener is None:
            raise RuntimeError("the provider has not started: use it in a `with` block")
        return f"http://127.0.0.1:{self._port}"

    @property
    def requests(self) -> tuple[RequestRecord, ...]:
        """The requests received so far, ascending ordinal, no gaps. They hold credentials."""
        with self._lock:
            return tuple(self._requests)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen and answer until `stop`; a provider starts once.

        Raises:
            OSError: The port is taken.
        """
        if self._listener is not None:
            raise RuntimeError("a provider starts once")
        listener = socket.create_server(("127.0.0.1", self._port), backlog=_BACKLOG)
        listener.setblocking(False)
        woken, self._waker = socket.socketpair()
        self._listener = listener
        self._port = listener.getsockname()[1]
        self._acceptor = threading.Thread(
            target=self._accept, args=(listener, woken), name="provider-accept", daemon=True
        )
        self._acceptor.start()

    def stop(self) -> None:
        """Close every connection and wait for every thread; may be called again."""
        if self._acceptor is None or self._waker is None:
            return
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")
        self._acceptor.join(_JOIN_S)
        with self._lock:
            connections = dict(self._connections)
            for connection in connections.values():
                # Wakes a thread that reads or writes; the thread itself closes.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in connections:
            thread.join(_JOIN_S)
        self._waker.close()
        self._acceptor = None

    def _accept(self, listener: socket.socket, woken: socket.socket) -> None:
        with listener, woken, selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while not self._stopping.is_set():
                selector.select()
                try:
                    connection, _ = listener.accept()
                except OSError:
                    continue  # Woken to stop, or the client is gone already.
                self._open(connection)

    def _open(self, connection: socket.socket) -> None:
        connection.setblocking(True)
        with self._lock:
            # Threads stay listed until they have ended, so that `stop` waits for every one.
            for ended in [thread for thread in self._connections if not thread.is_alive()]:
                del self._connections[ended]
            if len(self._connections) >= _CONNECTIONS_MAX:
                connection.close()
                return
            number = self._accepted
            self._accepted += 1
            thread = threading.Thread(
                target=self._serve,
                args=(connection, number),
                name=f"provider-{number}",
                daemon=True,
            )
            self._connections[thread] = connection
        try:
            thread.start()
        except RuntimeError:  # The system gives no more threads: the client sees a lost connection.
            with self._lock:
                connection.close()
                del self._connections[thread]

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            # One chunk is one segment: nothing waits to be sent together.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = RequestReader(connection, self._body_size_max)
            while self._serve_one(connection, reader, number):
                pass
        except (OSError, _StoppedError):
            pass  # The client went away, or we stop: both are ordinary ends.
        finally:
            # The lock keeps `stop` from shutting down a number that the system gave away again.
            with self._lock:
                connection.close()

    def _serve_one(self, connection: socket.socket, reader: RequestReader, number: int) -> bool:
        try:
            received = reader.read()
        except RefusedRequestError as error:
            deliver(connection, refusal(error.status, error.message), self._pause_ms)
            return False
        if received is None:
            return False
        head, body = received
        keeps = deliver(connection, self._respond(head, body, number), self._pause_ms)
        wants = [value.lower() for value in head.values("connection")]
        return keeps and "close" not in wants

    def _respond(self, head: Head, body: bytes, number: int) -> Response:
        if head.path == _NOT_SCRIPTED:
            headers = (("content-type", "application/json"),)
            return Response(status=200, headers=headers, pieces=(encode_json({"status": "ok"}),))
        with self._lock:
            request = RequestRecord(
                ordinal=len(self._requests),
                connection=number,
                method=head.method,
                path=head.path,
                query=head.query,
                headers=head.headers,
                body=body,
            )
            self._requests.append(request)
        try:
            return self._answerer.respond(request)
        except Exception as error:  # noqa: BLE001 - the script is a test's; its failure must show
            return refusal(500, f"the script failed: {error!r}")

    def _pause_ms(self, pause_ms: int) -> None:
        if self._stopping.wait(pause_ms / 1000) if pause_ms > 0 else self._stopping.is_set():
            raise _StoppedError
