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
        giver = loop.scheduler.actor()
        self.stamp: Stamp | None = None if context.get(ACTOR) is giver else giver.stamp()


class TimerHandle(asyncio.TimerHandle):
    """A callback to run at a loop time."""

    __slots__ = ("_deterministic_loop", "stamp")

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
        giver = loop.scheduler.actor()
        self.stamp: Stamp | None = None if self._context.get(ACTOR) is giver else giver.stamp()

    def fire(self) -> None:
        """Put the callback in line."""
        self._scheduled = False
        self._deterministic_loop.enqueue(self)
