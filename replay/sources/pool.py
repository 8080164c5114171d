"""A pool of threads for synchronous effects and name look-ups: bounded, and nobody waits for it.

`ThreadPoolExecutor`'s own threads are joined when the process ends, so one effect that is stuck
would keep it. These are daemon threads: what they do is on record as a question without an answer.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from replay.own_locks import OwnCondition

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["THREADS_MAX", "DaemonPool"]

P = ParamSpec("P")
T = TypeVar("T")

#: Synchronous effects of all runs of the process that can be under way at once; more wait in line.
THREADS_MAX: Final = 64

# The program's own threading is answered by the run; the engine starts threads with these.
_Thread: Final = threading.Thread
_start: Final = threading.Thread.start


class DaemonPool(ThreadPoolExecutor):
    """An executor whose threads end with the process, whatever they do.

    It is a `ThreadPoolExecutor` because event loops take no other as their default one; nothing of
    that class is used. A thread that is free is used again, the one that was freed last.
    """

    def __init__(self, name: str, threads_max: int = THREADS_MAX) -> None:
        super().__init__(max_workers=threads_max)
        self._name = name
        self._condition = OwnCondition()
        self._jobs: deque[Callable[[], None]] = deque()
        self._free = 0
        self._started = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Let a thread call a function as soon as one is free."""
        future: Future[T] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._condition:
            self._jobs.append(job)
            if self._free >= len(self._jobs):
                self._condition.notify()
            elif self._started < self._max_workers:
                self._started += 1
                name = f"{self._name}-{self._started}"
                _start(_Thread(target=self._work, name=name, daemon=True))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the base class's
        """Do nothing: the pool lives as long as the process."""

    def _work(self) -> None:
        while True:
            with self._condition:
                self._free += 1
                while not self._jobs:
                    self._condition.wait()
                self._free -= 1
                job = self._jobs.popleft()
            job()
            del job  # it holds what it was called with
