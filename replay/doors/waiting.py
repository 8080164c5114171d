"""Who waits for the answers to a question: a task of a loop, or a thread without one.

All wait in the schedule. A door hands the answers it receives to `receive`, and takes them in order
of arrival with `next`, or awaits the one that there is.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from replay.events.header import Outcome
    from replay.events.kinds import Payload
    from replay.scheduler.actor import Stamp
    from replay.scheduler.core import Participant, Scheduler

__all__ = ["Answer", "Answers", "ThreadAnswers"]


class Answer:
    """The one answer to a question, for the task that asked: :attr:`come` is awaited by it.

    The future is one of the loop's: a program that drives a coroutine by hand gets hold of it, may
    put it into a set, and may await it in another task.
    """

    __slots__ = ("come",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.come: asyncio.Future[Payload] = loop.create_future()

    def receive(self, payload: Payload, body: bytes, outcome: Outcome) -> None:
        """Take the answer and wake the task."""
        come = self.come
        if not come.done():
            come.set_result(payload)


class Answers:
    """The answers to one question, in order, for one task that waits for them."""

    __slots__ = ("_loop", "_ready", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ready: deque[tuple[Payload, bytes, Outcome]] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def receive(self, payload: Payload, body: bytes, outcome: Outcome) -> None:
        """Take an answer and wake the waiter."""
        self._ready.append((payload, body, outcome))
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def next(self) -> tuple[Payload, bytes, Outcome]:
        """Return the next answer."""
        while not self._ready:
            self._waiter = waiter = self._loop.create_future()
            await waiter
            self._waiter = None
        return self._ready.popleft()


class ThreadAnswers:
    """The answers to one question, in order, for whichever owned thread waits for them.

    The thread gives up the baton in :meth:`next`; no event loop is needed, and one that runs on the
    thread stands still meanwhile, as it does in any blocking call.
    """

    __slots__ = ("_ready", "_scheduler", "_waiting")

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._ready: deque[tuple[Payload, bytes, Outcome, Stamp] | None] = deque()
        self._waiting: Participant | None = None

    def receive(self, payload: Payload, body: bytes, outcome: Outcome) -> None:
        """Take an answer and wake the waiter. Runs as the actor that asked."""
        self._put((payload, body, outcome, self._scheduler.actor().stamp()))

    def close(self) -> None:
        """Let no more answers come: :meth:`next` returns None after those that are there."""
        self._put(None)

    def next(self) -> tuple[Payload, bytes, Outcome] | None:
        """Return the next answer, None if it was closed."""
        scheduler = self._scheduler
        self._waiting = scheduler.current
        scheduler.wait(self._ready)
        self._waiting = None
        if self._ready[0] is None:
            return None  # and stays, for whoever asks again
        payload, body, outcome, stamp = self._ready.popleft()  # type: ignore[misc]
        # Another thread or task than the one that asked may read on.
        scheduler.actor().receive(stamp)
        return payload, body, outcome

    def _put(self, item: tuple[Payload, bytes, Outcome, Stamp] | None) -> None:
        self._ready.append(item)
        if self._waiting is not None:
            self._scheduler.wake(self._waiting)
