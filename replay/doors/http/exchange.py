"""One HTTP exchange of a run: the request asked, the answer taken, what the dialect reads in it.

It is the same for a task and for a thread that waits, and for both libraries; how they wait, and
how the request really goes out, is in :mod:`replay.doors.http.asynchronous` and
:mod:`replay.doors.http.synchronous`. Chunks keep their boundaries and their content encoding.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from replay.doors.failures import failure_of, rebuild
from replay.doors.http.again import Behind
from replay.doors.http.wire import (
    credential_values,
    decoded_body,
    request_head,
    request_view,
    response_view,
    wire_head,
    without_cookies,
)
from replay.events.kinds import ChunksReceived, ResponseEnded, ResponseStarted, WireObserved
from replay.secrets.credentials import answered_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import ModuleType

    from replay.doors.context import DoorContext, Post
    from replay.doors.dialect import Dialect, RequestView
    from replay.events.header import Outcome
    from replay.events.kinds import Payload
    from replay.recording.in_flight import OnResume
    from replay.recording.open_records import Asked, Target

__all__ = ["Exchange", "post_failure", "post_head"]

#: What a transport may be told; callables such as trace hooks stay on the program's side.
_EXTENSIONS: Final = ("timeout", "sni_hostname", "target")


class Exchange:
    """One request and its response.

    Args:
        context: the run.
        library: ``httpx`` or ``httpx2``.
        answers: where whoever waits finds the answers.
    """

    def __init__(self, context: DoorContext, library: ModuleType, answers: Target) -> None:
        self.context = context
        self.library = library
        self._inbox = answers
        self._cancel: Callable[[], None] | None = None
        self._asked: Asked | None = None
        self._view: RequestView | None = None
        self._dialect: Dialect | None = None
        self._head: ResponseStarted | None = None
        self._received: list[bytes] = []
        self._done = False
        # What goes out: a copy of the program's request.
        self._wire: Any = None

    def ask(
        self,
        request: Any,
        content: bytes,
        work: Callable[[Post, Any], Coroutine[Any, Any, None]],
    ) -> None:
        """Record the request, and let it go out if the world is live.

        Args:
            request: the program's.
            content: its whole body.
            work: sends a copy of the request and posts what comes of it; runs on the network loop.
        """
        context = self.context
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
        if context.world.begins:
            self._wire = self._outgoing(request, content)
            self._cancel = context.world.begin(
                asked, lambda post: work(post, self._wire), network=True, flight=self
            )

    def response(self, payload: Payload, stream: Any) -> Any:
        """Build the library's response from the first answer.

        Raises:
            Exception: what the exchange failed with before there was a response.
        """
        if isinstance(payload, ResponseEnded):
            assert payload.failure is not None
            raise rebuild(payload.failure)
        assert isinstance(payload, ResponseStarted)
        return self.library.Response(
            payload.status,
            headers=[(k.encode("latin-1"), v.encode("latin-1")) for k, v in payload.headers],
            stream=stream,
            extensions={
                "http_version": payload.http_version.encode("latin-1"),
                "reason_phrase": payload.reason.encode("latin-1"),
            },
        )

    def receive(self, payload: Payload, body: bytes, outcome: Outcome) -> None:
        """Take an answer: head, chunk or end. What was seen on the wire goes to nobody."""
        if isinstance(payload, WireObserved):
            if self._asked is not None:
                self.context.world.observed(self._asked, payload)
            return
        if isinstance(payload, ResponseStarted):
            self._head = payload
            for source, value in answered_credentials(payload.headers):
                self.context.world.credential(source, value)
        elif isinstance(payload, ChunksReceived):
            self._received.append(body)
        elif isinstance(payload, ResponseEnded):
            self._finish(complete=payload.failure is None)
        self._inbox.receive(payload, body, outcome)

    def abandon(self) -> None:
        """The program gave up: stop the transfer, and read what came so far."""
        if self._done or self._asked is None:
            return
        # Before the question is forgotten: the transfer would go on for nobody.
        if self._cancel is not None:
            self._cancel()
        if self.context.recorder.cancel(self._asked):
            self._finish(complete=False)
        self._done = True

    # --- after a crash ------------------------------------------------------------------------

    @property
    def on_resume(self) -> OnResume:
        """Requests are sent again, with the very same bytes."""
        return "again"

    @property
    def label(self) -> str:
        """Method and address."""
        return f"{self._wire.method} {_host(self._wire)}{self._wire.url.path}"

    @property
    def destination(self) -> tuple[str, str]:
        """Scheme and host."""
        return self._wire.url.scheme, _host(self._wire)

    @property
    def carried(self) -> bytes:
        """Address, headers and body."""
        request = self._wire
        headers = b"\n".join(value for _, value in request.headers.raw)
        return b"\n".join((str(request.url).encode(), headers, request.content))

    def rewrite(self, change: Callable[[bytes], bytes]) -> None:
        """Change address, headers and body of what goes out."""
        request = self._wire
        self._wire = self.library.Request(
            request.method,
            self.library.URL(change(str(request.url).encode()).decode()),
            headers=[(name, change(value)) for name, value in request.headers.raw],
            content=change(request.content),
            extensions=request.extensions,
        )

    def failure(self, why: str) -> tuple[ResponseEnded, Outcome]:
        """Return how a connection breaks, in the library's words."""
        return ResponseEnded(failure=failure_of(self.library.ReadError(why))), "error"

    def behind(
        self, post: Post, scrub: Callable[[bytes], bytes], differs: Callable[[], None]
    ) -> Post:
        """Drop what the program has of the response; see :mod:`replay.doors.http.again`."""
        body = b"".join(self._received)
        return Behind(post, self._head, body, self.library.ReadError, scrub, differs)

    @property
    def repeatable(self) -> bool:
        """Return True: what the program has seen is compared."""
        return True

    def _finish(self, *, complete: bool) -> None:
        """Close the question and derive what the dialect reads in the whole exchange."""
        if self._done:
            return
        self._done = True
        recorder = self.context.recorder
        if self._asked is not None:
            recorder.close(self._asked)
            self.context.world.finished(self._asked)
        if self._head is None:
            return
        body = b"".join(self._received)
        decoded = decoded_body(self._head, body)
        if decoded is not None and self._asked is not None:
            self.context.world.inspect(self._asked.seq, decoded)
        if self._dialect is None or self._view is None:
            return
        view = response_view(self._head, body, complete=complete)
        for fact in self._dialect.read_response(self._view, view):
            recorder.derive(fact)

    def _outgoing(self, request: Any, content: bytes) -> Any:
        extensions = {k: v for k, v in request.extensions.items() if k in _EXTENSIONS}
        return self.library.Request(
            request.method,
            request.url,
            headers=request.headers.raw,
            content=content,
            extensions=extensions,
        )


def post_head(post: Post, request: Any, response: Any) -> None:
    """Post what was seen on the wire, and the head of a real response."""
    started = ResponseStarted(
        status=response.status_code,
        headers=tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in response.headers.raw),
        http_version=_text(response.extensions.get("http_version", b"HTTP/1.1")),
        reason=_text(response.extensions.get("reason_phrase", b"")),
    )
    post(wire_head(request, started, _certificate(response)), None, "ok")
    post(without_cookies(started), None, "ok", started)


def post_failure(post: Post, error: Exception, request: Any = None) -> None:
    """Post how a real exchange failed; with the request, if it failed before any response."""
    outcome: Outcome = "timeout" if "Timeout" in type(error).__name__ else "error"
    if request is not None:
        post(wire_head(request, None, None), None, "error")
    post(ResponseEnded(failure=failure_of(error)), None, outcome)


def _host(request: Any) -> str:
    url = request.url
    return url.host if url.port is None else f"{url.host}:{url.port}"


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _certificate(response: Any) -> str | None:
    """Return the hex SHA-256 of the peer's certificate where the transport shows it."""
    stream = response.extensions.get("network_stream")
    tls = None if stream is None else stream.get_extra_info("ssl_object")
    # The asynchronous transport shows the object of `ssl`, the synchronous one that of `_ssl`.
    read = getattr(tls, "getpeercert", None)
    raw = None if read is None else read(True)
    return hashlib.sha256(raw).hexdigest() if raw else None
