"""HTTP, captured at the transports of httpx and httpx2: the request, the answer chunk by chunk.

One factory serves both libraries, whose classes have the same names and shapes. The program's own
transport does the real work, with its certificates, proxies and limits, on the I/O thread; here are
only futures. Chunks keep their boundaries and their content encoding.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import importlib
from typing import TYPE_CHECKING, Any, Final

from replay.doors.context import Answers, DoorContext, current
from replay.doors.counted import CountedDoor
from replay.doors.failures import failure_of, rebuild
from replay.doors.wire import (
    credential_values,
    decoded_body,
    request_head,
    request_view,
    response_view,
    wire_head,
    without_cookies,
)
from replay.errors import UsageError
from replay.events.kinds import (
    ChunksReceived,
    ResponseEnded,
    ResponseStarted,
    WireObserved,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import ModuleType

    from replay.doors.context import Post
    from replay.doors.dialect import Dialect, RequestView
    from replay.events.header import Outcome
    from replay.events.kinds import Payload
    from replay.recording.open_records import Asked

__all__ = ["HttpDoor"]

_LIBRARIES: Final = ("httpx2", "httpx")
#: What a transport may be told; callables such as trace hooks stay on the program's side.
_EXTENSIONS: Final = ("timeout", "sni_hostname", "target")


class HttpDoor(CountedDoor):
    """Puts the door into the transports of the libraries that are there."""

    def __init__(self) -> None:
        super().__init__()
        self._originals: list[tuple[type, str, Any]] = []

    def put(self) -> None:
        """Wrap the transport classes."""
        for name in _LIBRARIES:
            try:
                library = importlib.import_module(name)
            except ImportError:
                continue
            self._wrap(library)

    def take_back(self) -> None:
        """Give the transport classes back."""
        while self._originals:
            owner, name, original = self._originals.pop()
            setattr(owner, name, original)

    def _wrap(self, library: ModuleType) -> None:
        owner = library.AsyncHTTPTransport
        handle, close = owner.handle_async_request, owner.aclose
        leave = owner.__aexit__
        body = _body_class(library)

        @functools.wraps(handle)
        async def handle_async_request(transport: Any, request: Any) -> Any:
            context = current()
            if context is None:
                return await handle(transport, request)
            content = await request.aread()
            exchange = _Exchange(context, library, body)
            return await exchange.run(handle, transport, request, content)

        @functools.wraps(close)
        async def aclose(transport: Any) -> None:
            context = current()
            if context is None:
                await close(transport)
            else:
                context.world.detached(lambda: close(transport))

        @functools.wraps(leave)
        async def __aexit__(transport: Any, *details: Any) -> None:  # noqa: N807
            context = current()
            if context is None:
                await leave(transport, *details)
            else:
                context.world.detached(lambda: close(transport))

        @functools.wraps(library.HTTPTransport.handle_request)
        def handle_request(transport: Any, request: Any) -> Any:
            if current() is None:
                return sync_handle(transport, request)
            raise UsageError(
                f"synchronous {library.__name__} client used inside a run",
                where=f"{request.method} {request.url.host}",  # a URL may hold credentials
                hint="use the asynchronous client, or wrap the call in an effect",
            )

        sync_handle = library.HTTPTransport.handle_request
        self._set(owner, "handle_async_request", handle_async_request)
        self._set(owner, "aclose", aclose)
        self._set(owner, "__aexit__", __aexit__)
        self._set(library.HTTPTransport, "handle_request", handle_request)

    def _set(self, owner: type, name: str, value: object) -> None:
        self._originals.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)


class _Exchange:
    """One request and its response."""

    def __init__(
        self, context: DoorContext, library: ModuleType, body_class: Callable[[_Exchange], Any]
    ) -> None:
        self._context = context
        self._library = library
        self._body_class = body_class
        self._answers = Answers(asyncio.get_running_loop())
        self._cancel: Callable[[], None] | None = None
        self._asked: Asked | None = None
        self._view: RequestView | None = None
        self._dialect: Dialect | None = None
        self._head: ResponseStarted | None = None
        self._received: list[bytes] = []
        self._done = False

    async def run(self, handle: Any, transport: Any, request: Any, content: bytes) -> Any:
        """Send the request and return the response as soon as its head is there."""
        context = self._context
        self._view = view = request_view(request, content)
        self._dialect = dialect = next((d for d in context.dialects if d.matches(view)), None)
        head = request_head(request, dialect.compared_headers if dialect else None)
        recorder = context.recorder
        for source, value in credential_values(request):
            context.world.credential(source, value)
        self._asked = asked = recorder.ask(head, content, self)
        if dialect is not None:
            for fact in dialect.read_request(view):
                recorder.derive(fact)
        if context.world.is_live:
            outgoing = self._outgoing(request, content)
            self._cancel = context.world.begin(
                asked, lambda post: _send(post, handle, transport, outgoing), network=True
            )
        try:
            payload = (await self._answers.next())[0]
        except asyncio.CancelledError:
            self.abandon()
            raise
        if isinstance(payload, ResponseEnded):
            assert payload.failure is not None
            raise self._raised(payload.failure)
        assert isinstance(payload, ResponseStarted)
        return self._library.Response(
            payload.status,
            headers=[(k.encode("latin-1"), v.encode("latin-1")) for k, v in payload.headers],
            stream=self._body_class(self),
            extensions={
                "http_version": payload.http_version.encode("latin-1"),
                "reason_phrase": payload.reason.encode("latin-1"),
            },
        )

    def receive(self, payload: Payload, body: bytes, outcome: Outcome) -> None:
        """Take an answer: head, chunk or end. What was seen on the wire goes to nobody."""
        if isinstance(payload, WireObserved):
            return
        if isinstance(payload, ResponseStarted):
            self._head = payload
        elif isinstance(payload, ChunksReceived):
            self._received.append(body)
        elif isinstance(payload, ResponseEnded):
            self._finish(complete=payload.failure is None)
        self._answers.receive(payload, body, outcome)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the chunks of the body as they come."""
        while True:
            try:
                payload, data, _ = await self._answers.next()
            except asyncio.CancelledError:
                self.abandon()
                raise
            if isinstance(payload, ResponseEnded):
                if payload.failure is not None:
                    raise self._raised(payload.failure)
                return
            yield data

    def abandon(self) -> None:
        """The program gave up: stop the transfer, and read what came so far."""
        if self._done or self._asked is None:
            return
        # Before the question is forgotten: the transfer would go on for nobody.
        if self._cancel is not None:
            self._cancel()
        if self._context.recorder.cancel(self._asked):
            self._finish(complete=False)
        self._done = True

    def _finish(self, *, complete: bool) -> None:
        """Close the question and derive what the dialect reads in the whole exchange."""
        if self._done:
            return
        self._done = True
        recorder = self._context.recorder
        if self._asked is not None:
            recorder.close(self._asked)
            self._context.world.finished(self._asked)
        if self._head is None:
            return
        body = b"".join(self._received)
        decoded = decoded_body(self._head, body)
        if decoded is not None and self._asked is not None:
            self._context.world.inspect(self._asked.seq, decoded)
        if self._dialect is None or self._view is None:
            return
        view = response_view(self._head, body, complete=complete)
        for fact in self._dialect.read_response(self._view, view):
            recorder.derive(fact)

    def _raised(self, failure: Any) -> Exception:
        return rebuild(failure)

    def _outgoing(self, request: Any, content: bytes) -> Any:
        extensions = {k: v for k, v in request.extensions.items() if k in _EXTENSIONS}
        return self._library.Request(
            request.method,
            request.url,
            headers=request.headers.raw,
            content=content,
            extensions=extensions,
        )


async def _send(post: Post, handle: Any, transport: Any, request: Any) -> None:
    """Do the real exchange on the I/O thread and post what comes of it."""
    try:
        response = await handle(transport, request)
    except asyncio.CancelledError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        post(wire_head(request, None, None), None, "error")
        post(ResponseEnded(failure=failure_of(error)), None, _outcome_of(error))
        return
    started = ResponseStarted(
        status=response.status_code,
        headers=tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in response.headers.raw),
        http_version=_text(response.extensions.get("http_version", b"HTTP/1.1")),
        reason=_text(response.extensions.get("reason_phrase", b"")),
    )
    post(wire_head(request, started, _certificate(response)), None, "ok")
    post(without_cookies(started), None, "ok", started)
    try:
        async for chunk in response.stream:
            if chunk:
                post(None, chunk, "ok")
    except asyncio.CancelledError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        post(ResponseEnded(failure=failure_of(error)), None, _outcome_of(error))
    else:
        post(ResponseEnded(), None, "ok")
    finally:
        await response.stream.aclose()


def _outcome_of(error: BaseException) -> Outcome:
    return "timeout" if "Timeout" in type(error).__name__ else "error"


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _certificate(response: Any) -> str | None:
    """Return the hex SHA-256 of the peer's certificate where the transport shows it."""
    stream = response.extensions.get("network_stream")
    tls = None if stream is None else stream.get_extra_info("ssl_object")
    raw = None if tls is None else tls.getpeercert(binary_form=True)
    return hashlib.sha256(raw).hexdigest() if raw else None


def _body_class(library: ModuleType) -> Callable[[_Exchange], Any]:
    class Body(library.AsyncByteStream):  # type: ignore[name-defined,misc]
        """The body of a response: chunks as they enter."""

        def __init__(self, exchange: _Exchange) -> None:
            self._exchange = exchange

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for chunk in self._exchange.chunks():
                yield chunk

        async def aclose(self) -> None:
            self._exchange.abandon()

    return Body
