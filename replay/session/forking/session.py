"""The parts of a fork, put together: those of a run that goes on, with what the record knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from replay.compare.forked import ForkedTape, NoTape
from replay.errors import ForkError, ReplayError
from replay.files.forked import ForkedFiles
from replay.scheduler.ports import Halted
from replay.session.forking.answers import ForkedAnswers
from replay.session.forking.report import Estimate, Fork, ForkReport, GoesLive
from replay.session.resuming.report import Choices
from replay.session.resuming.session import ResumedSession
from replay.sources.forked import DryInputs, EnoughSeen, ForkedInputs
from replay.sources.forked_world import DryWorld, ForkedWorld
from replay.sources.history import ErasedPayloadError, History
from replay.sources.keyed import KeyedInputs
from replay.sources.live import LiveClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from replay.doors.dialect import Dialect
    from replay.files.overlay import Overlay
    from replay.guard.process import ProcessGuard
    from replay.log.workspace import Workspace
    from replay.log.writer import Writer
    from replay.session.forking.prefix import ForkLog, Prefix
    from replay.session.forking.report import ForkChoices
    from replay.session.resuming.report import ResumptionReport
    from replay.sources.identity import Path
    from replay.sources.recollection import Recollection

__all__ = ["ForkedSession"]

T = TypeVar("T")


class ForkedSession(ResumedSession[T]):
    """A fork.

    Args:
        prefix: what it has in common with the recorded run.
        recollection: what that knows behind the position.
        dialects: readings of provider exchanges.
        overlay: takes files until the fork is live.
        log: of the fork.
        place: the workspace.
        choices: how it begins.
        guard: refuses ways out until the fork is live.
        shared: whether other runs may be on stage too.
    """

    tape_type = ForkedTape
    inputs_type = ForkedInputs
    world_type = ForkedWorld
    answers_type = ForkedAnswers
    files_type = ForkedFiles

    def __init__(
        self,
        prefix: Prefix,
        recollection: Recollection,
        dialects: tuple[Dialect, ...],
        overlay: Overlay,
        log: ForkLog,
        place: Workspace,
        choices: ForkChoices,
        guard: ProcessGuard,
        *,
        shared: bool,
    ) -> None:
        super().__init__(
            History(prefix),
            prefix.started,
            dialects,
            overlay,
            log,  # type: ignore[arg-type]  # what is asked of it here, a fork's has
            place,
            Choices(secret_to=choices.secret_to),
            guard,
            shared=shared,
        )
        self._prefix, self._how, self._fork_log = prefix, choices, log
        self._recollection = recollection
        tape, world, inputs = self._tape, self._world, self._inputs
        assert isinstance(tape, ForkedTape)
        assert isinstance(world, ForkedWorld)
        assert isinstance(inputs, ForkedInputs)
        assert isinstance(self._answers, ForkedAnswers)
        assert isinstance(self._files, ForkedFiles)
        self._outside = world
        tape.prefix, tape.recollection = prefix, recollection
        keyed = KeyedInputs(recollection, self.recorder)
        inputs.keyed, inputs.world = keyed, world
        world.keyed, world.recollection, world.matches = keyed, recollection, tape.matches
        self._vault.believes = not choices.foreign
        self._vault.refusal = ForkError
        self._answers.recollection = recollection
        self._answers.is_dry = choices.dry
        self._files.root, self._files.unplaced = overlay.root, overlay.unplaced

    # --- going live ---------------------------------------------------------------------------

    def _refuse_first(self) -> None:
        """Refuse nothing: what may be asked is decided when it is asked."""

    def _take_up(self, on_failure: Callable[[], None]) -> Writer:
        """Begin the log of the fork."""
        writer = self._fork_log.take_up(on_failure)
        self._unguarded = True
        self._start_clock()
        return writer

    def _start_clock(self) -> None:
        assert isinstance(self._inputs, ForkedInputs)
        self._clock = self._inputs.clock = LiveClock(self.scheduler.now)

    def _go_live(self) -> None:
        if not self._how.dry:
            super()._go_live()
            return
        if self._comparer.size != self._history.size:
            raise ReplayError("the record has not been made again")  # a mistake of ours
        self._files.plan()
        self._start_clock()
        self._end.is_live = True
        self._tape.go_live(NoTape())
        self._inputs.go_live(DryInputs(self.recorder, self._outside))
        monotonic_us = self.scheduler.now - self._start + self._started.monotonic
        self._answers.go_live(self.recorder, self._clock, monotonic_us * 1000)
        self._world.go_live(DryWorld(self.recorder), ())

    def _pass_on(self, stream: BinaryIO, data: bytes) -> None:
        """Show what is printed, but in a dry pass."""
        if not self._how.dry:
            super()._pass_on(stream, data)

    # --- from beginning to end ----------------------------------------------------------------

    def fork(self, program: Callable[[], T]) -> Fork[T]:
        """Run the program on the common part, then on what is recalled and the world's answers."""
        resumption = self.play(program)
        return Fork(self.reported(resumption.report), resumption.recording)

    def reported(self, report: ResumptionReport) -> ForkReport:
        """Return a report as that of a fork."""
        there = self._end.is_live
        return ForkReport(
            verdict=report.verdict,
            run=report.run if there else "",
            forked_from=self._prefix.parent,
            position=self._prefix.size(),
            directory=report.directory if there else "",
            events=report.events if there else 0,
            root=report.root if there else "",
            live=self._live_ones(),
            recalled=self._outside.recalled,
            reason=report.reason,
            divergence=report.divergence,
            notes=report.notes,
        )

    def look(self, program: Callable[[], T], records: int) -> Estimate:
        """Run the program as far as it comes without the world, and say what it asked of that.

        Args:
            program: what was recorded, as it is now.
            records: number of records of the recorded run.
        """
        is_all = False
        try:
            with self._guard, self._stage.up():
                self._copy_notes()
                try:
                    self._stage.play(program)
                except (Halted, ErasedPayloadError):
                    raise
                except BaseException:  # noqa: BLE001, S110 - how it ends is its own affair
                    pass
                self.recorder.flush()
                recorded = self._history.entry(self.recorder.size)
                if recorded is not None:
                    self.recorder.diverge(self._comparer.missing(recorded))
                self.switch()
                self._outside.flush()
                is_all = not self._outside.sent
        except Halted as halted:
            stopped = halted.__cause__ or halted
            if not isinstance(stopped, EnoughSeen):
                return self._unready(self.judge(stopped), records)
        except ErasedPayloadError as erased:
            return self._unready(self.judge(erased), records)
        return self.estimated(records, is_all=is_all)

    def estimated(self, records: int, *, is_all: bool = False) -> Estimate:
        """Return what was seen by now."""
        assert isinstance(self._files, ForkedFiles)
        whole = self._recollection.requests
        return Estimate(
            verdict="ready",
            run=self._prefix.parent,
            position=self._prefix.size(),
            records=records,
            live=self._live_ones(),
            recalled=self._outside.recalled,
            whole=len(whole),
            whole_input_tokens=sum(each.input_tokens or 0 for each in whole),
            whole_output_tokens=sum(each.output_tokens or 0 for each in whole),
            is_all=is_all,
            written=tuple(place for _, place in self._files.written()),
        )

    def _unready(self, report: ResumptionReport, records: int) -> Estimate:
        return msgspec.structs.replace(
            self.estimated(records),
            verdict=report.verdict,
            divergence=report.divergence,
            notes=report.notes,
        )

    def _live_ones(self) -> tuple[GoesLive, ...]:
        found = []
        for kept in self._outside.sent.values():
            flight, path = kept.flight, kept.asked.actor.path()
            is_request = flight.destination is not None
            size = len(flight.carried)
            usage = self._recollection.like(path, kept.asked.index, size) if is_request else None
            found.append(
                GoesLive(
                    name=self._shown(flight.label),
                    task=_spelled(path),
                    is_request=is_request,
                    model=None if usage is None else usage.model,
                    input_tokens=None if usage is None else usage.input_tokens,
                    output_tokens=None if usage is None else usage.output_tokens,
                    like=None if usage is None else usage.seq,
                )
            )
        return tuple(found)


def _spelled(path: Path) -> str:
    """Return a spawn path for people."""
    steps = (label if ordinal == 0 else f"{label}:{ordinal}" for label, ordinal in path)
    return "/".join(steps) or "main"
