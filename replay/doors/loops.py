"""Event loops that a program makes: on an owned thread they are loops of its run."""

from __future__ import annotations

import asyncio

from replay.doors.context import current
from replay.doors.counted import CountedDoor

__all__ = ["LoopDoor"]


class LoopDoor(CountedDoor):
    """``asyncio.run``, ``Runner``, ``anyio.run`` and ``new_event_loop`` give the run's loop."""

    def put(self) -> None:
        """Wrap ``new_event_loop``, by which all of them make their loop."""
        self._real = real = asyncio.new_event_loop

        def new_event_loop() -> asyncio.AbstractEventLoop:
            context = current()
            return real() if context is None else context.new_loop()

        asyncio.new_event_loop = asyncio.events.new_event_loop = new_event_loop

    def take_back(self) -> None:
        """Give it back."""
        asyncio.new_event_loop = asyncio.events.new_event_loop = self._real
