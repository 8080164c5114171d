"""Tools that trace a program in its own process: what they do for themselves is none of its doing.

``coverage`` takes a lock on whichever thread it traces, at almost any line. In the schedule each
would be a wait of the program's, and a program that is measured would run in another order.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock
from typing import Final

from replay.own_locks import OwnLock

__all__ = ["spare_tracers"]

_LOCK: Final = type(allocate_lock())


def spare_tracers() -> None:
    """Let the tracers that are at work keep their locks to themselves, from now on."""
    collector_type = getattr(sys.modules.get("coverage.collector"), "Collector", None)
    for collector in getattr(collector_type, "_collectors", ()):
        lock = getattr(collector, "data_lock", None)
        if type(lock) is _LOCK:
            # The same lock, so that one which is held now can be given back.
            collector.data_lock = OwnLock(lock)
