"""`ritornello runs`: list the runs of the workspace."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from orchestrator.cli.app import AsJson, InWorkspace, run_verb
from orchestrator.cli.terminal import emit, emit_json, instant, say, table
from replay.log.workspace import RunSummary, Workspace
from replay.session.record import DEFAULT_WORKSPACE

__all__ = ["main"]

_ENTRY_MAX = 40


def runs(*, workspace: InWorkspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> int:
    """List the runs of the workspace, in the order in which they were entered.

    Examples:
      ritornello runs
      ritornello runs --workspace ../.ritornello --json
    """
    found = Workspace.open(workspace, create=False).runs()
    if as_json:
        emit_json("runs", {"runs": msgspec.to_builtins(found)})
        return 0
    if not found:
        say("there is no run yet; `ritornello record -- python …` makes one")
        return 0
    head = ("RUN", "STARTED", "STATE", "EVENTS", "ENTRY")
    for line in table(head, map(_row, found)):
        emit(line)
    return 0


def _row(run: RunSummary) -> tuple[str, ...]:
    state = (run.reason or run.state) if run.state == "closed" else run.state
    entry = run.entry or "-"
    return (
        run.run,
        instant(run.registered_us),
        state if run.present else f"{state}, gone",
        "-" if run.size is None else str(run.size),
        entry if len(entry) <= _ENTRY_MAX else "…" + entry[-_ENTRY_MAX:],
    )


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("runs", runs, arguments)
