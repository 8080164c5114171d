"""What the runs of one process share: who may be on stage together, and the garbage of all.

A run on the main thread is *alone*: it collects garbage at counted idle points, finalizers run as
its program. Runs on other threads are *shared*: they overlap, and one's garbage must never be
finalized by another's program. So no thread of a shared run ever collects; while one is on stage,
the engine collects on a thread of its own, which belongs to no run.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from _thread import get_ident
from typing import TYPE_CHECKING, Final

from replay.doors.context import bound
from replay.errors import UsageError
from replay.own_locks import OwnCondition, OwnLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replay.doors.context import DoorContext
    from replay.guard.process import Side

__all__ = ["is_shared_thread", "on_stage", "shared_heap", "side_of"]

# The program's own threading is answered by the run; the engine starts threads with these.
_Thread: Final = threading.Thread
_start: Final = threading.Thread.start

#: Objects made and not freed since the last collection above which the engine collects.
_COLLECT_ABOVE: Final = 50_000
#: Every so many collections all generations are looked at.
_FULL_EVERY: Final = 10
_LOOK_EVERY_S: Final = 0.25


def is_shared_thread() -> bool:
    """Return whether a run on the calling thread shares the process with others."""
    return get_ident() != threading.main_thread().ident


class _Stage:
    """Who is on stage now. Process-wide, as the heap and the doors are."""

    def __init__(self) -> None:
        self.lock = OwnLock()
        self.alone = False
        self.shared = 0


@contextlib.contextmanager
def on_stage() -> Iterator[bool]:
    """Take a place on stage; gives whether it is shared.

    Raises:
        UsageError: another run is on stage, and this one or that one has to be alone.
    """
    shared = is_shared_thread()
    with _STAGE.lock:
        if _STAGE.alone or (_STAGE.shared and not shared):
            raise UsageError(
                "another run is under way in this process",
                hint="runs overlap if each is awaited in a running event loop, or has a thread "
                "that is not the main one",
            )
        if shared:
            _STAGE.shared += 1
        else:
            _STAGE.alone = True
    try:
        yield shared
    finally:
        with _STAGE.lock:
            if shared:
                _STAGE.shared -= 1
            else:
                _STAGE.alone = False


class _Collector:
    """The engine's thread that collects while the interpreter must not."""

    def __init__(self) -> None:
        self._condition = OwnCondition()
        self._users = 0
        self._enabled_before = False
        self._rounds = 0
        self.ident = 0

    def enter(self) -> None:
        """Let only the engine's thread collect from now on."""
        with self._condition:
            self._users += 1
            if self._users > 1:
                return
            self._enabled_before = gc.isenabled()
            gc.disable()
            if not self.ident:
                self.ident = -1
                _start(_Thread(target=self._run, name="ritornello-collector", daemon=True))
            self._condition.notify()

    def leave(self) -> None:
        """Undo one :meth:`enter`; the last one gives collection back to the interpreter."""
        with self._condition:
            self._users -= 1
            if not self._users and self._enabled_before:
                gc.enable()

    def _run(self) -> None:
        self.ident = get_ident()
        while True:
            with self._condition:
                while not self._users:
                    self._condition.wait()
                self._condition.wait(_LOOK_EVERY_S)
                wanted = self._users and self._enabled_before
            if wanted and gc.get_count()[0] > _COLLECT_ABOVE:
                self._rounds += 1
                gc.collect(2 if self._rounds % _FULL_EVERY == 0 else 1)


@contextlib.contextmanager
def shared_heap() -> Iterator[None]:
    """Keep every collection of garbage off the threads of the program while entered."""
    _COLLECTOR.enter()
    try:
        yield
    finally:
        _COLLECTOR.leave()


def side_of(context: DoorContext, *, shared: bool) -> Callable[[], Side]:
    """Return what tells a guard whose code the calling thread runs.

    Of a replay that shares the process, other threads are none of its guard's business, but for
    the one that runs finalizers.

    Args:
        context: the replayed run.
        shared: whether other code of the process goes on meanwhile.
    """

    def side() -> Side:
        if bound() is context:
            return "engine" if context.scheduler.inside else "program"
        return "other" if shared and get_ident() != _COLLECTOR.ident else "program"

    return side


_STAGE: Final = _Stage()
_COLLECTOR: Final = _Collector()
