"""Worker threads of the schedule: what ``run_in_executor`` and ``to_thread`` run on.

They are threads of the schedule, so synchronous code that calls back into the loop and waits for
the answer works. An idle worker is used again, last in first out. There is no bound on them: how
many processors a machine has must not show in a run.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from replay.scheduler.ports import Halted

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.scheduler.core import Participant
    from replay.scheduler.loop import DeterministicLoop
    from replay.scheduler.tasks import Future
    from replay.scheduler.threads import Threads

__all__ = ["Workers", "run_in_worker"]

T = TypeVar("T")
# The program's threading may be patched later; the engine starts its own threads with these.
_Thread = threading.Thread
_start = threading.Thread.start


class _Worker:
    """One worker: its participant and its jobs."""

    def __init__(self) -> None:
        self.participant: Participant
        self.jobs: deque[Callable[[], None]] = deque()


class Workers:
    """The worker threads of one run."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._scheduler = threads.scheduler
        self._idle: list[_Worker] = []
        self._count = 0

    def submit(self, job: Callable[[], None]) -> None:
        """Run a job on an idle worker, or on a new one."""
        scheduler = self._scheduler
        worker = self._idle.pop() if self._idle else self._start()
        worker.participant.actor.receive(scheduler.actor().stamp())
        worker.jobs.append(job)
        scheduler.wake(worker.participant)

    def shut_down(self) -> None:
        """End the worker threads; called by the main thread at the end of a run."""
        self._scheduler.release_threads()
        self._idle.clear()

    def _start(self) -> _Worker:
        worker = _Worker()
        name = f"asyncio_{self._count}"
        self._count += 1

        def launch(body: Callable[[], None]) -> None:
            _start(_Thread(target=body, name=name, daemon=True))

        started, _ = self._threads.start(
            lambda: self._work(worker), "executor", launch, waited_for=False
        )
        worker.participant = started.participant
        return worker

    def _work(self, worker: _Worker) -> None:
        while True:
            self._scheduler.wait(worker.jobs)
            worker.jobs.popleft()()
            self._idle.append(worker)


def run_in_worker(
    workers: Workers,
    loop: DeterministicLoop,
    func: Callable[..., T],
    args: tuple[Any, ...],
) -> Future[T]:
    """Run a function on a worker thread; the future completes in schedule order."""
    future: Future[T] = loop.create_future()

    def job() -> None:
        if not future.cancelled():
            try:
                result = func(*args)
            except Halted:
                raise
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
                loop.job_ended(_settle, future, None, error)
                return
            loop.job_ended(_settle, future, result, None)
        else:
            loop.job_ended(_settle, future, None, None)

    loop.job_started()
    workers.submit(job)
    return future


def _settle(future: Future[T], result: T, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    elif isinstance(error, StopIteration):
        future.set_exception(RuntimeError("StopIteration interacts badly with futures"))
    else:
        future.set_exception(error)
