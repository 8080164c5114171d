"""Patience with a program that was stopped and will not end.

A stopped program gets an exception at each door. One that catches every exception and tries again
for ever cannot be unwound; its verdict is fixed all the same, and somebody waits for it.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Self

from replay.own_locks import OwnEvent

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from replay.scheduler.core import Scheduler

__all__ = ["PATIENCE_S", "Patience"]

#: How long a stopped program may take to unwind.
PATIENCE_S = 5.0
_LOOK_S: Final = 0.25
_Thread: Final = threading.Thread
_monotonic: Final = time.clock_gettime_ns


class Patience:
    """Watches for a stopped program that does not end, while it is entered.

    Args:
        scheduler: of the run.
        give_up: called on a thread of the engine when patience is at its end; it ends the process.
    """

    def __init__(self, scheduler: Scheduler, give_up: Callable[[], None]) -> None:
        self._scheduler = scheduler
        self._give_up = give_up
        self._ended = OwnEvent()

    def __enter__(self) -> Self:
        _Thread(target=self._watch, name="ritornello-patience", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()

    def _watch(self) -> None:
        since = 0
        while not self._ended.wait(_LOOK_S):
            if self._scheduler.halted is None:
                continue
            now = _monotonic(time.CLOCK_MONOTONIC)
            since = since or now
            if now - since > PATIENCE_S * 1e9:
                self._give_up()
                return
