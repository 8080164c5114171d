"""Event loops that a program makes: on an owned thread they are loops of its run."""

from __future__ import annotations

import asyncio
import functools
from asyncio.selector_events import BaseSelectorEventLoop
from typing import Any

from replay.doors.context import current
from replay.doors.counted import CountedDoor
from replay.errors import UsageError

__all__ = ["LoopDoor"]


class LoopDoor(CountedDoor):
    """``asyncio.run``, ``Runner``, ``anyio.run`` and ``new_event_loop`` give the run's loop."""

    def put(self) -> None:
        """Wrap ``new_event_loop``, by which all of them make their loop, and refuse real loops."""
        self._real = real = asyncio.new_event_loop

        def new_event_loop() -> asyncio.AbstractEventLoop:
            context = current()
            return real() if context is None else context.new_loop()

        asyncio.new_event_loop = asyncio.events.new_event_loop = new_event_loop
        self._init = real_init = BaseSelectorEventLoop.__init__

        @functools.wraps(real_init)
        def __init__(loop: BaseSelectorEventLoop, *args: Any, **options: Any) -> None:  # noqa: N807
            if current() is not None:
                vars(loop)["_closed"] = True  # what its finalizer looks at
                raise UsageError(
                    f"{type(loop).__name__} would run outside the schedule",
                    hint="let asyncio.run or asyncio.new_event_loop make the loop",
                )
            real_init(loop, *args, **options)

        setattr(BaseSelectorEventLoop, "__init__", __init__)  # noqa: B010 - mypy knows better

    def take_back(self) -> None:
        """Give both back."""
        setattr(BaseSelectorEventLoop, "__init__", self._init)  # noqa: B010
        asyncio.new_event_loop = asyncio.events.new_event_loop = self._real
