"""Locks and queues of owned threads: whoever has to wait for one gives up the baton.

Conditions, events, semaphores, barriers and ``queue.Queue`` are made of these locks, in Python, so
they wait in the schedule too. Locks that are older than the run are reached as well: it is the
method of the type that is exchanged.
"""

from __future__ import annotations

import threading
from _thread import RLock, allocate_lock
from queue import SimpleQueue
from types import BuiltinMethodType
from typing import Any, Final

from replay.doors.context import current
from replay.doors.counted import CountedDoor
from replay.doors.exchanging.type_methods import MethodExchange

__all__ = ["LockDoor"]

_LOCK: Final = type(allocate_lock())
# As they are, whatever stands in their place later.
_acquire_rlock: Final = RLock.acquire
_release_rlock: Final = RLock.release


class LockDoor(CountedDoor):
    """``_thread.lock``, ``_thread.RLock`` and ``queue.SimpleQueue``."""

    def __init__(self) -> None:
        super().__init__()
        self._put: list[MethodExchange] = []

    def put(self) -> None:
        """Exchange the methods that wait, and those that let others go on."""
        self._lock_methods(_LOCK, ("acquire", "acquire_lock"), ("release", "release_lock"))
        self._lock_methods(RLock, ("acquire",), ("release",))
        self._condition_methods()
        self._queues()
        self._is_set = threading.Event.is_set
        setattr(threading.Event, "is_set", _looks(self._is_set))  # noqa: B010
        self._wait = threading.Condition.wait
        setattr(threading.Condition, "wait", _waits(self._wait))  # noqa: B010 - mypy knows it

    def take_back(self) -> None:
        """Give them back."""
        setattr(threading.Condition, "wait", self._wait)  # noqa: B010
        setattr(threading.Event, "is_set", self._is_set)  # noqa: B010
        while self._put:
            self._put.pop().take_back()

    def _set(self, exchange: MethodExchange, door: Any) -> None:
        exchange.put(door)
        self._put.append(exchange)

    def _lock_methods(
        self, owner: type, acquires: tuple[str, ...], releases: tuple[str, ...]
    ) -> None:
        real_acquire = vars(owner)["acquire"]
        real_release = vars(owner)["release"]
        owned = vars(owner).get("_is_owned")

        # The signatures are Python's.
        def acquire(lock: Any, blocking: Any = True, timeout: Any = -1) -> Any:  # noqa: FBT002
            context = current()
            if context is None:
                return real_acquire(lock, blocking, timeout)
            return context.threads.locks.acquire(lock, real_acquire, blocking, timeout)

        def release(lock: Any) -> None:
            context = current()
            real_release(lock)
            if context is not None and (owned is None or not owned(lock)):
                context.threads.locks.released(lock)

        def __enter__(lock: Any) -> Any:  # noqa: N807
            context = current()
            if context is None:
                return real_acquire(lock)
            return context.threads.locks.acquire(lock, real_acquire)

        def __exit__(lock: Any, *_: Any) -> None:  # noqa: N807
            release(lock)

        for name in acquires:
            self._set(MethodExchange(owner, name), acquire)
        for name in releases:
            self._set(MethodExchange(owner, name), release)
        self._set(MethodExchange(owner, "__enter__"), __enter__)
        self._set(MethodExchange(owner, "__exit__"), __exit__)

    def _condition_methods(self) -> None:
        """Exchange what a condition does with a lock that may be held several times over."""
        save = MethodExchange(RLock, "_release_save")
        restore = MethodExchange(RLock, "_acquire_restore")
        real_save, real_restore = save.real, restore.real

        def _release_save(lock: Any) -> Any:
            context = current()
            state = real_save(lock)
            if context is not None:
                context.threads.locks.released(lock)
            return state

        def _acquire_restore(lock: Any, state: Any) -> None:
            context = current()
            if context is not None:
                # Waited for in the schedule; nobody else of it can come in between.
                context.threads.locks.acquire(lock, _acquire_rlock)
                _release_rlock(lock)
            real_restore(lock, state)

        self._set(save, _release_save)
        self._set(restore, _acquire_restore)

    def _queues(self) -> None:
        get, put = MethodExchange(SimpleQueue, "get"), MethodExchange(SimpleQueue, "put")
        nowait = MethodExchange(SimpleQueue, "get_nowait")
        put_nowait = MethodExchange(SimpleQueue, "put_nowait")
        real_get, real_put = get.real, put.real

        def get_door(queue: Any, block: Any = True, timeout: Any = None) -> Any:  # noqa: FBT002
            context = current()
            if context is None:
                return real_get(queue, block, timeout)
            return context.threads.queues.get(queue, real_get, block, timeout)

        def get_nowait_door(queue: Any) -> Any:
            return get_door(queue, False)

        def put_door(queue: Any, item: Any, *_: Any, **__: Any) -> None:  # it never waits
            context = current()
            if context is None:
                real_put(queue, item)
            else:
                context.threads.queues.put(queue, real_put, item)

        self._set(get, get_door)
        self._set(nowait, get_nowait_door)
        self._set(put, put_door)
        self._set(put_nowait, put_door)


def _looks(real: Any) -> Any:
    """Wrap ``Event.is_set``: who asks in a loop waits for another thread to set it."""

    def is_set(event: Any) -> Any:
        context = current()
        if context is not None and not event._flag:
            context.scheduler.looked()
        return real(event)

    is_set.__doc__ = real.__doc__
    return is_set


def _waits(real: Any) -> Any:
    """Wrap ``Condition.wait``: a condition older than the run holds the lock's own methods."""

    def wait(condition: Any, timeout: float | None = None) -> Any:
        held = vars(condition)
        if current() is not None and isinstance(held.get("_release_save"), BuiltinMethodType):
            lock = held["_lock"]
            held["_release_save"] = lock._release_save
            held["_acquire_restore"] = lock._acquire_restore
        return real(condition, timeout)

    wait.__doc__ = real.__doc__
    return wait
