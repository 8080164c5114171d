"""`ritornello record`: run a Python program and record it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from orchestrator.cli.app import AsJson, InWorkspace, run_verb, trouble_of
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.gate.admission import Admission, admit_program
from orchestrator.cli.gate.trust_layers import InPolicy
from orchestrator.cli.reading.coverage import (
    EVENTS_MAX,
    coverage_fields,
    coverage_lines,
    coverage_of,
)
from orchestrator.cli.replay import VERDICT_CODES, report_lines, task_paths
from orchestrator.cli.terminal import emit_json, inert, say
from replay.errors import ReplayError
from replay.log.workspace import DEFAULT_WORKSPACE
from replay.session.command_line import parse_command
from replay.session.launcher import LaunchedProgram, launch_recording
from replay.session.messages import Recorded
from replay.session.proving import Proof
from replay.session.proving import prove as prove_recording

__all__ = ["code_of_proof", "main", "report_recording"]


def record(
    command: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND...", help="A command that starts Python.")
    ],
    *,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
    prove: Annotated[
        bool,
        typer.Option(
            "--prove",
            help="Replay at once, in another directory, heap, time zone, locale and hash seed.",
        ),
    ] = False,
    policy: InPolicy = None,
) -> int:
    """Run a Python program and record it; exit with the program's code.

    The program's output is its own; ours goes to standard error. With --json our
    report alone is on standard output, and the program's goes to standard error.
    With --prove the exit code is that of the replay, unless the program's is not 0.

    Examples:
      ritornello record -- python agent.py --topic tides
      ritornello record -- python -m my_agent
      ritornello record -- uv run agent.py
      ritornello record --json -- my-installed-agent > report.json
      ritornello record --prove -- python agent.py
    """
    program = parse_command(command)
    admission = admit_program(program, policy)
    outcome = launch_recording(
        program, workspace, output_to_stderr=as_json, conditions=admission.conditions
    )
    proof, trouble = None, None
    if prove and isinstance(outcome.answer, Recorded):
        try:
            proof = prove_recording(outcome.answer, workspace, admission.conditions)
        except ReplayError as error:
            trouble = error  # the run is there all the same, and has to be told of first
    code = report_recording("record", outcome, workspace, admission, as_json=as_json, proof=proof)
    if trouble is not None:
        say(*trouble_of(trouble)[0])
        return code or trouble_of(trouble)[1]
    return code or (ExitCode.OK if proof is None else code_of_proof(proof))


def code_of_proof(proof: Proof) -> ExitCode:
    """Return what `replay` would have ended with; that the hash seed matters is no failure."""
    if proof.holds:
        return ExitCode.OK
    report = next(t.report for t in proof.trials if t.name == "surroundings" and not t.repeats)
    return ExitCode.NOT_JUDGED if report is None else VERDICT_CODES[report.verdict]


def report_recording(
    verb: str,
    outcome: LaunchedProgram,
    workspace: Path,
    admission: Admission,
    *,
    as_json: bool,
    proof: Proof | None = None,
) -> int:
    """Say what became of a recorded program; return its exit code."""
    recorded = outcome.answer
    if outcome.killed_by is not None:
        say(
            f"ritornello: the program's process was killed by signal {outcome.killed_by} before the"
            " engine was up in it; nothing of the program ran, and nothing was recorded",
            "  try: the same command again",
        )
        if as_json:
            emit_json(verb, {"run": None, "reason": None, "exit_code": outcome.exit_code})
        return outcome.exit_code
    if not isinstance(recorded, Recorded):
        say(
            # The engine was up, but a kill may have come before the run was entered.
            "ritornello: the program's process ended without returning to the engine; its run, if"
            " it had begun, stays open, and can be resumed",
            f"  where: {inert(str(workspace))}; `ritornello verify --workspace` names such runs",
            "  try: `ritornello resume RUN` lets it go on where its record ends;"
            " `ritornello runs` lists it",
        )
        if as_json:
            emit_json(verb, {"run": None, "reason": "open", "exit_code": outcome.exit_code})
        return outcome.exit_code
    coverage = None
    if recorded.events <= EVENTS_MAX:
        coverage = coverage_of(recorded.run, workspace)
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
                "coverage": None if coverage is None else coverage_fields(coverage),
                "proof": None if proof is None else msgspec.to_builtins(proof),
                **admission.fields(),
            },
        )
    else:
        say(*admission.lines())
        say(
            f"ritornello: run {recorded.run}, {recorded.reason}, {recorded.events} events",
            f"            root {recorded.root}",
        )
        if coverage is not None:
            say(*(f"            {line}" for line in coverage_lines(coverage)))
        if proof is not None:
            say(*_proof_lines(proof, recorded.run, workspace))
    return outcome.exit_code


def _proof_lines(proof: Proof, run: str, workspace: Path) -> Iterator[str]:
    for trial in proof.trials:
        if trial.repeats:
            continue
        if trial.name == "hash seed":
            yield (
                "ritornello: proven with the recorded PYTHONHASHSEED; under another one the program"
                " does something else (it goes through a set of strings, most likely)"
            )
        elif trial.report is None:
            yield "ritornello: not proven: its replay ended without returning to the engine"
        elif trial.report.verdict == "diverged":
            yield "ritornello: not proven: under other conditions the program does something else"
        else:
            yield f"ritornello: not proven: its replay is {trial.report.verdict}"
        if trial.report is not None:
            yield from report_lines(trial.report, lambda: task_paths(run, workspace))
        return
    yield "ritornello: proven: identical in another directory, heap, zone, locale and hash seed"


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("record", record, arguments, takes_command=True, starts_program=True)
