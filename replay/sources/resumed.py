"""Inputs of a run that goes on: from its record as far as that reaches, and from the world then.

The one invariant: the world is asked only when every record was made again and found equal, and the
program needs an input that the record does not have. Whoever finds that out calls *switch*, which
puts the live sources in place or stops the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.sources.live import BUSY_CALLBACKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.recording.recorder import Recorder
    from replay.scheduler.ports import Inputs
    from replay.sources.recorded import RecordedInputs

__all__ = ["RecordEnd", "ResumedInputs"]


class RecordEnd:
    """Where the record of a run ends, and what is done when the program comes there.

    Args:
        recorder: of the run.
        recorded: number of records.
        switch: puts the live sources in place; raises Halted if that cannot be.
    """

    def __init__(self, recorder: Recorder, recorded: int, switch: Callable[[], None]) -> None:
        self.recorder = recorder
        self.recorded = recorded
        self.switch = switch
        #: Whether the live sources are in place.
        self.is_live = False

    @property
    def is_reached(self) -> bool:
        """Whether all records were made, the last one perhaps not complete."""
        return self.recorder.size >= self.recorded

    def passed(self) -> bool:
        """Close what is open; if the record has nothing more, go live. Say whether it is."""
        if self.is_live:
            return True
        self.recorder.flush()
        if not self.is_reached:
            return False
        self.switch()
        return True


class ResumedInputs:
    """Delivered inputs, recorded and then live; see :class:`replay.scheduler.ports.Inputs`.

    Args:
        recorded: those of the record.
        end: of the record.
        recorder: of the run.
    """

    def __init__(self, recorded: RecordedInputs, end: RecordEnd, recorder: Recorder) -> None:
        self._recorded = recorded
        self._end = end
        self._recorder = recorder
        self._live: Inputs | None = None

    def go_live(self, live: Inputs) -> None:
        """Take inputs from the world from here on."""
        self._live = live

    def peek(self, due: int | None) -> int | None:
        """Return when the next input enters; the world is asked where the record has none."""
        if self._live is None and self._is_over():
            self._end.switch()
        return self._recorded.peek(due) if self._live is None else self._live.peek(due)

    def enter(self, time: int, callbacks: int | None) -> None:
        """Deliver the next input."""
        inputs = self._recorded if self._live is None else self._live
        inputs.enter(time, callbacks)

    def nudge(self) -> None:
        """Break off a wait, if there is one."""
        if self._live is not None:
            self._live.nudge()

    def busy(self, ran: int, due: int | None) -> int | None:
        """Look for an input for a program that does not idle."""
        if self._live is None and self._is_over():
            self._end.switch()
        if self._live is not None:
            return self._live.busy(ran, due)
        return self._recorded.busy(ran, due)

    def busy_limit(self, ran: int) -> int:
        """Return the number of callbacks at which to look again."""
        if self._live is not None:
            return self._live.busy_limit(ran)
        if not self._recorded.delivers:
            return ran + BUSY_CALLBACKS  # the record may end in the midst of a busy program
        return self._recorded.busy_limit(ran)

    def _is_over(self) -> bool:
        """Whether the program needs what is not in the record, all of which was made again."""
        if not self._end.is_reached or self._recorded.delivers or self._recorded.answers:
            return False
        # The last record may be an open one; here it is complete, so it is compared.
        self._recorder.close_group()
        return True
