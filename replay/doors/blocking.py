"""Blocking calls of owned threads: they give up the baton instead of the processor."""

from __future__ import annotations

import time
from concurrent.futures import Future
from types import BuiltinFunctionType
from typing import Any, cast

from replay.doors.context import current
from replay.doors.counted import CountedDoor
from replay.doors.exchange import ModuleFunctionExchange
from replay.scheduler.workers import sleep, wait_for_result

__all__ = ["BlockingDoor"]


class BlockingDoor(CountedDoor):
    """``time.sleep`` is a timer of its thread; ``Future.result`` waits in the schedule."""

    def __init__(self) -> None:
        super().__init__()
        # Under every name it was imported under; made at the first use.
        self._sleep: ModuleFunctionExchange | None = None

    def put(self) -> None:
        """Wrap both."""
        if self._sleep is None:
            self._sleep = ModuleFunctionExchange(cast("BuiltinFunctionType", time.sleep))
        real_sleep = self._sleep.real
        self._result = real_result = Future.result

        def sleep_door(seconds: Any, /) -> None:
            context = current()
            if context is None:
                real_sleep(seconds)
            else:
                sleep(context.scheduler, seconds)

        def result_door(future: Future[Any], timeout: float | None = None) -> Any:
            context = current()
            if context is not None and not wait_for_result(context.scheduler, future, timeout):
                raise TimeoutError
            return real_result(future, timeout)

        self._sleep.put(sleep_door)
        setattr(Future, "result", result_door)  # noqa: B010 - the stub's signature is narrower

    def take_back(self) -> None:
        """Give both back."""
        if self._sleep is not None:
            self._sleep.take_back()
        setattr(Future, "result", self._result)  # noqa: B010
