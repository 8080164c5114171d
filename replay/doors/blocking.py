"""Blocking calls of owned threads: they give up the baton instead of the processor."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any

from replay.doors.context import current
from replay.doors.counted import CountedDoor
from replay.scheduler.workers import sleep, wait_for_result

__all__ = ["BlockingDoor"]


class BlockingDoor(CountedDoor):
    """``time.sleep`` is a timer of its thread; ``Future.result`` waits in the schedule."""

    def put(self) -> None:
        """Wrap both."""
        self._sleep = real_sleep = time.sleep
        self._result = real_result = Future.result

        def sleep_door(seconds: float, /) -> None:
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

        setattr(time, "sleep", sleep_door)  # noqa: B010 - the stub's signature is narrower
        setattr(Future, "result", result_door)  # noqa: B010

    def take_back(self) -> None:
        """Give both back."""
        setattr(time, "sleep", self._sleep)  # noqa: B010
        setattr(Future, "result", self._result)  # noqa: B010
