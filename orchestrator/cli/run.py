"""`ritornello run`: record a workflow of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from orchestrator.cli.app import AsJson, InWorkspace, run_verb
from orchestrator.cli.gate.admission import admit_program
from orchestrator.cli.gate.trust_layers import InPolicy
from orchestrator.cli.record import report_recording
from replay.errors import NotFoundError, UsageError
from replay.log.workspace import DEFAULT_WORKSPACE
from replay.session.launcher import launch_recording
from replay.session.messages import Call

__all__ = ["main"]


def run(
    entry: Annotated[
        str, typer.Argument(metavar="FILE.py[:FUNCTION]", help="The workflow's file and name.")
    ],
    arguments: Annotated[
        str,
        typer.Argument(
            metavar="[JSON]", help="Arguments: an array (by place) or an object (by name)."
        ),
    ] = "",
    *,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    policy: InPolicy = None,
    as_json: AsJson = False,
) -> int:
    """Record one call of a workflow; exit with 0 if it returned, 1 if it raised.

    Without FUNCTION it is the one function of the file that is marked with
    @replay.workflow, or else `main`. The file is imported before the run begins, so
    work that its import does is refused; `ritornello record` takes whole programs.

    Examples:
      ritornello run agent.py
      ritornello run agent.py:review '{"topic": "tides"}'
      ritornello run agent.py:review '["tides", 3]' --json
    """
    file, _, function = entry.partition(":")
    if not file.endswith(".py"):
        raise UsageError(f"{entry!r} names no Python file", hint="FILE.py or FILE.py:FUNCTION")
    if not Path(file).is_file():
        raise NotFoundError(
            "there is no such file",
            where=str(Path(file).absolute()),
            hint="name the workflow's file: FILE.py or FILE.py:FUNCTION",
        )
    if arguments:
        try:
            msgspec.json.decode(arguments, type=list[object] | dict[str, object])
        except msgspec.MsgspecError as error:
            raise UsageError(
                f"the arguments are no JSON array or object: {error}", where=arguments[:80]
            ) from None
    call = Call(file=file, function=function, arguments=arguments)
    admission = admit_program(call, policy)
    outcome = launch_recording(
        call, workspace, output_to_stderr=as_json, conditions=admission.conditions
    )
    return report_recording("run", outcome, workspace, admission, as_json=as_json)


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("run", run, arguments, starts_program=True)
