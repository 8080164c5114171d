"""``time.sleep`` of owned threads: it gives up the baton instead of the processor."""

from __future__ import annotations

import time
from types import BuiltinFunctionType
from typing import Any, cast

from replay.doors.context import current
from replay.doors.counted import CountedDoor
from replay.doors.exchanging.functions import ModuleFunctionExchange
from replay.scheduler.blocking import sleep

__all__ = ["SleepDoor"]


class SleepDoor(CountedDoor):
    """``time.sleep`` is a timer of its thread."""

    def __init__(self) -> None:
        super().__init__()
        # Under every name it was imported under; made at the first use.
        self._sleep: ModuleFunctionExchange | None = None

    def put(self) -> None:
        """Put the door in."""
        if self._sleep is None:
            self._sleep = ModuleFunctionExchange(cast("BuiltinFunctionType", time.sleep))
        real_sleep = self._sleep.real

        def sleep_door(seconds: Any, /) -> None:
            context = current()
            if context is None:
                real_sleep(seconds)
            else:
                sleep(context.scheduler, seconds)

        self._sleep.put(sleep_door)

    def take_back(self) -> None:
        """Take it out."""
        if self._sleep is not None:
            self._sleep.take_back()
