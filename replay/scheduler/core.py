"""The scheduler: participants, the baton, time, and what happens when nobody can run.

Rules
    1. Exactly one participant holds the baton; it gives it up only inside :meth:`Scheduler.wait`.
    2. When no participant can run, either the earliest timer fires or one input enters; then
       everything runs until idle again. Timers with a deadline up to an input's time fire before
       it, one at a time.
    3. A program that does not idle within a number of callbacks gets one input anyway.
    4. All of the above is a function of the inputs. Nothing here reads a clock.
"""

from __future__ import annotations

import gc
import sys
from _thread import get_ident
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Literal

from replay.own_locks import OwnLock
from replay.scheduler.actor import Actor
from replay.scheduler.ports import FAR, Halted, Inputs, Ledger, Nudged, Stalled
from replay.scheduler.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable, Sized

__all__ = ["ACTOR", "Participant", "Scheduler", "Trigger"]

Trigger = Literal["start", "delivery", "timer", "busy"]

#: The actor whose code runs in this context. Tasks set it in their own context, and a callback
#: runs in the context of whoever registered it, so it is part of that actor's program.
ACTOR: ContextVar[Actor] = ContextVar("ritornello_actor")


#: Looks of threads at what others may change, in a row, after which these have a turn.
_LOOKS_A_TURN: Final = 64
#: How long a thread may take to end once the run has, seconds.
_END_S: Final = 2.0


class Participant:
    """A thread that takes part in the schedule.

    Attributes:
        number: order of creation; 0 is the main thread.
        actor: the owner of records made outside any task of this thread.
        loops: event loops running on this thread, innermost last.
    """

    __slots__ = ("actor", "alive", "gate", "ident", "loops", "number", "queued")

    def __init__(self, number: int, actor: Actor) -> None:
        self.number = number
        self.actor = actor
        self.loops: list[object] = []
        self.queued = False
        self.alive = True
        self.ident = 0
        self.gate = OwnLock()
        self.gate.acquire()


class Scheduler:
    """Runs one program deterministically; see the rules in the module docstring.

    Args:
        inputs: where delivered inputs come from.
        ledger: who is told of tasks and threads.
        start: claimed time at the start, microseconds since the Unix epoch.
        monotonic: the monotonic clock at that moment, microseconds.
        collect_every: idle points between two garbage collections; 0 for none.
        collect_full_every: collections of which one is full; the others leave what is old alone.
        keep_from: the idle point from which what was made before is left alone by all of them, 0
            for none: a program has imported what it needs when it idles for the first time.
    """

    def __init__(
        self,
        inputs: Inputs,
        ledger: Ledger,
        *,
        start: int,
        monotonic: int,
        collect_every: int,
        collect_full_every: int = 1,
        keep_from: int = 0,
    ) -> None:
        self.inputs = inputs
        self.ledger = ledger
        self.timers = Timers()
        self.now = start
        self.root = Actor(None, 0)
        self.root.number = 0
        #: Those that have not ended, the main thread first; and how many there were.
        self.participants = [Participant(0, self.root)]
        self.joined = 1
        self.participants[0].ident = get_ident()
        self.current = self.participants[0]
        #: What set the program going: "start", "delivery", "timer" or "busy".
        self.trigger: Trigger = "start"
        #: Callbacks since the last delivery, and the count at which to look for an input.
        self.ran = 0
        self.limit = FAR
        #: Whether a spawn is announced and not yet recorded.
        self.unsettled = False
        #: Set while engine code runs on a participant's thread: the doors let it through.
        self.inside = False
        self.halted: BaseException | None = None
        #: The thread that seals a run whose program was stopped, 0 before.
        self.sealing = 0
        #: Idle points between two collections, 0 for none; and whether they are really made,
        #: which must not be where other runs share the heap.
        self.collect_every = collect_every
        self.collects = True
        self._keep_from = keep_from
        self._full_every = collect_every * collect_full_every
        #: The last creation number; see :meth:`number`.
        self.numbers = 0
        #: Turns that were handed on, for whoever watches from outside.
        self.turns = 0
        #: What the main thread does before it goes on: the program's handlers of signals.
        self.interrupts: deque[Callable[[], None]] = deque()
        #: Takes a signal that entered; set by whoever keeps the program's handlers.
        self.signalled: Callable[[str], None] = lambda _: None
        #: Told of a connection that a loop is asked for; stops the run.
        self.connecting: Callable[[str], None] = lambda _: None
        #: Called at idle points after an import until it returns True: libraries come late.
        self.late_patches: list[Callable[[], bool]] = []
        self._offset = start - monotonic
        self._acting: Actor | None = None
        self._runnable: deque[Participant] = deque()
        self._looks = 0
        self._idle_points = 0
        self._collected_before = True
        self._modules = 0

    # --- identity -----------------------------------------------------------------------------

    def number(self) -> int:
        """Return the next creation number; tasks and futures hash by it."""
        self.numbers += 1
        return self.numbers

    def actor(self) -> Actor:
        """Return whose code is running."""
        if self._acting is not None:
            return self._acting
        participant = self.current
        return ACTOR.get(participant.actor) if participant.loops else participant.actor

    def owns_this_thread(self) -> bool:
        """Return whether the calling thread holds the baton and runs the program's code."""
        return self.current.ident == get_ident() and not self.inside

    # --- time ---------------------------------------------------------------------------------

    def time(self) -> float:
        """Return loop time in seconds, on the epoch of the monotonic clock."""
        return (self.now - self._offset) / 1_000_000

    def deadline(self, when: float) -> int:
        """Return the claimed time, in microseconds, of a loop time in seconds."""
        if when >= FAR / 2_000_000:
            return FAR
        earliest = int(when * 1_000_000)
        # Compared as a program compares: the product rounds, its ceiling may lie before `when`.
        while earliest / 1_000_000 < when:
            earliest += 1
        return self._offset + earliest

    def move_clock(self, time: int) -> None:
        """Move loop time forward to a clock reading."""
        self.now = max(self.now, time)

    # --- the baton ----------------------------------------------------------------------------

    def wake(self, participant: Participant) -> None:
        """Let a waiting participant look again at what it waits for."""
        if not participant.queued and participant is not self.current:
            participant.queued = True
            self._runnable.append(participant)

    def wait(self, ready: Sized) -> None:
        """Give up the baton until ``ready`` is not empty. Called by the holder only."""
        me = self.current
        while True:
            if self.interrupts:
                self.interrupt()
            if ready:
                return
            if self.halted is not None:
                raise Halted from self.halted
            if self._runnable:
                self._hand_to(self._next(), me)
            else:
                try:
                    self._advance()
                except Stalled as stalled:
                    # Whichever thread happened to look; the verdict is the whole program's.
                    self.halt(stalled)

    def interrupt(self) -> None:
        """Run the program's signal handlers, if this is its main thread; they may raise."""
        while self.interrupts and self.current.number == 0 and self.halted is None:
            self.interrupts.popleft()()

    def count_turn(self) -> None:
        """Count a turn of a thread that looks again and again; inputs enter as into a busy loop.

        Raises:
            Halted: the run was stopped; nothing enters any more.
        """
        if self.halted is not None:
            raise Halted from self.halted
        self.ran += 1
        if self.ran >= self.limit:
            self.busy()

    def pass_turn(self) -> None:
        """Let others run first: the running thread asked for what was not there, and asks again."""
        self.count_turn()
        me = self.current
        if self._runnable:
            me.queued = True
            self._runnable.append(me)
            self._hand_to(self._next(), me)
        if self.halted is not None:
            raise Halted from self.halted
        if self.interrupts:
            self.interrupt()

    def looked(self) -> None:
        """Count a look at something that another thread may change, a clock or a flag.

        A thread that looks again and again waits for that; the others have their turn now and then.
        """
        if len(self.participants) > 1:
            self._looks += 1
            if self._looks >= _LOOKS_A_TURN:
                self._looks = 0
                self.pass_turn()

    def join(self, participant: Participant) -> None:
        """A new thread waits here for the baton for the first time."""
        participant.ident = get_ident()
        participant.gate.acquire()
        if self.halted is not None:
            raise Halted from self.halted

    def leave(self, participant: Participant) -> None:
        """A thread ends: hand the baton on without waiting for it again."""
        if not participant.alive:
            return  # it was given up, and has ended after all: the baton is another's
        participant.alive = False
        if participant in self.participants:
            self.participants.remove(participant)
        # Once halted, the main thread lets the others go; those in line may have gone already.
        waits = self._runnable and self.halted is None
        nxt = self._next() if waits else self.participants[0]
        self.current = nxt
        nxt.gate.release()

    def release_threads(self) -> None:
        """Let every other thread end, wherever it waits.

        Called by the main thread when the program has ended or was halted. Nothing of the
        program runs any more: the record is sealed, and what it did now would not be in it.
        """
        me = self.current
        self.halt(Halted("the run ended"))
        for participant in self.participants[1:]:
            if participant.alive:
                self.turns += 1
                self.current = participant
                participant.gate.release()
                # One that catches every exception cannot be ended. It runs on, halted: no door lets
                # it do anything, and it holds up neither the seal nor the process.
                if not me.gate.acquire(_END_S):
                    participant.alive = False
                    self.current = me

    def _next(self) -> Participant:
        participant = self._runnable.popleft()
        participant.queued = False
        return participant

    def _hand_to(self, other: Participant, me: Participant) -> None:
        self.turns += 1
        self.current = other
        other.gate.release()
        me.gate.acquire()

    # --- idle ---------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Nobody can run: let one timer fire or one input enter."""
        if self.unsettled:
            self.ledger.settle()
        self.inside = True
        try:
            self._idle_points += 1
            if self._idle_points == self._keep_from and self.collects:
                gc.freeze()
            if self.collect_every and self._idle_points % self.collect_every == 0:
                if self.collects:
                    self.inside = False
                    # Finalizers are the program's code and may make somebody ready. What is old is
                    # looked at less often: a framework's modules are a million objects.
                    gc.collect(1 if self._idle_points % self._full_every else 2)
                return
            if self.late_patches and len(sys.modules) != self._modules:
                self._modules = len(sys.modules)
                self.late_patches = [patch for patch in self.late_patches if not patch()]
            due = self.timers.due()
            try:
                time = self.inputs.peek(due)
            except Nudged:
                self._idle_points -= 1  # a replay is not broken off
                return
            if time is not None and time < self.now:
                time = self.now
            if due is not None and (time is None or due <= time):
                self._fire()
                return
            if time is None:
                raise Stalled
            self._enter(time, "delivery", None)
        finally:
            self.inside = False

    def busy(self) -> None:
        """The program has not idled for long: let an input enter if there is one."""
        self.inside = True
        try:
            time = self.inputs.busy(self.ran, self.timers.due())
            if time is None:
                self.limit = self.inputs.busy_limit(self.ran)
                return
            time = max(time, self.now)
            due = self.timers.due()
            while due is not None and due <= time:
                self._fire()
                due = self.timers.due()
            self._enter(time, "busy", self.ran)
        finally:
            self.inside = False

    def _fire(self) -> None:
        deadline, timer = self.timers.pop()
        self.now = max(self.now, deadline)
        self.trigger = "timer"
        timer.fire()

    def _enter(self, time: int, trigger: Trigger, callbacks: int | None) -> None:
        self.now = time
        self.trigger = trigger
        self.inputs.enter(time, callbacks)
        self.ran = 0
        self.limit = self.inputs.busy_limit(0)

    def acting(self, actor: Actor | None) -> Actor | None:
        """Let engine code act as an actor; return who acted before."""
        before, self._acting = self._acting, actor
        return before

    def halt(self, reason: BaseException) -> None:
        """Stop the program: every wait from now on raises. The first reason stands."""
        if self.halted is None:
            self.halted = reason

    def stopped(self) -> BaseException | None:
        """Return why the calling thread may do nothing any more; the one that seals the run may."""
        return None if self.sealing == get_ident() else self.halted

    def start(self) -> None:
        """Begin: garbage is collected at counted points only, from here on."""
        self.limit = self.inputs.busy_limit(0)
        if not self.collects:
            return
        self._collected_before = gc.isenabled()
        # What an earlier run left is finalized by code of its program, which is not of this one.
        self.inside = True
        gc.collect()
        self.inside = False
        gc.freeze()
        gc.disable()

    def stop(self) -> None:
        """End: give garbage collection back."""
        self.timers.clear()
        if not self.collects:
            return
        gc.unfreeze()
        if self._collected_before:
            gc.enable()
