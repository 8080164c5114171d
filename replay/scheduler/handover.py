"""Hand-overs that no callback carries, and library code that iterates sets of its own.

A lock released before anybody waits, an item put before anybody asks, an event already set: the
taker goes on at once, yet it depends on the giver. These asyncio classes are wrapped while a run is
active, and pass through for loops that are not of a run. The same goes for the two places where
asyncio and anyio iterate a set of objects that are neither tasks nor futures.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

from replay.own_locks import OwnLock
from replay.scheduler.loop import DeterministicLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from replay.scheduler.actor import Actor, Stamp

__all__ = ["install", "patch_anyio", "remove"]

_ATTRIBUTE = "_ritornello_stamps"


def install() -> None:
    """Wrap the asyncio classes; counted, so that several runs may overlap."""
    with _Installed.lock:
        _Installed.count += 1
        if _Installed.count > 1:
            return
        for owner, name, wrap in _WRAPPERS:
            original = getattr(owner, name)
            _Installed.originals.append((owner, name, original))
            setattr(owner, name, functools.wraps(original)(wrap(original)))


def remove() -> None:
    """Undo one :func:`install`."""
    with _Installed.lock:
        _Installed.count -= 1
        if _Installed.count == 0:
            while _Installed.originals:
                owner, name, original = _Installed.originals.pop()
                setattr(owner, name, original)


class _Installed:
    """What is wrapped now. Process-wide, as the classes are."""

    lock = OwnLock()
    count = 0
    originals: list[tuple[Any, str, Any]] = []  # noqa: RUF012 - emptied by remove()
    anyio = False


def _actor() -> Actor | None:
    loop = asyncio._get_running_loop()
    return loop.scheduler.actor() if isinstance(loop, DeterministicLoop) else None


def _releases_lock(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``Lock.release``: its holder's knowledge includes that of every holder before."""

    def release(self: Any) -> None:
        actor = _actor()
        if actor is not None:
            vars(self)[_ATTRIBUTE] = deque([actor.stamp()])
        original(self)

    return release


def _acquires_lock(original: Callable[..., Any]) -> Callable[..., Any]:
    async def acquire(self: Any) -> Any:
        result = await original(self)
        _take(self)
        return result

    return acquire


def _releases_semaphore(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``Semaphore.release``: each token keeps the knowledge of whoever gave it back."""

    def release(self: Any) -> None:
        actor = _actor()
        if actor is not None:
            vars(self).setdefault(_ATTRIBUTE, deque()).append(actor.stamp())
        original(self)

    return release


def _acquires_semaphore(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``Semaphore.acquire``: tokens go first in, first out, the initial ones first."""

    async def acquire(self: Any) -> Any:
        result = await original(self)
        stamps: deque[Stamp] = vars(self).get(_ATTRIBUTE, deque())
        actor = _actor()
        if actor is not None and len(stamps) > self._value:
            actor.receive(stamps.popleft())
        return result

    return acquire


def _sets_event(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``Event.set``: only the call that changes it gives anything."""

    def set_(self: Any) -> None:
        actor = _actor()
        if actor is not None and not self._value:
            vars(self)[_ATTRIBUTE] = deque([actor.stamp()])
        original(self)

    return set_


def _looks_at_event(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``Event.is_set``: who sees True depends on whoever made it so."""

    def is_set(self: Any) -> Any:
        result = original(self)
        if result:
            _take(self)
        return result

    return is_set


def _take(owner: Any) -> None:
    stamps: deque[Stamp] | None = vars(owner).get(_ATTRIBUTE)
    if stamps:
        actor = _actor()
        if actor is not None:
            for stamp in stamps:
                actor.receive(stamp)


def _puts(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``Queue.put_nowait``: remember who gave each item, None if nobody of a run."""

    def method(self: Any, item: Any) -> Any:
        actor = _actor()
        result = original(self, item)
        # By identity, whatever order the queue has; the queue itself keeps the item alive.
        givers: dict[int, deque[Stamp | None]] = vars(self).setdefault(_ATTRIBUTE, {})
        givers.setdefault(id(item), deque()).append(None if actor is None else actor.stamp())
        return result

    return method


def _gets(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``Queue.get_nowait``: the taker depends on whoever put this item, and nobody else."""

    def method(self: Any) -> Any:
        item = original(self)
        givers: dict[int, deque[Stamp | None]] = vars(self).get(_ATTRIBUTE, {})
        stamps = givers.get(id(item))
        if stamps:
            # One object may have been put several times.
            stamp = stamps.pop() if isinstance(self, asyncio.LifoQueue) else stamps.popleft()
            if not stamps:
                del givers[id(item)]
            actor = _actor()
            if actor is not None and stamp is not None:
                actor.receive(stamp)
        if self.empty():
            givers.clear()  # of a queue that gives out other objects than it was given
        return item

    return method


def _ordered_as_completed(original: Callable[..., Any]) -> Callable[..., Any]:
    """Make ``as_completed`` start its coroutines in the order given, not in a set's."""

    def as_completed(fs: Iterable[Any], *, timeout: float | None = None) -> Any:
        if _actor() is None:
            return original(fs, timeout=timeout)
        if asyncio.isfuture(fs) or asyncio.iscoroutine(fs):
            raise TypeError(f"expect an iterable of futures, not {type(fs).__name__}")
        futures = [asyncio.ensure_future(item) for item in dict.fromkeys(fs)]
        return original(futures, timeout=timeout)

    return as_completed


def _ordered_all_tasks(original: Callable[..., Any]) -> Callable[..., Any]:
    """Make the set that ``all_tasks`` returns iterate alike, whatever other loops did before.

    asyncio collects it from a table of the whole process. Where numbers collide, a set's order is
    that of insertion; here it is that of creation.
    """

    def all_tasks(loop: Any = None) -> Any:
        found = original(loop)
        return set(sorted(found, key=hash)) if _ours(loop) else found  # noqa: C414 - see above

    return all_tasks


def _ours(loop: Any) -> bool:
    if loop is None:
        loop = asyncio._get_running_loop()  # no error where there is none
    return isinstance(loop, DeterministicLoop)


_WRAPPERS: list[tuple[Any, str, Callable[[Callable[..., Any]], Callable[..., Any]]]] = [
    (asyncio.Lock, "release", _releases_lock),
    (asyncio.Lock, "acquire", _acquires_lock),
    (asyncio.Semaphore, "release", _releases_semaphore),
    (asyncio.Semaphore, "acquire", _acquires_semaphore),
    (asyncio.Event, "set", _sets_event),
    (asyncio.Event, "wait", _acquires_lock),
    (asyncio.Event, "is_set", _looks_at_event),
    (asyncio.Queue, "put_nowait", _puts),
    (asyncio.Queue, "get_nowait", _gets),
    (asyncio, "as_completed", _ordered_as_completed),
    (asyncio.tasks, "as_completed", _ordered_as_completed),
    (asyncio, "all_tasks", _ordered_all_tasks),
    (asyncio.tasks, "all_tasks", _ordered_all_tasks),
]


class _OrderedSet(dict[Any, None]):
    """A set that iterates in order of insertion, for the two sets of anyio's CancelScope."""

    def add(self, item: Any) -> None:
        """Add an item."""
        self[item] = None

    def remove(self, item: Any) -> None:
        """Remove an item that is there."""
        del self[item]

    def discard(self, item: Any) -> None:
        """Remove an item if it is there."""
        self.pop(item, None)

    def __iter__(self) -> Iterator[Any]:
        return super().__iter__()


def patch_anyio() -> bool:
    """Order the sets inside anyio's cancel scopes, once anyio is there; return whether it is."""
    with _Installed.lock:
        return _patch_anyio()


def _patch_anyio() -> bool:
    if _Installed.anyio:
        return True
    backend = sys.modules.get("anyio._backends._asyncio")
    if backend is None:
        return False
    scope = getattr(backend, "CancelScope", None)
    if scope is None:
        # Still being imported.
        return False
    original = scope.__init__

    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **options: Any) -> None:  # noqa: N807
        original(self, *args, **options)
        if _actor() is not None:
            self._tasks = _OrderedSet.fromkeys(self._tasks)
            self._child_scopes = _OrderedSet.fromkeys(self._child_scopes)

    scope.__init__ = __init__
    _Installed.anyio = True
    return True
