"""Inputs of a fork behind the first difference: recorded answers by identity, and the world's.

Recorded answers enter at once and in their recorded order, stamped with the time at which they do:
what was waited for once is not waited for again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.scheduler.ports import Halted, Stalled
from replay.sources.live import BUSY_CALLBACKS
from replay.sources.resumed import ResumedInputs

if TYPE_CHECKING:
    from replay.recording.recorder import Recorder
    from replay.scheduler.ports import Inputs
    from replay.sources.forked_world import ForkedWorld
    from replay.sources.keyed import KeyedInputs
    from replay.sources.live import LiveClock

__all__ = ["DryInputs", "EnoughSeen", "ForkedInputs"]


class EnoughSeen(Exception):
    """A dry pass has come to where it needs an answer that only the world can give."""


class ForkedInputs(ResumedInputs):
    """Delivered inputs: the record, then what it knows by identity, with the world behind it.

    Attributes:
        keyed: recorded answers of open questions; set before the first record.
        world: begins what goes live, at idle; likewise.
        clock: the claimed one, from the moment at which the run is live.
    """

    keyed: KeyedInputs
    world: ForkedWorld
    clock: LiveClock

    def go_live(self, live: Inputs) -> None:
        """Take inputs from both from here on."""
        super().go_live(_Both(self.keyed, live, self.world, self.clock))


class _Both:
    """Recorded answers first, then live ones."""

    def __init__(
        self, keyed: KeyedInputs, live: Inputs, world: ForkedWorld, clock: LiveClock
    ) -> None:
        self._keyed = keyed
        self._live = live
        self._world = world
        self._clock = clock
        self._is_recorded = False

    def peek(self, due: int | None) -> int | None:
        """Return when the next recorded answer enters, or wait for a live one."""
        self._world.flush()
        self._is_recorded = self._keyed.delivers
        if self._is_recorded:
            return self._clock.now()
        if self._world.wake_silent() and due is None:
            raise Stalled
        return self._live.peek(due)

    def enter(self, time: int, callbacks: int | None) -> None:
        """Deliver what was seen."""
        (self._keyed if self._is_recorded else self._live).enter(time, callbacks)

    def nudge(self) -> None:
        """Break off a wait."""
        self._live.nudge()

    def busy(self, ran: int, due: int | None) -> int | None:
        """Look for an input for a program that does not idle."""
        self._world.flush()
        self._is_recorded = self._keyed.delivers
        return self._clock.now() if self._is_recorded else self._live.busy(ran, due)

    def busy_limit(self, ran: int) -> int:
        """Return the number of callbacks at which to look again."""
        return self._live.busy_limit(ran)


class DryInputs:
    """The world of a dry pass: it never answers, and a program that waits for it has shown enough.

    Args:
        recorder: of the run.
        world: knows what would have gone live.
    """

    def __init__(self, recorder: Recorder, world: ForkedWorld) -> None:
        self._recorder = recorder
        self._world = world

    def peek(self, due: int | None) -> int | None:
        """Let timers fire as long as nothing waits for the world."""
        if self._world.waits:
            reason = EnoughSeen()
            self._recorder.scheduler.halt(reason)
            raise Halted from reason
        if due is None:
            raise Stalled
        return None

    def enter(self, time: int, callbacks: int | None) -> None:
        """Deliver nothing: there is never anything."""
        raise AssertionError("a dry pass has no live input")

    def nudge(self) -> None:
        """Do nothing: nobody waits."""

    def busy(self, ran: int, due: int | None) -> int | None:
        """Let due timers of a busy program wait until it idles, or end a pass that waits."""
        return self.peek(0) if self._world.waits else None

    def busy_limit(self, ran: int) -> int:
        """Return the number of callbacks at which to look again."""
        return ran + BUSY_CALLBACKS
