"""Resuming: a run that stopped without a seal goes on where its record ends.

A resume is a replay that goes live. The program runs again on its recorded inputs, each consequence
is compared, and when it needs an input that the record does not have, the world answers from there
on: into the same log, which is then sealed like any other. The one invariant: up to that moment
nothing live has happened, and not one byte of the run was changed.
"""

from __future__ import annotations

import atexit
import contextlib
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from replay.doors.context import current
from replay.doors.state.adapters import absent_adapters, active
from replay.errors import IntegrityError, NotFoundError, UsageError
from replay.events.kinds import RunSealed
from replay.events.payload import decode_payload
from replay.files.overlay import Overlay
from replay.guard.process import ProcessGuard, is_guarded
from replay.log.duckdb_schema import LOG_NAME
from replay.log.lock import RunLock
from replay.log.stored_run import StoredRun
from replay.log.workspace import DEFAULT_WORKSPACE, Workspace
from replay.session.extensions import load_adapters, load_dialects
from replay.session.patience import Patience
from replay.session.record import SCHEDULER_FLAGS
from replay.session.record_start import absent_dialects, started_in
from replay.session.resuming.log import ResumedLog
from replay.session.resuming.report import Choices, Resumption, ResumptionReport
from replay.session.resuming.session import ResumedSession
from replay.session.sharing import on_stage
from replay.sources.history import ErasedPayloadError, History
from replay.sources.live import LiveClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.doors.dialect import Dialect
    from replay.doors.state.adapter import Adapter
    from replay.events.kinds import RunStarted
    from replay.log.fsck import RunCheck
    from replay.log.port import LogReader
    from replay.session.awaiting import Cancellation
    from replay.session.ending import Reason
    from replay.session.resuming.report import ResumptionVerdict

__all__ = ["refuse_other_engine", "resume_program"]

T = TypeVar("T")

_NO_CHOICES: Final = Choices()


def resume_program(
    program: Callable[[], T],
    run: str,
    *,
    workspace: Path | str = DEFAULT_WORKSPACE,
    choices: Choices = _NO_CHOICES,
    dialects: tuple[Dialect, ...] | None = None,
    adapters: tuple[Adapter, ...] | None = None,
    cancellation: Cancellation | None = None,
    guard: ProcessGuard | None = None,
    give_up: Callable[[ResumptionReport], None] | None = None,
    sources: Callable[[], list[str]] | None = None,
) -> Resumption[T]:
    """Let a run go on that stopped without a seal.

    Args:
        program: what was recorded, to be run on this thread.
        run: the run's id, a unique beginning of it, or ``last``.
        workspace: directory that holds the runs.
        choices: what becomes of effects in flight, and where secrets may go.
        dialects: readings of provider exchanges; those installed, if not given.
        adapters: readings of frameworks' state; those installed, if not given.
        cancellation: by which another thread asks the run to end, once it is live.
        guard: refuses ways out before the run is live.
        give_up: takes the report on a program that was stopped and does not end, on another
            thread; it ends the process.
        sources: gives the program's own source files once it has ended; those that the function
            reaches, if not given.

    Returns:
        What came of it; a difference is a value in it, not an exception.

    Raises:
        NotFoundError: there is no such run, nothing of it was recorded, or the value of a secret
            is not there.
        UsageError: the run is sealed, came from elsewhere, or was recorded by another engine.
        ResumeError: a file or a host is not what it was.
        IntegrityError: the record is damaged.
        LogError: the run is being written, or cannot be.
    """
    if current() is not None or is_guarded():
        raise UsageError("a run is being recorded or replayed already")
    place = Workspace.open(Path(workspace), create=False)
    directory = place.run_directory(run)
    summary = {known.run: known for known in place.runs()}.get(directory.name)
    if summary is None or summary.state == "imported":
        raise UsageError(
            "the run came from elsewhere, and goes on only where it was recorded",
            where=str(directory),
        )
    if not (directory / LOG_NAME).is_file():
        raise NotFoundError("nothing of the run was recorded", hint="record it anew")
    with contextlib.ExitStack() as stack:
        lock = RunLock.claim(directory)
        stack.callback(lock.release)
        reader = StoredRun.of(place, directory, lock=lock.borrowed())
        stack.callback(reader.close)
        checked = reader.check()
        if checked.integrity != "ok":
            first = checked.findings[0].message if checked.findings else "see verify"
            raise IntegrityError(f"the record is damaged: {first}", where=str(directory))
        if not checked.events:
            raise NotFoundError("nothing of the run was recorded", hint="record it anew")
        if checked.completeness == "sealed":
            return _closed(place, directory, checked, reader, is_open=summary.state == "open")
        history = History(reader)
        try:
            started = started_in(history)
        except ErasedPayloadError as error:
            return Resumption(_report(directory, checked, "erased", str(error)), None)
        refuse_other_engine(started)
        found = load_dialects() if dialects is None else dialects
        adapted = load_adapters() if adapters is None else adapters
        absent = absent_dialects(started, found) or absent_adapters(started.adapters, adapted)
        if absent:
            return Resumption(_report(directory, checked, "incomplete", absent), None)
        shared = stack.enter_context(on_stage())
        log = ResumedLog(directory, reader, lock)
        stack.callback(log.close)
        # The process may end while a run is under way on a thread that nobody waits for.
        atexit.register(log.close)
        stack.callback(atexit.unregister, log.close)
        overlay = stack.enter_context(contextlib.closing(Overlay()))
        session: ResumedSession[T] = ResumedSession(
            history,
            started,
            found,
            overlay,
            log,
            place,
            choices,
            guard or ProcessGuard(),
            shared=shared,
        )
        session.sources = sources
        session.context.adapters = active(started.adapters, adapted)
        if cancellation is not None:
            cancellation.listen(session.cancel)
        if give_up is not None:
            tell = give_up
            stack.enter_context(
                Patience(session.scheduler, lambda: tell(session.judge(session.scheduler.halted)))
            )
        return _told(session.play(program), started)


def _told(resumption: Resumption[T], started: RunStarted) -> Resumption[T]:
    """Add to the report of a fork that went on what is special about it."""
    origin, report = started.forked_from, resumption.report
    if origin is None or report.verdict != "sealed":
        return resumption
    note = (
        f"it is a fork of run {origin.run}: what it had not asked by then went out, also what that"
        " run has an answer to"
    )
    report = msgspec.structs.replace(report, notes=(*report.notes, note))
    return Resumption(report, resumption.recording)


def _closed(
    place: Workspace, directory: Path, checked: RunCheck, reader: LogReader, *, is_open: bool
) -> Resumption[T]:
    """Enter the end of a run that is sealed already, if only that is missing.

    Raises:
        UsageError: nothing is missing.
    """
    if not is_open:
        raise UsageError(
            "the run is sealed: it came to its end",
            where=str(directory),
            hint="`ritornello replay` runs it again",
        )
    reason = _reason(reader)
    root = bytes.fromhex(checked.root)
    place.close_run(directory.name, checked.events, root, reason, LiveClock().start)
    note = "the run was sealed already; its end is entered in the workspace now"
    report = _report(directory, checked, "sealed", note, reason=reason)
    return Resumption(report, None)


def _reason(reader: LogReader) -> Reason:
    """Return the reason that a seal gives."""
    last = next(reader.entries(reader.size() - 1))
    payload, _ = decode_payload(
        last.header.media, History(reader).raw_payload(last), last.header.seq
    )
    return payload.reason if isinstance(payload, RunSealed) else "failed"


def refuse_other_engine(started: RunStarted) -> None:
    """Refuse a run whose rules of recording are not ours: half of its record would be made by each.

    Raises:
        UsageError: it is one.
    """
    ours = {**SCHEDULER_FLAGS, "collect_every": started.flags["collect_every"]}
    if started.flags != ours:
        raise UsageError(
            "the run was recorded by an engine with other rules",
            hint="use the version of ritornello that recorded it",
        )
    python = dict(started.versions).get("python", "")
    if python.split(".")[:2] != platform.python_version().split(".")[:2]:
        raise UsageError(
            f"the run was recorded by Python {python}, this is {platform.python_version()}",
            hint="use the Python that recorded it",
        )


def _report(
    directory: Path,
    checked: RunCheck,
    verdict: ResumptionVerdict,
    note: str,
    *,
    reason: Reason | None = None,
) -> ResumptionReport:
    return ResumptionReport(
        verdict=verdict,
        run=directory.name,
        directory=str(directory),
        resumed_at=checked.events,
        events=checked.events,
        root=checked.root,
        reason=reason,
        notes=(note,),
    )
