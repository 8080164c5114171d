"""Thread pools and their futures, as far as they are more than threads and locks.

Futures hash by creation number: sets of them stand in ``concurrent.futures.wait`` and
``as_completed``. A pool whose threads belong to another run, or to none, would run a function
outside the schedule and is refused. At its end a run shuts down the pools that it used, as Python
does when it exits.
"""

from __future__ import annotations

import functools
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from replay.doors.context import DoorContext, current
from replay.doors.counted import CountedDoor
from replay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PoolDoor"]

_RUN: Final = "_ritornello_run"
_NUMBER: Final = "_ritornello_number"


class PoolDoor(CountedDoor):
    """``ThreadPoolExecutor`` and ``concurrent.futures.Future``."""

    def put(self) -> None:
        """Put the doors in."""
        self._submit = ThreadPoolExecutor.submit
        self._counter: Callable[[], int] = vars(ThreadPoolExecutor)["_counter"]
        setattr(ThreadPoolExecutor, "submit", _submits(self._submit))  # noqa: B010
        setattr(ThreadPoolExecutor, "_counter", staticmethod(_counts(self._counter)))  # noqa: B010
        _number_futures()

    def take_back(self) -> None:
        """Take them out."""
        setattr(ThreadPoolExecutor, "submit", self._submit)  # noqa: B010
        setattr(ThreadPoolExecutor, "_counter", self._counter)  # noqa: B010


def _submits(real: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(real)
    def submit(pool: Any, function: Any, /, *args: Any, **options: Any) -> Any:
        context = current()
        if context is not None:
            _adopt(pool, context)
        return real(pool, function, *args, **options)

    return submit


def _adopt(pool: Any, context: DoorContext) -> None:
    """Make a pool one of the run's."""
    marked = vars(pool).get(_RUN)
    if marked is not None and marked() is context:
        return
    if pool._threads:
        raise UsageError(
            "a thread pool has threads outside of the run",
            hint="make the pool in the program that is recorded, or wrap its use in an effect",
        )
    vars(pool)[_RUN] = weakref.ref(context)
    reference = weakref.ref(pool)
    context.threads.before_end.append(lambda: _shut_down(reference))


def _shut_down(reference: weakref.ref[Any]) -> None:
    """End a pool's threads; the pool itself may be used again by another run."""
    pool = reference()
    if pool is None:
        return
    closed = pool._shutdown
    pool.shutdown(wait=True)
    vars(pool).pop(_RUN, None)
    if not closed:
        pool._threads.clear()
        pool._shutdown = False
        while not pool._work_queue.empty():
            pool._work_queue.get_nowait()  # what told the threads to end
        while pool._idle_semaphore.acquire(blocking=False):
            pass


def _counts(real: Callable[[], int]) -> Callable[[], int]:
    def counter() -> int:
        context = current()
        return real() if context is None else next(context.threads.pool_numbers)

    return counter


def _number_futures() -> None:
    """Let futures hash by number, for good: a hash must not change while a set holds it."""
    if "__hash__" in vars(Future):
        return
    real_init = Future.__init__

    def __hash__(future: Future[Any]) -> int:  # noqa: N807
        number: int | None = vars(future).get(_NUMBER)
        return object.__hash__(future) if number is None else number

    def __init__(future: Any) -> None:  # noqa: N807
        context = current()
        if context is not None:
            vars(future)[_NUMBER] = context.scheduler.number()
        real_init(future)

    setattr(Future, "__hash__", __hash__)  # noqa: B010 - mypy knows they are methods
    setattr(Future, "__init__", __init__)  # noqa: B010
