"""`ritornello runs`: list the runs of the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from orchestrator.cli.app import AsJson, InWorkspace, run_verb
from orchestrator.cli.reading.command_lines import command_line, command_of
from orchestrator.cli.reading.records import opened
from orchestrator.cli.terminal import emit, emit_json, inert, instant, say, table
from replay.errors import ReplayError
from replay.log.workspace import DEFAULT_WORKSPACE, RunSummary, Workspace
from replay.session.record_start import first_record

__all__ = ["main"]

_ENTRY_MAX: Final = 60
#: Runs whose record is opened to say what was run; the newest, since each takes some milliseconds.
_OPENED_MAX: Final = 100


def runs(*, workspace: InWorkspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> int:
    """List the runs of the workspace, in the order in which they were entered.

    A command is shown as its record has it, so with surrogates for secrets. That of
    the newest 100 runs is looked up; --json says in `command` what is listed, and in
    `status` the word under STATE.
    `running` is a run that a process writes now. `open` is one that stopped without
    its end, by a crash or a kill: `ritornello resume` lets it go on.

    Examples:
      ritornello runs
      ritornello runs --workspace ../.ritornello --json
    """
    place = Workspace.open(workspace, create=False)
    found = place.runs()
    running = {
        run.run
        for run in found
        if run.state == "open" and run.present and place.is_written(run.run)
    }
    seen = _seen(found, workspace)
    if as_json:
        nothing = _Seen()
        listed = [
            {
                **msgspec.to_builtins(run),
                "command": seen.get(run.run, nothing).command,
                "started_us": seen.get(run.run, nothing).started_us,
                "running": run.run in running,
                "status": _status(run, running=run.run in running),
            }
            for run in found
        ]
        emit_json("runs", {"runs": listed})
        return 0
    if not found:
        say("there is no run yet; `ritornello record -- python …` makes one")
        return 0
    head = ("RUN", "STARTED", "STATE", "EVENTS", "ENTRY")
    rows = [_row(run, seen.get(run.run) or _Seen(), running=run.run in running) for run in found]
    for line in table(head, rows):
        emit(line)
    return 0


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a run's own first record says."""

    command: list[str] | None = None
    started_us: int | None = None


def _seen(found: Sequence[RunSummary], workspace: Path) -> dict[str, _Seen]:
    """Look into the newest runs that can be read."""
    seen: dict[str, _Seen] = {}
    for run in [run for run in found if run.present][-_OPENED_MAX:]:
        try:
            with opened(run.run, workspace) as reader:
                started = first_record(reader)
                (first,) = reader.entries(0, 1)
        except ReplayError:
            continue  # the list is of what the workspace log says; `verify` names what is wrong
        seen[run.run] = _Seen(command=command_of(started), started_us=first.header.time)
    return seen


def _status(run: RunSummary, *, running: bool) -> str:
    """Return how a run stands, in the word that a person is shown."""
    if running:
        return "running"
    return (run.reason or run.state) if run.state == "closed" else run.state


def _row(run: RunSummary, seen: _Seen, *, running: bool) -> tuple[str, ...]:
    command = seen.command
    state = _status(run, running=running)
    entry = run.entry or "-"
    if command is not None:
        entry = inert(command_line(command), _ENTRY_MAX)
    return (
        run.run,
        instant(seen.started_us or run.registered_us),
        state if run.present else f"{state}, gone",
        "-" if run.size is None else str(run.size),
        entry if len(entry) <= _ENTRY_MAX else "…" + entry[-_ENTRY_MAX:],
    )


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("runs", runs, arguments)
