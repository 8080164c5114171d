"""How a thread of the schedule blocks: on time, on a lock, on a queue.

The lock or queue itself stays the real one and keeps its own state; a thread that would have to
wait for it gives up the baton instead, and is woken, first come first served, by whoever lets go.
What the one who let go knew is handed over with it. All waiting is in scheduler time.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from replay.scheduler.ports import FAR

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.scheduler.actor import Stamp
    from replay.scheduler.core import Participant, Scheduler

__all__ = ["Alarm", "LockTable", "QueueTable", "arm", "sleep"]

_TIMEOUT_MAX: Final = threading.TIMEOUT_MAX


class Alarm:
    """A timer of a thread: puts a mark into what the thread waits for."""

    __slots__ = ("_marks", "_participant", "_scheduler", "_stopped", "rang")

    def __init__(
        self, scheduler: Scheduler, participant: Participant, marks: deque[object]
    ) -> None:
        self._scheduler = scheduler
        self._participant = participant
        self._marks = marks
        self._stopped = False
        #: Whether it fired.
        self.rang = False

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
        self._stopped = self.rang = True
        self._marks.append(self)
        self._scheduler.wake(self._participant)


def arm(
    scheduler: Scheduler, participant: Participant, marks: deque[object], seconds: float
) -> Alarm:
    """Set an alarm for a thread; one that is too far away never rings."""
    alarm = Alarm(scheduler, participant, marks)
    deadline = scheduler.deadline(scheduler.time() + seconds)
    if deadline < FAR:
        scheduler.timers.add(deadline, alarm)
    return alarm


def sleep(scheduler: Scheduler, seconds: float) -> None:
    """Block the calling thread for a time; other participants run meanwhile."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    marks: deque[object] = deque()
    alarm = Alarm(scheduler, scheduler.current, marks)
    deadline = scheduler.deadline(scheduler.time() + seconds)
    if deadline >= FAR:
        raise OverflowError("timestamp too large to convert to C PyTime_t")
    scheduler.count_turn()
    scheduler.timers.add(deadline, alarm)
    scheduler.wait(marks)


class _Waiter:
    """A thread in line."""

    __slots__ = ("marks", "participant")

    def __init__(self, participant: Participant) -> None:
        self.participant = participant
        self.marks: deque[object] = deque()


class _State:
    """What the schedule knows about one lock or queue."""

    __slots__ = ("held", "reference", "stamp", "stamps", "waiters")

    def __init__(self, reference: weakref.ref[Any]) -> None:
        self.reference = reference
        #: Whether a thread of the schedule took it. A lock that is locked and not held is in the
        #: hands of a thread outside, and waiting for that one is a real wait.
        self.held = False
        self.stamp: Stamp | None = None
        self.stamps: deque[Stamp] = deque()
        self.waiters: deque[_Waiter] = deque()


class _Table:
    """States by the identity of an object, each for as long as the object lives."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._states: dict[int, _State] = {}

    def _state(self, thing: object) -> _State:
        key = id(thing)
        state = self._states.get(key)
        if state is None:
            states = self._states

            # Before the memory is given to another object, so no state outlives its own.
            def forget(_: object) -> None:
                states.pop(key, None)

            state = states[key] = _State(weakref.ref(thing, forget))
        return state

    def _wake_next(self, state: _State) -> None:
        if state.waiters:
            waiter = state.waiters.popleft()
            waiter.marks.append(True)
            self._scheduler.wake(waiter.participant)

    def _wait(self, state: _State, timeout: float | None, attempt: Callable[[], bool]) -> bool:
        """Wait in line until an attempt succeeds; return False after the time-out."""
        scheduler = self._scheduler
        waiter = _Waiter(scheduler.current)
        alarm = None
        if timeout is not None:
            alarm = arm(scheduler, waiter.participant, waiter.marks, timeout)
        state.waiters.append(waiter)
        try:
            while True:
                scheduler.wait(waiter.marks)
                waiter.marks.clear()
                if attempt():
                    return True
                if alarm is not None and alarm.rang:
                    return False
                if waiter not in state.waiters:
                    state.waiters.appendleft(waiter)  # somebody was faster; the place is kept
        except BaseException:
            # An interrupted thread may have been the one that was woken.
            if waiter not in state.waiters and not state.held:
                self._wake_next(state)
            raise
        finally:
            if waiter in state.waiters:
                state.waiters.remove(waiter)
            if alarm is not None:
                alarm.cancel()


class LockTable(_Table):
    """Locks of one run: ``_thread.lock`` and ``_thread.RLock``."""

    def acquire(
        self,
        lock: Any,
        real: Callable[..., bool],
        blocking: bool = True,  # noqa: FBT001, FBT002 - the signature of the lock
        timeout: float = -1,
    ) -> bool:
        """Take a lock as ``real`` does, waiting in the schedule.

        Args:
            lock: the lock.
            real: its own method, which takes the lock first.
            blocking: whether to wait.
            timeout: seconds to wait at most, -1 for ever.
        """
        if real(lock, False):
            self._taken(lock)
            return True
        if not blocking or timeout == 0:
            self._scheduler.pass_turn()
            return self._attempt(lock, real) or real(lock, blocking, timeout)
        if timeout != -1 and not 0 < timeout <= _TIMEOUT_MAX:
            return real(lock, True, timeout)  # which says what is wrong with it
        state = self._states.get(id(lock))
        if state is None or not state.held:
            return real(lock, True, timeout)
        return self._wait(
            state, None if timeout == -1 else timeout, lambda: self._attempt(lock, real)
        )

    def released(self, lock: Any) -> None:
        """Let the first in line go on; the lock was let go by the running thread."""
        state = self._states.get(id(lock))
        if state is None:
            return
        state.held = False
        scheduler = self._scheduler
        if len(scheduler.participants) > 1:
            state.stamp = scheduler.actor().stamp()
        self._wake_next(state)

    def _attempt(self, lock: Any, real: Callable[..., bool]) -> bool:
        if real(lock, False):
            self._taken(lock)
            return True
        return False

    def _taken(self, lock: Any) -> None:
        state = self._states.get(id(lock)) or self._state(lock)
        state.held = True
        if state.stamp is not None:
            self._scheduler.actor().receive(state.stamp)


class QueueTable(_Table):
    """``queue.SimpleQueue`` objects of one run; other queues are made of locks."""

    def get(
        self,
        queue: Any,
        real: Callable[..., Any],
        block: bool = True,  # noqa: FBT001, FBT002 - the signature of the queue
        timeout: float | None = None,
    ) -> Any:
        """Take an item as ``real`` does, waiting in the schedule.

        Raises:
            queue.Empty: there is none, or none came in time.
        """
        if queue.empty() and not block:
            self._scheduler.pass_turn()
        if queue.empty() and block and (timeout is None or timeout > 0):
            self._wait(self._state(queue), timeout, lambda: not queue.empty())
        elif timeout is not None and block and timeout < 0:
            return real(queue, block, timeout)  # which says what is wrong with it
        before = queue.qsize()
        item = real(queue, False)
        state = self._states.get(id(queue))
        # Items from before the run, or from outside, carry no knowledge; they stand in front.
        if state is not None and state.stamps and len(state.stamps) == before:
            self._scheduler.actor().receive(state.stamps.popleft())
        return item

    def put(self, queue: Any, real: Callable[..., Any], item: object) -> None:
        """Add an item and let the first in line go on."""
        real(queue, item)
        state = self._state(queue)
        scheduler = self._scheduler
        state.stamps.append(scheduler.actor().stamp())
        self._wake_next(state)
