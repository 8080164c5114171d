"""`ritornello resume`: let a run go on that stopped without a seal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from orchestrator.cli.app import AsJson, InWorkspace, run_verb
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.gate.admission import admit_run
from orchestrator.cli.gate.elsewhere import refuse_elsewhere
from orchestrator.cli.gate.trust_layers import InPolicy
from orchestrator.cli.reading.hindrance import hindrance_lines
from orchestrator.cli.terminal import counted, emit_json, inert, say
from replay.log.workspace import DEFAULT_WORKSPACE
from replay.session.messages import Resumed
from replay.session.resuming.launch import launch_resume
from replay.session.resuming.report import Choices, ResumptionReport, ResumptionVerdict

__all__ = ["main"]

_CODES: Final[dict[ResumptionVerdict, ExitCode]] = {
    "asks": ExitCode.REFUSED,
    "diverged": ExitCode.DIFFERENT,
    "erased": ExitCode.REFUSED,
    "incomplete": ExitCode.NOT_JUDGED,
    "refused": ExitCode.REFUSED,
}
_SHOWN_MAX: Final = 300


def resume(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN|last", help="A run id or the beginning of one, or `last`."),
    ],
    *,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    directory: Annotated[
        Path | None,
        typer.Option("--in", metavar="DIR", help="Start the program in DIR, not where it was."),
    ] = None,
    again: Annotated[
        list[int] | None,
        typer.Option("--again", metavar="SEQ", help="Do this effect in flight again."),
    ] = None,
    fail: Annotated[
        list[int] | None,
        typer.Option("--fail", metavar="SEQ", help="Let this effect in flight fail."),
    ] = None,
    secret_to: Annotated[
        list[str] | None,
        typer.Option("--secret-to", metavar="HOST", help="Secrets may go to HOST, too."),
    ] = None,
    policy: InPolicy = None,
    as_json: AsJson = False,
) -> int:
    """Let a run go on that stopped without a seal: a crash, a kill, a power cut.

    The program runs again on its record; where that ends, the world answers. Output
    of the recorded part is shown again. Requests that were in flight are sent again;
    effects in flight as they declare. Ends with the program's code, as `record` does.
    Where the program goes another way than its record, nothing live happens and the
    run stays what it was: 1. So it does where somebody has to decide: 6.

    Examples:
      ritornello resume last
      ritornello resume 01M7YB --again 412 --fail 413
      ritornello resume last --json > resumed.json
    """
    refuse_elsewhere(run, workspace)
    admission = admit_run(run, workspace, directory, policy)
    choices = Choices(
        again=frozenset(again or ()),
        fail=frozenset(fail or ()),
        secret_to=frozenset(secret_to or ()),
        decided=admission.kept(),
    )
    outcome = launch_resume(
        run,
        workspace,
        choices,
        directory=directory,
        output_to_stderr=as_json,
        conditions=admission.conditions,
    )
    if not isinstance(outcome.answer, Resumed):
        say(
            "ritornello: the program's process ended without returning to the engine; its run stays"
            " open, and can be resumed",
            f"  where: {inert(str(workspace))}; `ritornello verify --workspace` names such runs",
            f"  try: `ritornello resume {inert(run)}` lets it go on where its record ends",
        )
        if as_json:
            emit_json("resume", {"run": None, "verdict": None, "exit_code": outcome.exit_code})
        return outcome.exit_code
    report = outcome.answer.report
    code = _CODES.get(report.verdict, outcome.answer.exit_code)
    if as_json:
        fields: dict[str, object] = msgspec.to_builtins(report)
        emit_json("resume", {**fields, **admission.fields(), "exit_code": int(code)})
    else:
        say(*admission.lines(), *_lines(report))
    return code


def _lines(report: ResumptionReport) -> Iterator[str]:
    if report.verdict == "sealed":
        yield (
            f"ritornello: run {inert(report.run)}, {report.reason}, {report.events} events;"
            f" it went on at {report.resumed_at}"
        )
        yield f"            root {report.root}"
        for each in (*report.requests_sent_again, *report.effects_again):
            differed = "; its answer was another, so the connection broke" if each.differed else ""
            yield f"            again: event {each.seq}, {inert(each.name, _SHOWN_MAX)}{differed}"
        for seq in report.failed:
            yield f"            failed: event {seq}"
    elif report.verdict == "asks":
        yield "ritornello: these had no answer when the run stopped; nothing was done"
        for effect in report.undecided:
            where = f" at {inert(effect.place)}" if effect.place else ""
            yield f"  event {effect.seq}: {inert(effect.name, _SHOWN_MAX)}{where}"
            options = f"--again {effect.seq} or --fail {effect.seq}"
            yield f"    try: {options if effect.repeatable else f'--fail {effect.seq}'}"
    else:
        yield f"ritornello: {report.verdict}: the run does not go on, and is what it was"
        yield f"  made again: {report.events} of {counted(report.resumed_at, 'record')}"
        yield from hindrance_lines(report)
    for note in report.notes:
        yield f"  note: {inert(note, _SHOWN_MAX)}"


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("resume", resume, arguments, starts_program=True)
