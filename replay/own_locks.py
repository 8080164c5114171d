"""Locks of the engine's own: no door ever stands in them.

While a run is on stage, the lock types of Python wait in its schedule (``replay.doors.threads``).
The engine talks to threads outside of the schedule, so its own waits must be real ones. The C
methods are taken here, when the engine is imported, and called directly.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _thread import LockType
    from types import TracebackType

__all__ = ["OwnCondition", "OwnEvent", "OwnLock"]

_Lock: Final = type(allocate_lock())
# The descriptors, not a look-up at each call: that would find the door.
_acquire: Final = _Lock.acquire
_release: Final = _Lock.release


class OwnLock:
    """A lock that is never scheduled.

    Args:
        lock: the one to take; a new one, if not given.
    """

    __slots__ = ("_lock",)

    def __init__(self, lock: LockType | None = None) -> None:
        self._lock = lock or allocate_lock()

    def acquire(self, timeout_s: float = -1) -> bool:
        """Take the lock; return False if it was not free in time."""
        return _acquire(self._lock, True, timeout_s)

    def release(self) -> None:
        """Give the lock back; any thread may."""
        _release(self._lock)

    def __enter__(self) -> None:
        _acquire(self._lock)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _release(self._lock)


class OwnCondition:
    """A condition variable that is never scheduled; hold it to wait and to notify."""

    __slots__ = ("_lock", "_waiters")

    def __init__(self) -> None:
        self._lock = OwnLock()
        self._waiters: deque[OwnLock] = deque()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until notified; return False after the time-out."""
        waiter = OwnLock()
        waiter.acquire()
        self._waiters.append(waiter)
        self._lock.release()
        try:
            notified = waiter.acquire(-1 if timeout_s is None else max(0.0, timeout_s))
        finally:
            self._lock.acquire()
        if not notified and waiter in self._waiters:
            self._waiters.remove(waiter)
        return notified

    def notify(self) -> None:
        """Wake the one that waits longest."""
        if self._waiters:
            self._waiters.popleft().release()

    def notify_all(self) -> None:
        """Wake all that wait."""
        while self._waiters:
            self._waiters.popleft().release()


class OwnEvent:
    """A flag that is never scheduled."""

    __slots__ = ("_condition", "_set")

    def __init__(self) -> None:
        self._condition = OwnCondition()
        self._set = False

    def is_set(self) -> bool:
        """Return whether the flag is set."""
        return self._set

    def set(self) -> None:
        """Set the flag and wake all that wait for it."""
        with self._condition:
            self._set = True
            self._condition.notify_all()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the flag is set; return whether it is."""
        with self._condition:
            while not self._set:
                if not self._condition.wait(timeout_s):
                    break
            return self._set
