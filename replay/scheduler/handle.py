"""Handles: callbacks with the knowledge of whoever scheduled them."""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from replay.scheduler.core import ACTOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.scheduler.actor import Stamp
    from replay.scheduler.loop import DeterministicLoop

__all__ = ["Handle", "TimerHandle"]


class Handle(asyncio.Handle):
    """A callback to run; ``stamp`` is None when it goes to the actor that scheduled it."""

    __slots__ = ("stamp",)
    _context: Context
    _callback: Callable[..., object]

    # asyncio's own __init__ is not called: it takes a source traceback in debug mode, which
    # walks frames whose number depends on the engine.
    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: DeterministicLoop,
        context: Context | None,
    ) -> None:
        self._context = context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None
        # As in `_stamp`, written out: a handle is made for every step of a task.
        giver = loop.scheduler.actor()
        taker = context.get(ACTOR)
        self.stamp = (
            None if taker is giver or (taker is not None and taker.number < 0) else giver.stamp()
        )


class TimerHandle(asyncio.TimerHandle):
    """A callback to run at a loop time."""

    __slots__ = ("_deterministic_loop", "stamp")
    _context: Context
    _callback: Callable[..., object]
    _args: tuple[Any, ...]
    _scheduled: bool

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: DeterministicLoop,
        context: Context | None,
    ) -> None:
        super().__init__(when, callback, args, loop, context)
        self._deterministic_loop = loop
        self.stamp = _stamp(loop, self._context)

    def fire(self) -> None:
        """Put the callback in line."""
        self._scheduled = False
        self._deterministic_loop.enqueue(self)


def _stamp(loop: DeterministicLoop, context: Context) -> Stamp | None:
    """Return what the scheduling actor knows, None if the callback's actor knows it anyway.

    A task that is not on record yet will learn it from the record of its spawn.
    """
    giver = loop.scheduler.actor()
    taker = context.get(ACTOR)
    if taker is giver or (taker is not None and taker.number < 0):
        return None
    return giver.stamp()
