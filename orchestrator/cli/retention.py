"""`ritornello retention`: say which runs must stay, may go, or are overdue."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from attestations.whole_files import read_regular
from orchestrator.cli.app import AsJson, InWorkspace, run_verb
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.reading.command_lines import RECORDED_COMMAND, command_line, command_of
from orchestrator.cli.reading.records import opened
from orchestrator.cli.terminal import emit, emit_json, table
from replay.erasure.retention import POLICY_BYTES_MAX, POLICY_FORM, read_policy, retained
from replay.erasure.standing import standing_of
from replay.errors import NotFoundError, ReplayError
from replay.log.workspace import DEFAULT_WORKSPACE, RunSummary, Workspace
from replay.session.record_start import first_record

__all__ = ["main"]


def retention(
    policy: Annotated[Path, typer.Argument(metavar="POLICY.toml", help="Classes and their days.")],
    *,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> int:
    """Say which runs must stay, may go, or are overdue, by class, age and hold.

    A plan only: nothing is deleted. A held run stays whatever its age. Ages count from
    the claimed time at which a run was entered in this workspace. A class names its
    runs by what `ritornello runs` lists as their entry, whole; a run of which that
    cannot be read is of no class.
    0: nothing is overdue. 1: something is.

    Examples:
      ritornello retention policy.toml
      ritornello retention policy.toml --json
    """
    try:
        data = read_regular(policy, POLICY_BYTES_MAX + 1)
    except FileNotFoundError:
        raise NotFoundError("no such policy", where=str(policy), hint=POLICY_FORM) from None
    rules = read_policy(data, str(policy))
    place = Workspace.open(workspace, create=False)
    payloads, runs = place.payloads(), place.runs()
    held = {run.run: bool(standing_of(payloads, run.run).holds) for run in runs}
    entries = {run.run: _entry(run, workspace) for run in runs if run.present}
    unknown = {run for run, entry in entries.items() if entry is None}
    named = [msgspec.structs.replace(run, entry=entries.get(run.run)) for run in runs]
    found = retained(rules, named, held, time.time_ns() // 1000, unknown)
    overdue = any(each.verdict == "overdue" for each in found)
    if as_json:
        emit_json("retention", {"runs": [msgspec.to_builtins(each) for each in found]})
    else:
        rows = [
            (each.run, each.name or "-", str(each.age_days), each.verdict, "held" * each.held)
            for each in found
        ]
        for line in table(("run", "class", "days", "verdict", "hold"), rows):
            emit(line)
    return ExitCode.DIFFERENT if overdue else ExitCode.OK


def _entry(run: RunSummary, workspace: Path) -> str | None:
    """Return what was run, nothing for a run that came in; None if that cannot be read."""
    if run.state == "imported":
        return ""
    if run.entry != RECORDED_COMMAND:
        return run.entry
    try:
        with opened(run.run, workspace) as reader:
            command = command_of(first_record(reader))
    except ReplayError:
        return None
    return run.entry if command is None else command_line(command)


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("retention", retention, arguments)
