"""A request that is sent again after a crash, behind the part of its response that the program has.

What came before the crash is in the record, and the program acted on it. So the new response has to
begin with the same: status, encoding and body bytes; that part is dropped. A response that begins
otherwise belongs to another answer, and the program is told that the connection broke.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replay.doors.failures import failure_of
from replay.events.kinds import ResponseEnded, ResponseStarted, WireObserved

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.doors.context import Post
    from replay.events.header import Outcome
    from replay.events.kinds import Payload

__all__ = ["Behind"]

#: Headers of a response that say what its body means.
_MEANING: Final = ("content-encoding", "content-type")


class Behind:
    """Takes what comes of a repeated request; lets through what the program does not have yet.

    Args:
        post: takes what is let through.
        head: of the response that the program has begun to read, None if it only knows that the
            request went out.
        body: what it has of the body, as it stands in the record.
        broken: makes the library's error for a connection that broke.
        scrub: puts surrogates for secrets into a body that comes piece by piece.
        differs: called, once, if the response is another.
    """

    def __init__(
        self,
        post: Post,
        head: ResponseStarted | None,
        body: bytes,
        broken: Callable[[str], Exception],
        scrub: Callable[[bytes], bytes],
        differs: Callable[[], None],
    ) -> None:
        self._post = post
        self._head = head
        self._body = body
        self._broken = broken
        self._scrub = scrub
        self._differs = differs
        self._at = 0
        self._begun = False
        self._over = False

    def __call__(
        self,
        payload: Payload | None,
        body: bytes | None,
        outcome: Outcome,
        seen: Payload | None = None,
    ) -> None:
        """Take one answer."""
        if self._over or isinstance(payload, WireObserved):
            return
        if isinstance(payload, ResponseStarted):
            self._begun = True
            if self._head is None:
                self._post(payload, body, outcome, seen)
            elif not _alike(self._head, payload):
                self._break("the repeated request was answered otherwise")
        elif payload is None:
            self._chunk(body or b"")
        elif isinstance(payload, ResponseEnded) and payload.failure is None:
            if self._at < len(self._body):
                self._break("the repeated request got a shorter answer")
            else:
                self._post(payload, body, outcome, seen)
        elif self._head is not None and not self._begun:
            # The program is in the midst of a body; it knows of a connection that was there.
            self._over = True
            failure = failure_of(self._broken("the request could not be repeated"))
            self._post(ResponseEnded(failure=failure), None, "error")
        else:
            self._post(payload, body, outcome, seen)

    def _chunk(self, data: bytes) -> None:
        left = len(self._body) - self._at
        if left <= 0:
            self._post(None, data, "ok")
            return
        known = data[:left]
        if self._scrub(known) != self._body[self._at : self._at + len(known)]:
            self._break("the repeated request was answered otherwise")
            return
        self._at += len(known)
        if len(data) > left:
            self._post(None, data[left:], "ok")

    def _break(self, why: str) -> None:
        self._over = True
        self._differs()
        self._post(ResponseEnded(failure=failure_of(self._broken(why))), None, "error")


def _alike(before: ResponseStarted, now: ResponseStarted) -> bool:
    """Return whether two heads begin the same answer; dates and ids of requests may differ."""
    return before.status == now.status and _meaning(before) == _meaning(now)


def _meaning(head: ResponseStarted) -> list[tuple[str, str]]:
    return sorted((k.lower(), v) for k, v in head.headers if k.lower() in _MEANING)
