"""Synchronous questions of a run that goes on: from its record, and from the world behind it.

What was in force when the run began stays in force: what it was told once, and its clocks, which go
on from where they were and never go back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replay.doors.surroundings.clocks import CLOCK_SOURCES, real_monotonic
from replay.doors.surroundings.process import CHANGE_DIRECTORY
from replay.session.answers import LiveAnswers, RecordedAnswers

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.doors.surroundings.answering import Value
    from replay.doors.surroundings.setting import Setting
    from replay.recording.recorder import Recorder
    from replay.scheduler.core import Scheduler
    from replay.session.resuming.vault import SecretVault
    from replay.sources.live import LiveClock
    from replay.sources.recorded import RecordedInputs
    from replay.sources.resumed import RecordEnd

__all__ = ["WALL", "ResumedAnswers"]

#: The wall clock, as a source.
WALL: Final = "time_ns"
#: Clocks that the run's own time is on.
_RUN: Final = frozenset({"monotonic_ns", "perf_counter_ns"})


class ResumedAnswers(RecordedAnswers):
    """Answers of the record, then of the world.

    Args:
        scheduler: whose clock the readings move.
        inputs: the record.
        setting: what its first record says.
        end: of the record.
        vault: says what the program finds in the environment.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        inputs: RecordedInputs,
        setting: Setting,
        end: RecordEnd,
        vault: SecretVault,
    ) -> None:
        super().__init__(scheduler, inputs, setting)
        self._setting = setting
        self._recorded = inputs
        self._end = end
        self._vault = vault
        self._live: LiveAnswers | None = None
        #: The last answers of clocks, and what is added to what they say now, in nanoseconds.
        self._latest: dict[tuple[str, str], int] = {}
        self._shifts: dict[tuple[str, str], int] = {}
        self._run_shift = 0
        #: The directory that the program changed to, if it did.
        self.changed_to: str | None = None

    def go_live(self, recorder: Recorder, clock: LiveClock, monotonic_ns: int) -> None:
        """Ask the world from here on.

        Args:
            recorder: of the run.
            clock: the claimed one.
            monotonic_ns: what the program's monotonic clock says now.
        """
        self._live = live = LiveAnswers(self._scheduler, recorder, clock, self._setting)
        live.share(self)
        self._run_shift = monotonic_ns - real_monotonic()()

    def answer(self, source: str, argument: str, live: Callable[[], Value]) -> Value:
        """Answer one question of the program."""
        if self._live is not None:
            return self._live.answer(source, argument, self._adapted(source, argument, live))
        value = super().answer(source, argument, live)
        if source in CLOCK_SOURCES and isinstance(value, int):
            self._latest[source, argument] = value
        elif source == CHANGE_DIRECTORY and isinstance(value, str):
            self.changed_to = value
        return value

    def _ask(self, source: str, argument: str, live: Callable[[], Value]) -> Value:
        if source in CLOCK_SOURCES:
            self._scheduler.looked()
        recorded, recorder = self._recorded, self._end.recorder
        goes_on = recorded.answers and recorder.reading_actor is recorder.scheduler.actor()
        if not goes_on and self._end.passed():
            assert self._live is not None
            return self._live.ask(source, argument, self._adapted(source, argument, live))
        return self._take(source, argument)

    def _adapted(
        self, source: str, argument: str, live: Callable[[], Value]
    ) -> Callable[[], Value]:
        """Return what asks the world, in words of the run that began elsewhere."""
        if source == WALL:
            return live
        if source in CLOCK_SOURCES:
            return lambda: self._clock(source, argument, live)
        if source == "env":
            return lambda: self._variable(argument, live())
        if source == "env_names":
            return lambda: self._names(live())
        return live

    def _clock(self, source: str, argument: str, live: Callable[[], Value]) -> Value:
        value = live()
        if not isinstance(value, int):
            return value
        key = (source, argument)
        if key not in self._shifts:
            least = self._latest.get(key)
            shift = self._run_shift if source in _RUN else 0
            self._shifts[key] = shift if least is None else max(shift, least - value)
        return value + self._shifts[key]

    def _variable(self, name: str, value: Value) -> Value:
        return self._vault.variable(name, value) if value is None or type(value) is str else value

    def _names(self, value: Value) -> Value:
        return self._vault.names(list(value)) if isinstance(value, list | tuple) else value
