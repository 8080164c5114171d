"""The parts of a run that goes on, put together, and the moment at which it goes live."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Generic, TypeVar

from replay.compare.comparer import Comparer
from replay.compare.resumed import ResumedTape
from replay.doors.context import DoorContext
from replay.doors.surroundings.setting import Setting
from replay.errors import ReplayError
from replay.events.kinds import CancelRequested, SecretRegistered
from replay.events.parts import PartTable
from replay.files.places import Places, working_directory
from replay.files.resumed import RecordedPart, ResumedFiles
from replay.recording.recorder import Recorder
from replay.recording.tape import LiveTape
from replay.scheduler.core import Scheduler
from replay.scheduler.engine_side import EngineSide
from replay.scheduler.ports import Halted, Stalled
from replay.secrets.scrub import Scrubber
from replay.session.ending import end_run, stalled_error
from replay.session.ledger import TaskLedger
from replay.session.looking_back import last_notes
from replay.session.outlet import written
from replay.session.program_code import code_note, files_reached
from replay.session.record import Recording
from replay.session.record_start import is_at_end, is_at_start
from replay.session.replay import write_out
from replay.session.resuming.answers import ResumedAnswers
from replay.session.resuming.flights import FlightPlan, decided, refuse_others, repeated, unsealed
from replay.session.resuming.hiding import HidingRecorder
from replay.session.resuming.report import Choices, Resumption, ResumptionReport
from replay.session.resuming.vault import SecretVault
from replay.session.sharing import side_of
from replay.session.stage import Stage
from replay.sources.history import ErasedPayloadError
from replay.sources.live import LiveClock, LiveInputs
from replay.sources.outside import Arrival, LiveWorld, replace_secret
from replay.sources.recorded import RecordedInputs
from replay.sources.recorded_world import RecordedWorld
from replay.sources.resumed import RecordEnd, ResumedInputs
from replay.sources.resumed_world import ResumedWorld

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replay.doors.dialect import Dialect
    from replay.events.kinds import Payload, RunStarted
    from replay.files.overlay import Overlay
    from replay.guard.process import ProcessGuard, Side
    from replay.log.workspace import Workspace
    from replay.log.writer import Writer
    from replay.session.ending import Reason
    from replay.session.resuming.log import ResumedLog
    from replay.session.resuming.report import ResumptionVerdict
    from replay.sources.history import History

__all__ = ["ResumedSession"]

T = TypeVar("T")

_SALT_BYTES: Final = 16
_STOPPED: Final = "the run had stopped before this was answered"


class ResumedSession(Generic[T]):
    """A run that goes on.

    Args:
        history: its record.
        started: the first one of it.
        dialects: readings of provider exchanges.
        overlay: takes files until the run is live.
        log: the open log.
        place: the workspace.
        choices: what whoever resumes it says.
        guard: refuses ways out until the run is live.
        shared: whether other runs may be on stage too.
    """

    #: Parts that a fork has in another form.
    tape_type = ResumedTape
    inputs_type = ResumedInputs
    world_type = ResumedWorld
    answers_type = ResumedAnswers
    files_type = ResumedFiles

    def __init__(
        self,
        history: History,
        started: RunStarted,
        dialects: tuple[Dialect, ...],
        overlay: Overlay,
        log: ResumedLog,
        place: Workspace,
        choices: Choices,
        guard: ProcessGuard,
        *,
        shared: bool,
    ) -> None:
        first = history.entry(0)
        assert first is not None
        self._history, self._started, self._log = history, started, log
        self._place, self._choices, self._guard = place, choices, guard
        self._clock = LiveClock(first.header.time)
        self._start = first.header.time
        self._seed = seed = bytes.fromhex(started.seed)
        self._live: LiveInputs | None = None
        self._begins = True
        self._cancelled = False
        self._held: list[tuple[int, BinaryIO, bytes]] = []
        self._plan = FlightPlan()
        self.sources: Callable[[], list[str]] | None = None
        self._comparer = Comparer(history, self._place_of)
        self._tape = self.tape_type(self._comparer, history.size)
        recorder = HidingRecorder(self._tape, PartTable(self._salt), Scrubber(), first.header.time)
        self.recorder: Recorder = recorder
        self._end = end = RecordEnd(recorder, history.size, self.switch)
        self._recorded = RecordedInputs(history, recorder, self._comparer.missing)
        self._inputs = self.inputs_type(self._recorded, end, recorder)
        recorder.scheduler = self.scheduler = Scheduler(
            self._inputs,
            TaskLedger(recorder, seed),
            start=first.header.time,
            monotonic=started.monotonic,
            collect_every=started.flags["collect_every"],
            collect_full_every=started.flags.get("collect_full_every", 1),
            keep_from=started.flags.get("keep_from", 0),
        )
        self._vault = SecretVault(recorder, choices.secret_to)
        before = RecordedWorld(recorder, self._recorded.note, self._recorded.next_kind)
        self._world = self.world_type(recorder, end, before, self._vault)
        named = dict(started.dialects)
        self.context = context = DoorContext(
            self.scheduler, recorder, self._world, tuple(d for d in dialects if d.name in named)
        )
        setting = Setting(started.argv, started.setting)
        self._answers = self.answers_type(self.scheduler, self._recorded, setting, end, self._vault)
        self._files = context.files = self.files_type(
            recorder,
            self._answers,
            Places(
                started.directory,
                working_directory(),
                self._answers.directory,
                self._recorded.names,
            ),
            seed,
            started.setting.get("text", "utf-8"),
            tape=self._tape,
            world=self._world,
            inputs=self._recorded,
            overlay=overlay,
            part=RecordedPart(end.passed, lambda seq: seq < history.size),
            scrub=recorder.scrubber.scrub,
        )
        self._side = side_of(context, shared=shared)
        self._unguarded = False
        guard.side = self._whose
        self._stage = Stage(context, self._answers, seed, self._pass_on, setting, shared=shared)

    # --- until the record ends ----------------------------------------------------------------

    def _whose(self) -> Side:
        """Say whose code runs; once the run is live the guard has no business with it."""
        return "other" if self._unguarded else self._side()

    def _salt(self, ordinal: int) -> bytes:
        """Return the recorded salt of a part; a fresh one behind the record's end."""
        salt = b"" if self._end.is_live else self._history.salt(ordinal)
        if salt:
            return salt
        with EngineSide(self.scheduler):
            return os.urandom(_SALT_BYTES)

    def _place_of(self, seq: int) -> str | None:
        entry = None if self._end.is_live else self._history.whole(seq)
        return None if entry is None else entry.place

    def _pass_on(self, stream: BinaryIO, data: bytes) -> None:
        """Show again what rests on the record; let the rest out once that is durable."""
        seq = self.recorder.size - 1
        if self._live is not None:
            self._live.let_output()
            self._tape.after(self.recorder.size - 1, written(stream, data))
        elif seq < self._history.size and not self._held:
            write_out(stream, data)
        else:
            self._held.append((seq, stream, data))

    def _copy_notes(self) -> None:
        """Copy what stands about the run before the program's first record, or complete it."""
        recorded, recorder = self._recorded, self.recorder
        while (payload := recorded.note(is_at_start)) is not None:
            if isinstance(payload, SecretRegistered):
                self._vault.register(payload)
            recorder.note(payload)
        if recorder.size < self._history.size:
            return
        # It stopped before it had named all secrets of its environment, so before its first line.
        for source, value in self._vault.unnamed():
            registered = replace_secret(recorder, source, value)
            if registered is not None:
                recorder.note(registered)

    # --- going live ---------------------------------------------------------------------------

    def switch(self) -> None:
        """Go live: every record was made again, and something is needed that is not among them.

        Raises:
            Halted: that cannot be; nothing was changed, unless the log itself failed.
        """
        if self._end.is_live:
            return
        scheduler = self.scheduler
        if scheduler.halted is not None:
            raise Halted from scheduler.halted
        with EngineSide(scheduler):
            try:
                self._go_live()
            except Halted:
                raise
            except Exception as error:
                scheduler.halt(error)
                raise Halted from error

    def _go_live(self) -> None:
        if self._comparer.size != self._history.size:
            raise ReplayError("the record has not been made again")  # a mistake of ours
        # First whatever may refuse, and changes nothing.
        self._refuse_first()
        placings = self._files.plan()
        writer = self._take_up(lambda: live.post(None))
        live = LiveInputs(self.recorder, self._clock, writer)
        self._end.is_live = True
        self._live = live
        tape = LiveTape(writer)
        self._tape.go_live(tape)
        self._inputs.go_live(live)
        scheduler = self.scheduler
        monotonic_us = scheduler.now - self._start + self._started.monotonic
        self._answers.go_live(self.recorder, self._clock, monotonic_us * 1000)
        if self._answers.changed_to is not None:
            os.chdir(self._answers.changed_to)
        self._files.go_live(placings)
        world = LiveWorld(self._tape, live, self.recorder)
        self._world.go_live(world, self._plan.again)
        self.context.signals.go_live()
        for kept in self._plan.failed:
            payload, outcome = kept.flight.failure(_STOPPED)
            live.post(Arrival(kept.asked.seq, payload, None, outcome, None))
        if self._cancelled:
            self.cancel()
        held, self._held = self._held, []
        for seq, stream, data in held:
            tape.after(seq, written(stream, data))

    def _refuse_first(self) -> None:
        """Say what becomes of what is in flight, or refuse to go live."""
        refuse_others(self._world.in_flight(), self._choices)
        if self._begins:
            self._plan = decided(
                self._world.in_flight(), self._choices, self._place_of, self._shown
            )
            self._vault.check([kept.flight for kept in self._plan.again])

    def _take_up(self, on_failure: Callable[[], None]) -> Writer:
        """Enter in the workspace that the run is live; return the writer of its log."""
        size, root = self._comparer.size, self._comparer.root
        now_us, decided = time.time_ns() // 1000, self._choices.decided
        self._place.resumed(self._started.run, size, root, now_us, decided)
        self._unguarded = True
        self._clock = LiveClock(self.scheduler.now)
        return self._log.take_up(self._started.run, self._comparer, on_failure)

    def cancel(self) -> None:
        """Let the main task of the program be cancelled; callable from any thread."""
        self._cancelled = True
        if self._live is not None:
            self._live.post(Arrival(None, CancelRequested(), None, "ok", None))

    # --- from beginning to end ----------------------------------------------------------------

    def play(self, program: Callable[[], T]) -> Resumption[T]:
        """Run the program, first on its record, then live, and seal the run."""
        loaded = frozenset(sys.modules)
        if self.sources is None:
            self.sources = lambda: files_reached(program, loaded)
        value: T | None = None
        error: BaseException | None = None
        reason: Reason = "failed"
        try:
            with self._guard, self._stage.up():
                self._copy_notes()
                try:
                    value = self._stage.play(program)
                except Stalled:
                    error = self._stalled()
                except (Halted, ErasedPayloadError):
                    raise
                except BaseException as raised:  # noqa: BLE001 - it is the program's outcome
                    error = raised
                reason = end_run(self.recorder, value, error, self._notes, self._code)
                self._begins = False  # what is in flight now is nobody's any more
                self.switch()
        except Halted as halted:
            return Resumption(self.judge(halted.__cause__ or halted), None)
        except ErasedPayloadError as erased:
            return Resumption(self.judge(erased), None)
        finally:
            self._world.stop()
        size, root = self._log.finish()
        self._place.close_run(
            self._started.run, size, root, reason, max(self._clock.now(), self._start)
        )
        recording = Recording(
            run_id=self._started.run,
            directory=self._log.directory,
            root=root.hex(),
            events=size,
            reason=reason,
            value=value,
            error=error,
        )
        report = self._report("sealed", events=size, root=root.hex(), reason=reason)
        return Resumption(report, recording)

    def _stalled(self) -> ReplayError:
        if not self._end.is_live:
            self.recorder.flush()
            recorded = self._history.entry(self.recorder.size)
            if recorded is not None and recorded.header.kind != "RunEnded":
                self.recorder.diverge(self._comparer.missing(recorded))
        return stalled_error()

    def _notes(self) -> Iterator[Payload]:
        """Give the notes about the end: those of the record, and those that it lacks."""
        had: list[Payload] = []
        if not self._end.is_live:
            while (payload := self._recorded.note(is_at_end)) is not None:
                had.append(payload)
                yield payload
            if self.recorder.size < self._history.size:
                return
        yield from last_notes(self.recorder, self._log.durable, had)

    def _code(self) -> tuple[Payload, bytes | None] | None:
        """Give the note of the program's source: that of the record, or one of what runs now."""
        if not self._end.is_live:
            found = self._recorded.code()
            if found is not None or self.recorder.size < self._history.size:
                return found
        assert self.sources is not None
        with EngineSide(self.scheduler):
            return code_note(
                self.sources(),
                directory=str(Path.cwd()),
                key=self._seed,
                scrubber=self.recorder.scrubber,
                started_us=self._start,
            )

    def judge(self, stopped: BaseException | None) -> ResumptionReport:
        """Say why the run did not go on to its end.

        Args:
            stopped: why the scheduler stopped it.

        Raises:
            BaseException: the reason, if it is none of the record's or the program's.
        """
        return unsealed(stopped, self._report, self._comparer, self._guard)

    def _report(self, verdict: ResumptionVerdict, **more: Any) -> ResumptionReport:
        went_on = self._end.is_live
        done = repeated(self._plan.again if went_on else (), self._world.changed, self._shown)
        fields: dict[str, Any] = {
            "run": self._started.run,
            "directory": str(self._log.directory),
            "resumed_at": self._history.size,
            "events": self._comparer.size,
            "root": self._comparer.root.hex(),
            "requests_sent_again": tuple(each for is_request, each in done if is_request),
            "effects_again": tuple(each for is_request, each in done if not is_request),
            "failed": tuple(kept.asked.seq for kept in self._plan.failed if went_on),
        }
        return ResumptionReport(verdict=verdict, **{**fields, **more})

    def _shown(self, text: str) -> str:
        data = text.encode("utf-8", "backslashreplace")
        return self.recorder.scrubber.scrub(data).decode("utf-8", "replace")
