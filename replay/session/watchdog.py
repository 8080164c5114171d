"""The watchdog: says where a program stands still that the schedule cannot move.

A thread that waits inside C code, for a lock that another thread of the program holds, keeps its
turn for ever: the other one never gets one. Real time is looked at here and nowhere recorded.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from replay.own_locks import OwnEvent
from replay.recording.place import place

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.scheduler.core import Scheduler

__all__ = ["STANDSTILL_S", "Watchdog"]

#: How long a thread may keep its turn without using the processor.
STANDSTILL_S = 10.0
_LOOKS: Final = 5

_Thread: Final = threading.Thread
_cpu_clock: Final = getattr(time, "pthread_getcpuclockid", None)
_read_clock: Final = time.clock_gettime_ns


class Watchdog:
    """Watches one run on a thread of its own.

    Args:
        scheduler: of the run.
        tell: takes the sentence that says where the program stands still.
    """

    def __init__(self, scheduler: Scheduler, tell: Callable[[str], None]) -> None:
        self._scheduler = scheduler
        self._tell = tell
        self._interval_s = STANDSTILL_S / _LOOKS
        self._stopped = OwnEvent()
        self._started = False

    def start(self) -> None:
        """Begin, once; called by the engine when the program has a second thread."""
        if not self._started and _cpu_clock is not None:
            self._started = True
            _Thread(target=self._watch, name="ritornello-watchdog", daemon=True).start()

    def stop(self) -> None:
        """End."""
        self._stopped.set()

    def _watch(self) -> None:
        last: tuple[int, int, int] | None = None
        looks = 0
        while not self._stopped.wait(self._interval_s):
            seen = self._look()
            looks = looks + 1 if seen is not None and seen == last else 0
            last = seen
            if looks == _LOOKS:
                self._say()

    def _look(self) -> tuple[int, int, int] | None:
        """Return what changes while anything goes on; None while the engine waits for inputs."""
        scheduler = self._scheduler
        holder = scheduler.current
        if scheduler.inside or scheduler.halted is not None or not holder.ident:
            return None
        assert _cpu_clock is not None
        try:
            used = _read_clock(_cpu_clock(holder.ident))
        except OSError:
            return None  # it has just ended
        # Less than a millisecond is what waking up costs.
        return scheduler.turns, holder.number, used // 1_000_000

    def _say(self) -> None:
        holder = self._scheduler.current
        frame = sys._current_frames().get(holder.ident)
        where = None if frame is None else place(frame)
        code = "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
        self._tell(
            f"the program stands still: its thread {holder.number} waits at {where or code} for"
            " what only another of its threads can give, in code that the schedule does not reach;"
            " do not hold a lock of C code across a call that waits"
        )
