"""Worker threads of the schedule: what ``run_in_executor`` and ``to_thread`` run on.

They are real threads that take turns by the baton, so synchronous code that calls back into the
loop and waits for the answer works. An idle worker is used again, last in first out.
"""

from __future__ import annotations

import concurrent.futures
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from replay.scheduler.actor import Actor
from replay.scheduler.core import ACTOR, Participant, Scheduler
from replay.scheduler.ports import FAR, Halted

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.scheduler.loop import DeterministicLoop
    from replay.scheduler.tasks import Future

__all__ = ["Alarm", "Workers", "run_in_worker", "sleep", "wait_for_result"]

T = TypeVar("T")
# The program's threading may be patched later; the engine starts its own threads with these.
_Thread = threading.Thread
_start = threading.Thread.start


class _Worker:
    """One worker: its participant and its jobs."""

    def __init__(self, participant: Participant) -> None:
        self.participant = participant
        self.jobs: deque[Callable[[], None]] = deque()


class Workers:
    """The worker threads of one run."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._idle: list[_Worker] = []
        #: Called on each new thread before it runs anything of the program.
        self.on_start: Callable[[], None] = lambda: None
        #: Called on it when it ends: the system gives its number to other threads.
        self.on_end: Callable[[], None] = lambda: None

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
        scheduler = self._scheduler
        actor = Actor(scheduler.actor(), len(scheduler.participants))
        participant = Participant(len(scheduler.participants), actor)
        # Recorded first: a replay may stop here, and then there is no thread to wait for.
        scheduler.ledger.thread_started(actor, "executor")
        scheduler.participants.append(participant)
        worker = _Worker(participant)
        thread = _Thread(
            target=self._work,
            args=(worker,),
            name=f"ritornello-worker-{participant.number}",
            daemon=True,
        )
        _start(thread)
        return worker

    def _work(self, worker: _Worker) -> None:
        scheduler = self._scheduler
        try:
            scheduler.join(worker.participant)
            self.on_start()
            ACTOR.set(worker.participant.actor)
            while True:
                scheduler.wait(worker.jobs)
                worker.jobs.popleft()()
                self._idle.append(worker)
        except Halted:
            # The verdict is fixed; the main thread raises it. This thread just goes.
            pass
        except BaseException as error:  # noqa: BLE001 - a thread that keeps the baton hangs all
            scheduler.halt(error)
        self.on_end()
        scheduler.leave()


def run_in_worker(
    workers: Workers,
    loop: DeterministicLoop,
    executor: object,
    func: Callable[..., T],
    args: tuple[Any, ...],
) -> Future[T]:
    """Run a function on a worker thread; the future completes in schedule order."""
    if executor is not None and not isinstance(executor, concurrent.futures.ThreadPoolExecutor):
        raise RuntimeError(
            f"{type(executor).__name__} runs code outside the schedule; use threads or an effect"
        )
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


class Alarm:
    """A timer of a thread: puts a mark into what the thread waits for."""

    __slots__ = ("_marks", "_participant", "_scheduler", "_stopped")

    def __init__(
        self, scheduler: Scheduler, participant: Participant, marks: deque[object]
    ) -> None:
        self._scheduler = scheduler
        self._participant = participant
        self._marks = marks
        self._stopped = False

    def cancelled(self) -> bool:
        """Return whether the thread no longer waits."""
        return self._stopped

    def cancel(self) -> None:
        """Stop waiting for this alarm."""
        if not self._stopped:
            self._stopped = True
            self._scheduler.timers.note_cancelled()

    def fire(self) -> None:
        """Wake the thread."""
        self._stopped = True
        self._marks.append(self)
        self._scheduler.wake(self._participant)


def sleep(scheduler: Scheduler, seconds: float) -> None:
    """Block the calling thread for a time; other participants run meanwhile."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    marks: deque[object] = deque()
    alarm = Alarm(scheduler, scheduler.current, marks)
    deadline = scheduler.deadline(scheduler.time() + seconds)
    if deadline >= FAR:
        raise OverflowError("timestamp too large to convert to C PyTime_t")
    # Who sleeps for no time again and again stops the clock; this lets inputs in, as callbacks do.
    scheduler.ran += 1
    if scheduler.ran >= scheduler.limit:
        scheduler.busy()
    scheduler.timers.add(deadline, alarm)
    scheduler.wait(marks)


def wait_for_result(
    scheduler: Scheduler, future: concurrent.futures.Future[Any], timeout: float | None
) -> bool:
    """Block the calling thread until a concurrent future is done; return whether it is."""
    if future.done():
        return True
    marks: deque[object] = deque()
    participant = scheduler.current

    def done(_: concurrent.futures.Future[Any]) -> None:
        participant.actor.receive(scheduler.actor().stamp())
        marks.append(True)
        scheduler.wake(participant)

    future.add_done_callback(done)
    alarm = None
    if timeout is not None:
        alarm = Alarm(scheduler, participant, marks)
        scheduler.timers.add(scheduler.deadline(scheduler.time() + timeout), alarm)
    scheduler.wait(marks)
    if alarm is not None:
        alarm.cancel()
    return future.done()
