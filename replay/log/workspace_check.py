"""What a workspace's log says about its runs, and whether that is what is there.

The one invariant: looking changes nothing on disk, and waits for no recorder.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from replay.errors import IntegrityError
from replay.events.entry import Entry
from replay.events.header import Header
from replay.events.workspace_kinds import (
    WORKSPACE_CATALOGUE,
    RunClosed,
    RunErased,
    RunExported,
    RunImported,
    RunRegistered,
    RunResumed,
    WorkspacePayload,
)
from replay.log.fsck import check_workspace_records
from replay.log.lock import is_written
from replay.log.record_check import Finding, HeadState
from replay.log.workspace_log import WorkspaceLog, payloads_of

__all__ = [
    "OpenRun",
    "RunSummary",
    "WorkspaceCheck",
    "check_workspace",
    "directories_in",
    "summarize",
]


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What the workspace log says about one run.

    Attributes:
        run: the run's id.
        entry: what was run; None for a run that came in from a bundle.
        state: ``open`` until it was closed; ``imported`` if it came from a bundle.
        registered_us: claimed time of its first record here, microseconds since the Unix epoch.
        closed_us: claimed time of its end.
        size: number of its records, once known.
        root: hex root over them, once known.
        reason: why it ended.
        exports: how many bundles of it were written.
        resumes: how often it went on after a crash.
        present: whether its directory is there.
    """

    run: str
    entry: str | None
    state: Literal["open", "closed", "imported"]
    registered_us: int
    closed_us: int | None = None
    size: int | None = None
    root: str | None = None
    reason: str | None = None
    exports: int = 0
    resumes: int = 0
    present: bool = False


class OpenRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that started and was never closed.

    Attributes:
        run: the run's id.
        directory: ``present``, ``gone``, or ``locked`` by a live process.
    """

    run: str
    directory: Literal["present", "gone", "locked"]


class WorkspaceCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What the check of a workspace came to.

    Attributes:
        integrity: of the log itself: ``ok`` if there is no finding.
        events: records of the log.
        root: hex root of the tree over them.
        head: how the head beside the log compares with it.
        torn_bytes: what an interrupted append left behind; harmless, the next one cuts it off.
        open_runs: runs that started and were never closed, in order.
        gone: closed or imported runs whose directory is gone, in order.
        unnamed: directories that no record names, by name.
        findings: what is wrong with the log.
    """

    integrity: Literal["ok", "failed"]
    events: int
    root: str
    head: HeadState
    torn_bytes: int
    open_runs: tuple[OpenRun, ...]
    gone: tuple[str, ...]
    unnamed: tuple[str, ...]
    findings: tuple[Finding, ...]


def summarize(entries: Iterable[Entry], runs: Path) -> tuple[RunSummary, ...]:
    """Fold the records of a workspace log into one summary for each run, in order.

    Args:
        entries: the records, in order.
        runs: the directory of the runs' directories.

    Raises:
        IntegrityError: a record cannot be read.
    """
    found: dict[str, RunSummary] = {}
    payloads = list(payloads_of(entries))
    erased = _registered_before(payloads)
    for header, payload in payloads:
        time_us = header.time
        if payload is None and header.seq in erased:
            found[erased[header.seq]] = RunSummary(
                run=erased[header.seq], entry=None, state="open", registered_us=time_us
            )
        elif isinstance(payload, RunRegistered):
            found.setdefault(
                payload.run,
                RunSummary(
                    run=payload.run, entry=payload.entry, state="open", registered_us=time_us
                ),
            )
        elif isinstance(payload, RunImported):
            found.setdefault(
                payload.run,
                RunSummary(
                    run=payload.run,
                    entry=None,
                    state="imported",
                    registered_us=time_us,
                    size=payload.size,
                    root=payload.root,
                ),
            )
        elif isinstance(payload, RunClosed) and payload.run in found:
            found[payload.run] = msgspec.structs.replace(
                found[payload.run],
                state="closed",
                closed_us=time_us,
                size=payload.size,
                root=payload.root,
                reason=payload.reason,
            )
        elif isinstance(payload, RunResumed) and payload.run in found:
            run = found[payload.run]
            found[payload.run] = msgspec.structs.replace(run, resumes=run.resumes + 1)
        elif isinstance(payload, RunExported) and payload.run in found:
            run = found[payload.run]
            found[payload.run] = msgspec.structs.replace(run, exports=run.exports + 1)
    there = set(directories_in(runs))
    return tuple(msgspec.structs.replace(run, present=run.run in there) for run in found.values())


def check_workspace(log: WorkspaceLog, runs: Path) -> WorkspaceCheck:
    """Check the log, then compare what it names with the directories that are there."""
    findings: list[Finding] = []
    head = None
    try:
        head = log.head()
    except IntegrityError as error:
        findings.append(Finding(code="head", seq=None, message=error.message))
    entries, torn_bytes, damage = log.readable()
    root, head_state, wrong = check_workspace_records(
        entries, roles=WORKSPACE_CATALOGUE, first_kind="WorkspaceCreated", head=head
    )
    findings += wrong
    if damage is not None:
        findings.append(Finding(code="frame", seq=len(entries), message=damage))
    if torn_bytes and head is None and entries:
        findings.append(
            Finding(code="tail", seq=None, message="the end cannot be read, and the head is gone")
        )
    try:
        summaries = summarize(entries, runs)
        findings += _contradictions(entries)
    except IntegrityError as error:
        findings.append(Finding(code="unreadable", seq=None, message=error.message))
        summaries = ()
    named = {run.run for run in summaries}
    return WorkspaceCheck(
        integrity="failed" if findings else "ok",
        events=len(entries),
        root=root,
        head=head_state,
        torn_bytes=torn_bytes,
        open_runs=tuple(_open_run(run, runs) for run in summaries if run.state == "open"),
        gone=tuple(run.run for run in summaries if run.state != "open" and not run.present),
        unnamed=tuple(name for name in directories_in(runs) if name not in named),
        findings=tuple(findings),
    )


def directories_in(path: Path) -> list[str]:
    """Return the names of the directories in a directory, sorted; links are not followed."""
    if not path.is_dir():
        return []
    with os.scandir(path) as names:
        return sorted(name.name for name in names if name.is_dir(follow_symlinks=False))


def _contradictions(entries: Iterable[Entry]) -> Iterator[Finding]:
    """Find runs that were entered or closed twice, or that ended without having begun."""
    payloads = list(payloads_of(entries))
    # A command line that was erased had entered the run, as the record of the erasure says.
    entered = set(_registered_before(payloads).values())
    closed: set[str] = set()
    for header, payload in payloads:
        seq = header.seq
        if isinstance(payload, RunRegistered | RunImported):
            # A run that was here before may come back from its bundle.
            if payload.run in entered and isinstance(payload, RunRegistered):
                message = f"run {payload.run} was entered before"
                yield Finding(code="registered-twice", seq=seq, message=message)
            entered.add(payload.run)
        elif isinstance(payload, RunClosed | RunExported | RunResumed):
            if payload.run not in entered:
                message = f"run {payload.run} was never entered"
                yield Finding(code="unregistered", seq=seq, message=message)
            if isinstance(payload, RunResumed) and payload.run in closed:
                message = f"run {payload.run} went on after its end"
                yield Finding(code="resumed-closed", seq=seq, message=message)
            if isinstance(payload, RunClosed):
                if payload.run in closed:
                    message = f"run {payload.run} was closed before"
                    yield Finding(code="closed-twice", seq=seq, message=message)
                closed.add(payload.run)


def _registered_before(
    payloads: Iterable[tuple[Header, WorkspacePayload | None]],
) -> dict[int, str]:
    """Return the records that entered a run and were erased, and which run it was."""
    payloads = list(payloads)
    gone = {header.seq for header, payload in payloads if payload is None}
    return {
        seq: payload.run
        for _, payload in payloads
        if isinstance(payload, RunErased)
        for seq in payload.registered
        if seq in gone
    }


def _open_run(run: RunSummary, runs: Path) -> OpenRun:
    if not run.present:
        return OpenRun(run=run.run, directory="gone")
    return OpenRun(run=run.run, directory="locked" if is_written(runs / run.run) else "present")
