"""Threads of the schedule: started by the program or for it, one running at a time.

Each is a real thread that holds the baton while it runs. A thread that ends hands what it knew to
whoever joins it.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING, Any

from replay.scheduler.actor import Actor
from replay.scheduler.blocking import LockTable, QueueTable, arm
from replay.scheduler.core import ACTOR, Participant
from replay.scheduler.ports import Halted

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.scheduler.core import Scheduler

__all__ = ["Started", "Threads"]


class Started:
    """A thread that was started in the schedule.

    Attributes:
        participant: its place in the schedule.
        ended: whether all it did is done.
    """

    __slots__ = ("ended", "joiners", "participant")

    def __init__(self, participant: Participant) -> None:
        self.participant = participant
        self.ended = False
        self.joiners: list[tuple[Participant, deque[object]]] = []


class Threads:
    """The threads of one run, and what they wait on."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.locks = LockTable(scheduler)
        self.queues = QueueTable(scheduler)
        #: Numbers in the names that Python gives to threads and to thread pools.
        self.thread_numbers = itertools.count(1)
        self.pool_numbers = itertools.count()
        #: Called before a thread is started, in the engine.
        self.on_second: Callable[[], None] = lambda: None
        #: Called on each new thread before it runs anything of the program, and when it ends.
        self.on_start: Callable[[], None] = lambda: None
        self.on_end: Callable[[], None] = lambda: None
        #: Makes what stands about the program's end wait: thread pools are shut down here.
        self.before_end: list[Callable[[], None]] = []
        #: Threads that have not ended and without which the program does not end.
        self._waited_for: list[Started] = []

    def start(
        self,
        run: Callable[[], object],
        label: str,
        launch: Callable[[Callable[[], None]], object],
        *,
        waited_for: bool,
    ) -> tuple[Started, Any]:
        """Start a thread in the schedule; it runs when its turn comes.

        Args:
            run: what runs on it.
            label: its name among its siblings, for the record.
            launch: starts a real thread that calls what it is given.
            waited_for: whether the program does not end before the thread does.

        Returns:
            The thread, and what ``launch`` returned.
        """
        scheduler = self.scheduler
        number = scheduler.joined
        actor = Actor(scheduler.actor(), number)
        participant = Participant(number, actor)
        # Recorded first: a replay may stop here, and then there is no thread to wait for.
        scheduler.ledger.thread_started(actor, label)
        started = Started(participant)

        def body() -> None:
            self._body(started, run)

        scheduler.joined += 1
        scheduler.participants.append(participant)
        before, scheduler.inside = scheduler.inside, True
        try:
            self.on_second()
            launched = launch(body)
        except BaseException:
            participant.alive = False
            scheduler.participants.remove(participant)
            started.ended = True
            raise
        finally:
            scheduler.inside = before
        if waited_for:
            self._waited_for.append(started)
        scheduler.wake(participant)
        return started, launched

    def _body(self, started: Started, run: Callable[[], object]) -> None:
        scheduler = self.scheduler
        error: BaseException | None = None
        try:
            scheduler.join(started.participant)
            self.on_start()
            ACTOR.set(started.participant.actor)
            try:
                run()
            except Halted:
                raise
            except BaseException as raised:  # noqa: BLE001 - it is raised again, outside
                error = raised
            scheduler.ledger.ended(started.participant.actor, error)
        except Halted:
            # The verdict is fixed; the main thread raises it. This thread just goes.
            error = None
        except BaseException as failed:  # noqa: BLE001 - a thread that keeps the baton hangs all
            scheduler.halt(failed)
        started.ended = True
        if started in self._waited_for:
            self._waited_for.remove(started)
        for participant, marks in started.joiners:
            marks.append(True)
            scheduler.wake(participant)
        self.on_end()
        scheduler.leave(started.participant)
        if error is not None:
            raise error

    def wait_end(self, started: Started, timeout: float | None) -> bool:
        """Block the calling thread until another has ended; return whether it has."""
        scheduler = self.scheduler
        if not started.ended:
            if timeout is not None and timeout <= 0:
                scheduler.pass_turn()
                return started.ended
            marks: deque[object] = deque()
            me = scheduler.current
            started.joiners.append((me, marks))
            alarm = None if timeout is None else arm(scheduler, me, marks, timeout)
            try:
                scheduler.wait(marks)
            finally:
                if alarm is not None:
                    alarm.cancel()
                if not started.ended:
                    started.joiners.remove((me, marks))
        if started.ended:
            scheduler.actor().receive(started.participant.actor.stamp())
        return started.ended

    def finish(self) -> None:
        """Wait for what the program does not end without; called on its main thread."""
        while self.before_end:
            self.before_end.pop(0)()
        while self._waited_for:  # which may grow meanwhile
            self.wait_end(self._waited_for[0], None)
        if self.before_end:
            self.finish()
