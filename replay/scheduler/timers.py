"""Timers of a run: one heap for all loops and threads, ordered by (deadline, creation number)."""

from __future__ import annotations

import heapq
from typing import Protocol

__all__ = ["Timer", "Timers"]

#: Below this many cancelled timers the heap is never rebuilt.
_REBUILD_ABOVE = 64


class Timer(Protocol):
    """What the heap holds: a loop's handle, or a thread's alarm."""

    def cancelled(self) -> bool:
        """Return whether the timer was cancelled."""
        ...

    def fire(self) -> None:
        """Make what waits for this timer able to run."""
        ...


class Timers:
    """Deadlines are microseconds of the claimed clock."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._created = 0
        self._cancelled = 0

    def add(self, deadline: int, timer: Timer) -> None:
        """Add a timer; equal deadlines fire in order of this call."""
        self._created += 1
        heapq.heappush(self._heap, (deadline, self._created, timer))

    def due(self) -> int | None:
        """Return the earliest deadline, or None."""
        heap = self._heap
        while heap and heap[0][2].cancelled():
            heapq.heappop(heap)
            self._cancelled -= 1
        return heap[0][0] if heap else None

    def pop(self) -> tuple[int, Timer]:
        """Remove and return the earliest timer; call ``due`` first."""
        deadline, _, timer = heapq.heappop(self._heap)
        return deadline, timer

    def note_cancelled(self) -> None:
        """Count a cancelled timer; rebuild when more than half of the heap is dead.

        A request arms a time-out of minutes and cancels it within a second, so without this the
        heap would grow with the run.
        """
        self._cancelled += 1
        if self._cancelled > _REBUILD_ABOVE and self._cancelled * 2 > len(self._heap):
            self._heap = [item for item in self._heap if not item[2].cancelled()]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def clear(self) -> None:
        """Forget all timers, at tear-down."""
        self._heap.clear()
        self._cancelled = 0
