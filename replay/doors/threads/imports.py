"""Import locks: who holds one may be a thread of another run, or of no run.

A module's lock is taken by one thread and waited for by others, each of which is woken by the
release. Where the holder is of the same run, that wait is one of the schedule. Any other holder
knows nothing of the schedule, so the wait is a real one, and no input enters meanwhile: in a replay
the module may be there at once.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

from replay.doors.context import DoorContext, current
from replay.doors.counted import CountedDoor

__all__ = ["ImportDoor"]

_MODULE_LOCK: Final[Any] = vars(importlib)["_bootstrap"]._ModuleLock


class ImportDoor(CountedDoor):
    """Stands before the locks of modules that are being imported."""

    def put(self) -> None:
        """Put the door in."""
        self._real = real = _MODULE_LOCK.acquire

        def acquire(lock: Any) -> Any:
            context = current()
            if context is None or _is_held_within(context, lock.owner):
                return real(lock)
            scheduler = context.scheduler
            scheduler.inside = True
            try:
                return real(lock)
            finally:
                scheduler.inside = False

        _MODULE_LOCK.acquire = acquire

    def take_back(self) -> None:
        """Take the door out."""
        _MODULE_LOCK.acquire = self._real


def _is_held_within(context: DoorContext, owner: int | None) -> bool:
    if owner is None:
        return False
    return any(each.alive and each.ident == owner for each in context.scheduler.participants)
