"""Tasks and futures whose hash is their creation number.

Sets of tasks stand inside asyncio and anyio (TaskGroup, wait, as_completed, CancelScope) and are
iterated; with the default hash their order depends on memory addresses. Both classes also carry
causal knowledge: who takes a finished one's result knows what it knew.
"""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, TypeVar

from replay.scheduler.actor import Actor, Stamp
from replay.scheduler.core import ACTOR, Scheduler

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

    from replay.scheduler.loop import DeterministicLoop

__all__ = ["Future", "Task"]

T = TypeVar("T")


# Bound once: a future is made for every effect, and `super()` costs as much as the call.
_future_set_result = asyncio.Future.set_result
_future_result = asyncio.Future.result
_future_await = asyncio.Future.__await__


class Future(asyncio.Future[T]):
    """A future of the deterministic loop."""

    __slots__ = ("_knowledge", "_number", "_scheduler")
    _knowledge: Stamp | None
    _number: int
    _scheduler: Scheduler

    # No `__init__`: a future is made for every effect, and one in Python costs a replay 2 to 3 %.
    @classmethod
    def of(cls, loop: DeterministicLoop) -> Future[T]:
        """Return a new future of a loop."""
        made = cls(loop=loop)
        made._scheduler = scheduler = loop.scheduler
        scheduler.numbers = made._number = scheduler.numbers + 1
        made._knowledge = None
        return made

    def __hash__(self) -> int:
        return self._number

    def set_result(self, result: T, /) -> None:
        """Set the result and remember what the setter knows."""
        self._knowledge = self._scheduler.actor().stamp()
        _future_set_result(self, result)

    def set_exception(self, exception: type | BaseException, /) -> None:
        """Set the exception and remember what the setter knows."""
        self._knowledge = self._scheduler.actor().stamp()
        super().set_exception(exception)

    def result(self) -> T:
        """Return the result; the caller takes over the setter's knowledge."""
        knowledge = self._knowledge
        if knowledge is not None:
            actor = self._scheduler.actor()
            if knowledge[0] is not actor:
                actor.receive(knowledge)
        return _future_result(self)

    def exception(self) -> BaseException | None:
        """Return the exception; the caller takes over the setter's knowledge."""
        self._hand_over()
        return super().exception()

    def __await__(self) -> Generator[Any, None, T]:
        """Wait for the result; a finished future hands over its setter's knowledge at once."""
        if self._knowledge is not None:
            self._hand_over()
        return _future_await(self)

    def _hand_over(self) -> None:
        if self._knowledge is not None:
            self._scheduler.actor().receive(self._knowledge)


class Task(asyncio.Task[T]):
    """A task of the deterministic loop: one actor."""

    def __init__(
        self,
        coro: Coroutine[Any, Any, T],
        *,
        loop: DeterministicLoop,
        name: str | None = None,
        context: Context | None = None,
        **options: Any,
    ) -> None:
        scheduler = loop.scheduler
        self._number = number = scheduler.number()
        self._scheduler = scheduler
        self._chosen: str | None = name
        parent = scheduler.actor()
        self.actor = actor = Actor(parent, scheduler.current.number)
        actor.coroutine = coro
        if context is None:
            context = copy_context()
        try:
            context.run(ACTOR.set, actor)
        except RuntimeError:
            # The program runs the task in a context that is entered right now, its own: the task
            # then shares its parent's entry in the causal clock.
            self.actor = actor = parent
        if actor is not parent:
            scheduler.ledger.spawned(actor, coro, lambda: self._chosen)
            scheduler.unsettled = True
        super().__init__(coro, loop=loop, name=name or f"Task-{number}", context=context, **options)
        if actor is not parent:
            self.add_done_callback(_record_end, context=context)

    def __hash__(self) -> int:
        return self._number

    def set_name(self, value: object, /) -> None:
        """Name the task; before its first step this is its label."""
        self._chosen = str(value)
        super().set_name(value)

    def record_end(self) -> None:
        """Record that the task ended; once, and before anybody acts on it."""
        actor = self.actor
        if actor.ended or self._scheduler.halted is not None:
            return
        # Not ``exception()``: looking is not retrieving, and asyncio still reports an exception
        # that nobody fetched.
        error = asyncio.CancelledError() if self.cancelled() else self._exception
        self._scheduler.ledger.ended(actor, error)

    def result(self) -> T:
        """Return the result; the caller takes over the task's knowledge."""
        self._hand_over()
        return super().result()

    def exception(self) -> BaseException | None:
        """Return the exception; the caller takes over the task's knowledge."""
        self._hand_over()
        return super().exception()

    def __await__(self) -> Generator[Any, None, T]:
        """Wait for the task; a finished one hands over its knowledge at once."""
        self._hand_over()
        return super().__await__()

    def _hand_over(self) -> None:
        if self.done():
            self.record_end()
            self._scheduler.actor().receive(self.actor.stamp())


def _record_end(task: asyncio.Task[Any]) -> None:
    if isinstance(task, Task):
        task.record_end()
