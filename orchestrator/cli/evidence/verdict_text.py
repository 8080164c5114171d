"""What `verify` found, printed for people: one run whole, one of several in a line, a workspace."""

from __future__ import annotations

from pathlib import Path

from orchestrator.cli.evidence.verdict_report import (
    code_of_verdicts,
    events_of,
    finding_line,
    unmet_lines,
    verdict_lines,
)
from orchestrator.cli.evidence.verifying import Verified
from orchestrator.cli.terminal import counted, emit, inert, paint
from replay.log.workspace import WorkspaceCheck

__all__ = ["print_run", "print_short", "print_workspace"]


def print_short(name: str, found: Verified) -> None:
    """Print one of several in a line, and below it why it is not what is required."""
    verdicts = found.verdicts
    emit(
        f"{inert(name)}: integrity {verdicts.integrity.value}, completeness"
        f" {verdicts.completeness.value}, {events_of(found)}"
    )
    _print_problems(found, 1)
    for line in unmet_lines(found) if code_of_verdicts(found) else ():
        emit(line)


def print_run(found: Verified) -> None:
    """Print what was found about one run or bundle."""
    checked, identity = found.check, found.identity
    holes = checked.holes
    if identity is not None:
        emit(f"bundle        {identity or '-'}")
    emit(f"run           {inert(checked.run or '-')}")
    for line in (*verdict_lines(found, "integrity"), *verdict_lines(found, "completeness")):
        emit(line)
    if checked.observed:
        emit("evidence      observed, not replay-verified")
    for line in (*verdict_lines(found, "authenticity"), *verdict_lines(found, "anchoring")):
        emit(line)
    if not found.unread:
        inputs = counted(checked.inputs, "input")
        emit(f"events        {checked.events} ({inputs}, {checked.derived} derived)")
        emit(f"root          {checked.root}")
        emit(f"head          {checked.head}")
        emit(
            f"holes         {holes.erased} erased, {holes.withheld} withheld,"
            f" {holes.missing} missing"
        )
    if checked.unknown_kinds:
        emit(f"unknown kinds {counted(checked.unknown_kinds, 'record')}")
    for line in found.beside_lines:
        emit(line)
    _print_problems(found)
    for line in unmet_lines(found):
        emit(line)


def print_workspace(found: WorkspaceCheck, verified: Verified, path: Path) -> None:
    """Print what was found about the log of a workspace, and of the runs that it names."""
    emit(f"workspace     {inert(str(path))}")
    emit(f"integrity     {paint(found.integrity, 'green' if found.integrity == 'ok' else 'red')}")
    for line in verdict_lines(verified, "anchoring"):
        emit(line)
    emit(f"records       {found.events}")
    emit(f"root          {found.root}")
    emit(f"head          {found.head}")
    for run in found.open_runs:
        what = {
            "present": "started and was never sealed",
            "gone": "started, was never sealed, and its directory is gone",
            "locked": "is being recorded",
        }[run.directory]
        emit(f"run {inert(run.run)} {what}")
    for name in found.gone:
        emit(f"run {inert(name)} was recorded, and its directory is gone")
    for name in found.unnamed:
        emit(f"directory {inert(name)} is named by no record")
    _print_problems(verified)
    for line in unmet_lines(verified):
        emit(line)


def _print_problems(found: Verified, limit: int | None = None) -> None:
    """Print what is wrong with the records; the other verdicts' findings come after it."""
    problems = found.verdicts.integrity.findings
    for finding in problems[:limit]:
        emit(finding_line(finding))
    omitted = len(problems[limit:]) if limit is not None else 0
    omitted += found.run.omitted if found.run is not None else 0
    if omitted:
        emit(f"              and {omitted} more")
