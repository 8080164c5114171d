"""`ritornello record`: run a Python program and record it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import AsJson, InWorkspace, run_verb
from orchestrator.cli.terminal import emit_json, inert, say
from replay.session.command_line import parse_command
from replay.session.launcher import LaunchedProgram, launch_recording
from replay.session.messages import Recorded
from replay.session.record import DEFAULT_WORKSPACE

__all__ = ["main", "report_recording"]


def record(
    command: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND...", help="A command that starts Python.")
    ],
    *,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> int:
    """Run a Python program and record it; exit with the program's code.

    The program's output is its own; ours goes to standard error. With --json our
    report alone is on standard output, and the program's goes to standard error.

    Examples:
      ritornello record -- python agent.py --topic tides
      ritornello record -- python -m my_agent
      ritornello record --json -- my-installed-agent > report.json
    """
    program = parse_command(command)
    outcome = launch_recording(program, workspace, output_to_stderr=as_json)
    return report_recording("record", outcome, workspace, as_json=as_json)


def report_recording(verb: str, outcome: LaunchedProgram, workspace: Path, *, as_json: bool) -> int:
    """Say what became of a recorded program; return its exit code."""
    recorded = outcome.answer
    if not isinstance(recorded, Recorded):
        say(
            "ritornello: the program's process ended without returning to the engine; its run stays"
            " open",
            f"  where: {inert(str(workspace))}; `ritornello verify --workspace` names such runs",
        )
        if as_json:
            emit_json(verb, {"run": None, "reason": "open", "exit_code": outcome.exit_code})
        return outcome.exit_code
    if as_json:
        emit_json(
            verb,
            {
                "run": recorded.run,
                "reason": recorded.reason,
                "events": recorded.events,
                "root": recorded.root,
                "directory": recorded.directory,
                "exit_code": recorded.exit_code,
            },
        )
    else:
        say(
            f"ritornello: run {recorded.run}, {recorded.reason}, {recorded.events} events",
            f"            root {recorded.root}",
        )
    return outcome.exit_code


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("record", record, arguments, takes_command=True)
