"""Keyed replay: the recorded answers by identity, in whatever order the program asks."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Generic, TypeVar

from replay.compare.keyed import KeyedComparer
from replay.doors.context import DoorContext
from replay.doors.state.adapters import active
from replay.doors.surroundings.setting import Setting
from replay.errors import WorkflowError
from replay.events.digest import SALT_BYTES
from replay.events.parts import PartTable
from replay.files.overlay import Overlay
from replay.files.recorded import recorded_files
from replay.guard.process import ProcessGuard
from replay.recording.divergence import Diverged
from replay.recording.recorder import Recorder
from replay.scheduler.core import Scheduler
from replay.scheduler.ports import Halted, Stalled
from replay.secrets.patterns import Scrubber
from replay.session.answers import RecordedAnswers
from replay.session.ending import end_run
from replay.session.extensions import load_adapters, load_dialects
from replay.session.ledger import TaskLedger
from replay.session.record_start import checked_start
from replay.session.replay import write_out
from replay.session.report import AwaitedAtOnce
from replay.session.sharing import on_stage, side_of
from replay.session.stage import Stage
from replay.sources.identity import IdentityIndex
from replay.sources.keyed import KeyedInputs
from replay.sources.recorded_world import RecordedWorld

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.doors.dialect import Dialect
    from replay.log.port import LogReader
    from replay.recording.divergence import Divergence
    from replay.session.awaiting import Cancellation

__all__ = ["KeyedReport", "replay_keyed"]

T = TypeVar("T")


class KeyedReport(AwaitedAtOnce, Generic[T]):
    """What a keyed replay found; it never says ``identical``.

    Attributes:
        run: id of the recorded run.
        matched: spawns and questions that were as recorded.
        unused: recorded questions that were never asked.
        difference: the first spawn or question that is not as recorded; the replay stopped there.
        error: what the program raised, if it did.
    """

    def __init__(
        self,
        run: str,
        comparer: KeyedComparer,
        difference: Divergence | None,
        value: T | None,
        error: BaseException | None,
    ) -> None:
        self.run = run
        self.matched = comparer.matched
        self.unused = comparer.unused()
        self.difference = difference
        self.error = error
        self._value = value

    def result(self) -> T:
        """Return what the program returned, or raise what it raised or why it stopped."""
        if self.difference is not None:
            raise WorkflowError(self.difference.summary(), where=self.difference.task)
        if self.error is not None:
            raise self.error
        return self._value  # type: ignore[return-value]  # it is the program's own None then


def replay_keyed(
    reader: LogReader,
    program: Callable[[], T],
    *,
    dialects: tuple[Dialect, ...] | None = None,
    cancellation: Cancellation | None = None,
) -> KeyedReport[T]:
    """Run a program on recorded answers matched by spawn path, kind and index.

    Args:
        reader: the recorded run.
        program: what to run, on this thread.
        dialects: readings of provider exchanges; those installed, if not given.
        cancellation: by which another thread breaks the replay off.

    Raises:
        IntegrityError: the record cannot be read.
        UsageError: another run is on stage and cannot share it.
    """
    with on_stage() as shared, contextlib.closing(Overlay()) as overlay:
        return _replay_keyed(reader, program, dialects, cancellation, overlay, shared=shared)


def _replay_keyed(
    reader: LogReader,
    program: Callable[[], T],
    dialects: tuple[Dialect, ...] | None,
    cancellation: Cancellation | None,
    overlay: Overlay,
    *,
    shared: bool,
) -> KeyedReport[T]:
    index = IdentityIndex(reader)
    started = checked_start(index.started)
    comparer = KeyedComparer(index)
    recorder = Recorder(
        comparer, PartTable(lambda _: bytes(SALT_BYTES)), Scrubber(), index.start_time
    )
    comparer.inputs = inputs = KeyedInputs(index, recorder)
    seed = bytes.fromhex(started.seed)
    recorder.scheduler = scheduler = Scheduler(
        inputs,
        TaskLedger(recorder, seed),
        start=index.start_time,
        monotonic=started.monotonic,
        collect_every=started.flags["collect_every"],
        collect_full_every=started.flags.get("collect_full_every", 1),
        keep_from=started.flags.get("keep_from", 0),
    )
    found = load_dialects() if dialects is None else dialects
    context = DoorContext(
        scheduler, recorder, RecordedWorld(recorder, inputs.note, inputs.next_kind), found
    )
    setting = Setting(started.argv, started.setting)
    context.adapters = active(started.adapters, load_adapters())
    answers = RecordedAnswers(scheduler, inputs, setting, started.flags.get("answers", 1))
    context.files = recorded_files(
        started, recorder, answers, answers.directory, inputs=inputs, overlay=overlay
    )
    stage = Stage(context, answers, seed, write_out, setting, shared=shared)
    if cancellation is not None:
        cancellation.listen(lambda: scheduler.halt(Halted("the replay was cancelled")))
    value: T | None = None
    error: BaseException | None = None
    difference: Divergence | None = None
    try:
        with ProcessGuard(side_of(context, shared=shared)), stage.up():
            recorder.note(started)
            while index.secrets and (index.secrets[0].source or "").startswith("env:"):
                secret = index.secrets.pop(0)
                recorder.register_surrogate(secret)
                recorder.note(secret)
            try:
                value = stage.play(program)
            except Stalled:
                error = WorkflowError("the program waits for an answer that is not recorded")
            except Halted:
                raise
            except BaseException as raised:  # noqa: BLE001 - it is the program's outcome
                error = raised
            end_run(recorder, value, error, tuple)
    except Halted as halted:
        if not isinstance(halted.__cause__, Diverged):
            raise halted.__cause__ or halted from None
        difference = halted.__cause__.divergence
    return KeyedReport(started.run, comparer, difference, value, error)
