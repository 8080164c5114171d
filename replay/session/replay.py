"""Replaying: run the program again on the recorded inputs and compare every consequence.

Nothing live: the world behind the doors is the record. The replay makes a log of its own, and
``identical`` means that both logs have the same root.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

from replay.compare.comparer import Comparer, KeepingComparer
from replay.doors.context import DoorContext
from replay.doors.state.adapters import absent_adapters, active
from replay.doors.surroundings.setting import Setting
from replay.events.digest import Committer
from replay.events.kinds import RunStarted, SecretRegistered
from replay.events.parts import PartTable
from replay.files.overlay import Overlay
from replay.files.recorded import recorded_files
from replay.guard.hermetic import Hermetic
from replay.guard.process import ProcessGuard
from replay.log.named_heads import check_run
from replay.recording.divergence import Diverged
from replay.recording.gaps import Uncaptured
from replay.recording.recorder import Recorder
from replay.scheduler.core import Scheduler
from replay.scheduler.engine_side import EngineSide
from replay.scheduler.ports import Halted, Stalled
from replay.secrets.scrub import Scrubber
from replay.session.answers import RecordedAnswers
from replay.session.distributions import versions_here
from replay.session.ending import end_run, stalled_error, unloadable_by
from replay.session.extensions import load_adapters, load_dialects
from replay.session.ledger import TaskLedger
from replay.session.patience import Patience
from replay.session.record_start import (
    OBSERVED_NOTE,
    absent_dialects,
    is_at_end,
    is_at_start,
    started_in,
)
from replay.session.report import Report, Verdict
from replay.session.sharing import on_stage, side_of
from replay.session.stage import Stage
from replay.sources.history import ErasedPayloadError, History
from replay.sources.recorded import RecordedInputs
from replay.sources.recorded_world import RecordedWorld

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from replay.doors.dialect import Dialect
    from replay.doors.state.adapter import Adapter
    from replay.events.entry import Entry
    from replay.events.kinds import Payload
    from replay.log.fsck import RunCheck
    from replay.log.port import LogReader, Store
    from replay.recording.divergence import Divergence
    from replay.session.awaiting import Cancellation

__all__ = ["replay_log", "write_out"]

T = TypeVar("T")
_UNCOLLECTED: Final = (
    "the recording collected garbage as it went, which a replay beside other code does not: "
    "replay it with the command"
)


def replay_log(
    reader: LogReader,
    program: Callable[[], object],
    *,
    dialects: tuple[Dialect, ...] | None = None,
    adapters: tuple[Adapter, ...] | None = None,
    keep: Store | None = None,
    verified: RunCheck | None = None,
    cancellation: Cancellation | None = None,
    guard: Hermetic | None = None,
    out: Path | None = None,
    give_up: Callable[[Report], None] | None = None,
) -> Report:
    """Replay a recorded run.

    Args:
        reader: the recorded run.
        program: what was recorded, to be run again on this thread.
        dialects: readings of provider exchanges; those installed, if not given.
        adapters: readings of frameworks' state; those installed, if not given.
        keep: a store that takes the replay's own log, or None to keep only its tree.
        verified: the result of a check that was made already.
        cancellation: by which another thread breaks the replay off.
        guard: what keeps the replay hermetic; the interpreter's hooks, if not given.
        out: an absent or empty directory that takes the files which the program writes; they go
            with the replay, if not given.
        give_up: takes the report on a program that was stopped and does not end, on another
            thread; it ends the process.

    Returns:
        The report. A difference is a value in it, not an exception.

    Raises:
        IntegrityError: the record cannot be read at all.
        UsageError: another run is on stage and cannot share it.
    """
    checked = verified or check_run(reader)
    if not checked.events:
        return _report(checked, "incomplete", notes=("the run started; nothing was recorded",))
    if checked.integrity != "ok":
        first = checked.findings[0].message if checked.findings else "see verify"
        return _report(checked, "damaged", notes=(first,))
    if checked.observed:
        return _report(checked, "incomplete", notes=(OBSERVED_NOTE,))
    history = History(reader)
    try:
        started = started_in(history)
    except ErasedPayloadError as error:
        return _report(checked, "erased", notes=(f"{error.message}: {error.where}",))
    found = load_dialects() if dialects is None else dialects
    adapted = load_adapters() if adapters is None else adapters
    absent = absent_dialects(started, found) or absent_adapters(started.adapters, adapted)
    if absent:
        return _report(checked, "incomplete", run=started.run, notes=(absent,))
    with on_stage() as shared, contextlib.closing(Overlay(out)) as overlay:
        session = _Recorded(history, started, found, keep, overlay, shared=shared)
        session.context.adapters = active(started.adapters, adapted)
        if cancellation is not None:
            cancellation.listen(session.give_up)
        hermetic = guard or Hermetic(ProcessGuard())
        if give_up is None:
            return session.play(program, checked, hermetic)
        tell = give_up

        def end() -> None:
            tell(session.judge(session.scheduler.halted, checked, hermetic))

        with Patience(session.scheduler, end):
            return session.play(program, checked, hermetic)


class _Recorded:
    """The parts of a replay, put together."""

    def __init__(
        self,
        history: History,
        started: RunStarted,
        dialects: tuple[Dialect, ...],
        keep: Store | None,
        overlay: Overlay,
        *,
        shared: bool,
    ) -> None:
        first = history.entry(0)
        assert first is not None
        self._history = history
        self._started = started
        self._scrubber = Scrubber()
        self._kept = keep
        self._comparer = (
            Comparer(history, self._place)
            if keep is None
            else KeepingComparer(history, self._place, self._keep)
        )
        start = first.header.time
        seed = bytes.fromhex(started.seed)
        # A dialect that the record does not name was not there, so it derives nothing here.
        named = dict(started.dialects)
        self.recorder = recorder = Recorder(
            self._comparer, PartTable(history.salt, Committer()), self._scrubber, start
        )
        self._inputs = inputs = RecordedInputs(history, recorder, self._comparer.missing)
        recorder.scheduler = self.scheduler = Scheduler(
            inputs,
            TaskLedger(recorder, seed),
            start=start,
            monotonic=started.monotonic,
            collect_every=started.flags["collect_every"],
            collect_full_every=started.flags.get("collect_full_every", 1),
            keep_from=started.flags.get("keep_from", 0),
        )
        self.context = context = DoorContext(
            self.scheduler,
            recorder,
            RecordedWorld(recorder, inputs.note, inputs.next_kind),
            tuple(d for d in dialects if d.name in named),
        )
        setting = Setting(started.argv, started.setting)
        answers = RecordedAnswers(self.scheduler, inputs, setting, started.flags.get("answers", 1))
        self._overlay = overlay
        context.files = recorded_files(
            started, recorder, answers, answers.directory, inputs=inputs, overlay=overlay
        )
        self._shared = shared
        self._unloadable: str | None = None
        self._versions: tuple[tuple[str, str], ...] = ()
        self._stage = Stage(context, answers, seed, write_out, setting, shared=shared)

    def _keep(self, entry: Entry) -> None:
        """Write a record of the replay's own log: the engine's doing, so no door answers."""
        assert self._kept is not None
        with EngineSide(self.scheduler):
            self._kept.append([entry])

    def _place(self, seq: int) -> str | None:
        """Return where in the program a record was made, if its store kept that."""
        entry = self._history.whole(seq)
        return None if entry is None else entry.place

    def give_up(self) -> None:
        """Stop the program; callable from any thread."""
        self.scheduler.halt(Halted("the replay was cancelled"))

    def play(self, program: Callable[[], object], checked: RunCheck, hermetic: Hermetic) -> Report:
        """Run the program against the record and judge."""
        hermetic.process.side = side_of(self.context, shared=self._shared)
        stopped: BaseException | None = None
        try:
            with hermetic.process, self._stage.up():
                self._copy_notes()
                self._run(program)
        except Halted as halted:
            stopped = halted.__cause__ or halted
        except ErasedPayloadError as error:
            stopped = error
        self._versions = versions_here()
        return self.judge(stopped, checked, hermetic)

    def judge(self, stopped: BaseException | None, checked: RunCheck, hermetic: Hermetic) -> Report:
        """Say what came of the program.

        Args:
            stopped: why the scheduler stopped it, None if it came to its end.
            checked: what the check of the record found.
            hermetic: what kept the replay hermetic.

        Raises:
            BaseException: the reason, if it is none of the record's or the program's.
        """
        divergence: Divergence | None = None
        verdict: Verdict = "identical"
        notes: tuple[str, ...] = ()
        guard = hermetic.process
        if isinstance(stopped, Diverged):
            verdict, divergence = "diverged", stopped.divergence
        elif isinstance(stopped, ErasedPayloadError):
            verdict, notes = "erased", (f"{stopped.message}: {stopped.where}",)
        elif isinstance(stopped, Uncaptured):
            verdict, notes = stopped.verdict, (stopped.note,)
        elif stopped is not None:
            raise stopped from None
        if self._comparer.erased_at is not None:
            verdict, divergence = "erased", None
            gone = self._comparer.erased_as
            notes = (f"payload and salt are {gone}: event {self._comparer.erased_at}",)
        if (
            divergence is not None
            and checked.completeness != "sealed"
            and (divergence.seq >= self._history.size)
        ):
            verdict = "incomplete"
            notes = ("the record ends here, without a seal",)
        if verdict == "diverged" and guard.cause is not None:
            # The way out is the cause; that the program went on differently is the effect.
            verdict = "refused"
            what = f"{guard.cause} was refused: nothing leaves the process during a replay"
            notes = (f"{what}; wrap it in an effect when recording",)
        root = self._comparer.root.hex()
        if verdict == "diverged" and self._shared and self._started.flags["collect_every"]:
            notes = (*notes, _UNCOLLECTED)
        if verdict == "identical" and (
            root != checked.root or self._comparer.size != self._history.size
        ):
            verdict = "diverged"
        unloadable = self._unloadable if verdict == "diverged" else None
        if unloadable is not None:
            notes = (f"the program could not be loaded: {unloadable}", *notes)
        return Report(
            verdict=verdict,
            run=self._started.run,
            events=self._comparer.size,
            root_recorded=checked.root,
            root_replayed=root,
            live_effects=len(hermetic.got_through()),
            refused_attempts=guard.refused,
            guard=hermetic.name,
            inputs_taken=self._inputs.inputs_taken,
            derived_computed=self._comparer.derived_computed,
            divergence=divergence,
            unloadable=unloadable,
            versions=self._versions,
            notes=(*notes, *self._overlay.notes(), *hermetic.notes()),
        )

    def _copy_notes(self) -> None:
        """Copy what stands about the run before the program's first record."""
        while (payload := self._inputs.note(is_at_start)) is not None:
            if isinstance(payload, SecretRegistered):
                self.recorder.register_surrogate(payload)
            self.recorder.note(payload)

    def _run(self, program: Callable[[], object]) -> None:
        value: object = None
        error: BaseException | None = None
        try:
            value = self._stage.play(program)
        except Stalled:
            self.recorder.flush()
            recorded = self._history.entry(self.recorder.size)
            if recorded is not None and recorded.header.kind != "RunEnded":
                self.recorder.diverge(self._comparer.missing(recorded))
            # So did the recording, or the comparer finds how it ended instead.
            error = stalled_error()
        except (Halted, ErasedPayloadError):
            raise
        except BaseException as raised:  # noqa: BLE001 - it is the program's outcome
            error = raised
            self._unloadable = unloadable_by(raised)
        end_run(self.recorder, value, error, self._last_notes, self._inputs.code)

    def _last_notes(self) -> Iterator[Payload]:
        while (payload := self._inputs.note(is_at_end)) is not None:
            yield payload


def write_out(stream: BinaryIO, data: bytes) -> None:
    """Write output of a replayed program: there is nothing to wait for.

    Nobody reading it is no affair of the program's: it computes on, and is judged by its record.
    """
    with contextlib.suppress(OSError):
        stream.write(data)
        stream.flush()


def _report(
    checked: RunCheck, verdict: Verdict, *, run: str = "", notes: tuple[str, ...] = ()
) -> Report:
    return Report(
        verdict=verdict,
        run=run or checked.run or "",
        events=0,
        root_recorded=checked.root,
        root_replayed="",
        live_effects=0,
        guard="process",
        inputs_taken=0,
        derived_computed=0,
        notes=notes,
    )
