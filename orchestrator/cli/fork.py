"""`ritornello fork`: make a new run of a changed program, live only where it was changed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from orchestrator.cli.app import AsJson, InWorkspace, RunName, run_verb
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.gate.admission import Admission, admit_run
from orchestrator.cli.gate.elsewhere import is_from_elsewhere
from orchestrator.cli.gate.trust_layers import InPolicy
from orchestrator.cli.reading.hindrance import hindrance_lines
from orchestrator.cli.terminal import counted, emit_json, inert, say
from replay.errors import HermeticError
from replay.log.workspace import DEFAULT_WORKSPACE
from replay.session.forking.launch import (
    command_of,
    find_beginning,
    fork_directory,
    launch_fork,
    launch_look,
)
from replay.session.forking.report import (
    Beginning,
    Estimate,
    ForkChoices,
    ForkReport,
    ForkVerdict,
    GoesLive,
)
from replay.session.messages import Forked

__all__ = ["main"]

_CODES: Final[dict[ForkVerdict, ExitCode]] = {
    "asks": ExitCode.REFUSED,
    "diverged": ExitCode.DIFFERENT,
    "erased": ExitCode.REFUSED,
    "incomplete": ExitCode.NOT_JUDGED,
    "refused": ExitCode.REFUSED,
}
_SHOWN_MAX: Final = 300
_LISTED_MAX: Final = 20


def fork(
    run: RunName,
    *,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--in",
            metavar="DIR",
            help="Start the program in DIR, not where it was; a bundle's starts here.",
        ),
    ] = None,
    at: Annotated[
        int | None,
        typer.Option("--at", metavar="SEQ", min=0, help="Ask everything behind this event anew."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it may.")] = False,
    secret_to: Annotated[
        list[str] | None,
        typer.Option("--secret-to", metavar="HOST", help="Secrets may go to HOST, too."),
    ] = None,
    allow_command: Annotated[
        bool,
        typer.Option(
            "--allow-command",
            help="Run the command of a run that came from elsewhere. Look at it first:"
            " `ritornello show BUNDLE`.",
        ),
    ] = False,
    policy: InPolicy = None,
    as_json: AsJson = False,
) -> int:
    """Make a new run from a recorded one, after a change of its program.

    Up to the first difference the new run is the recorded one. Behind it, whoever
    asks what was asked then gets the recorded answer; only what is new goes out.
    What that is at least, and what the like of it cost, is said before anything
    happens, and asked about; without a terminal --yes is needed: 6. The program is
    what it was: there is nothing to fork: 0. The recorded run stays as it is.

    Examples:
      ritornello fork last
      ritornello fork 01M7YB --yes --json > fork.json
      ritornello fork recordings/review.ritornello --in . --allow-command
      ritornello fork last --at 412
    """
    foreign = is_from_elsewhere(run, workspace)
    if foreign and not allow_command:
        raise HermeticError(
            "the run comes from elsewhere, and a fork starts its command for real",
            where=inert(command_of(run, workspace), _SHOWN_MAX),
            hint="read it, and if it may run here add --allow-command",
        )
    place = fork_directory(run, workspace, Path.cwd() if foreign and not directory else directory)
    admission = admit_run(run, workspace, place, policy)
    allowed = admission.conditions
    found = Beginning(position=(at or 0) + 1)
    if at is None:
        found = find_beginning(run, workspace, place, allowed)
    if found.is_unchanged:
        return _unchanged(found, admission, as_json=as_json)
    choices = ForkChoices(
        position=found.position,
        anew=at is not None,
        foreign=foreign,
        secret_to=frozenset(secret_to or ()),
        decided=admission.kept(),
    )
    look = launch_look(run, workspace, place, msgspec.structs.replace(choices, dry=True), allowed)
    code = _CODES.get(look.verdict, ExitCode.REFUSED)
    if not as_json or not yes:
        say(*_look_lines(look, found))
    if look.verdict != "ready" or not (yes or _confirmed()):
        verdict: ForkVerdict = "declined" if look.verdict == "ready" else look.verdict
        if verdict == "declined":
            say("ritornello: nothing was done; --yes does it without asking")
        if as_json:
            _print(verdict, code, look, None, admission)
        return code
    outcome = launch_fork(
        run, workspace, place, choices, output_to_stderr=as_json, conditions=allowed
    )
    if not isinstance(outcome.answer, Forked):
        say(
            "ritornello: the program's process ended without returning to the engine; if the fork"
            " had begun, it stays open, and can be resumed",
            f"  where: {inert(str(workspace))}; `ritornello verify --workspace` names such runs",
        )
        if as_json:
            _print(None, outcome.exit_code, look, None, admission)
        return outcome.exit_code
    report = outcome.answer.report
    code_now = _CODES.get(report.verdict, outcome.answer.exit_code)
    if as_json:
        _print(report.verdict, code_now, look, report, admission)
    else:
        say(*admission.lines(), *_report_lines(report))
    return code_now


def _unchanged(found: Beginning, admission: Admission, *, as_json: bool) -> int:
    if as_json:
        _print("unchanged", ExitCode.OK, None, None, admission)
    else:
        say(
            f"ritornello: the program makes all {found.position} records again: it was not changed,"
            " and there is nothing to fork",
            "  try: `--at SEQ` asks everything behind an event anew",
        )
    return ExitCode.OK


def _print(
    verdict: str | None,
    code: int,
    look: Estimate | None,
    report: ForkReport | None,
    admission: Admission,
) -> None:
    fields: dict[str, object] = {
        "verdict": verdict,
        "exit_code": int(code),
        "estimate": None
        if look is None
        else {
            **msgspec.to_builtins(look),
            "input_tokens": look.input_tokens,
            "output_tokens": look.output_tokens,
        },
        "fork": None if report is None else msgspec.to_builtins(report),
        **admission.fields(),
    }
    emit_json("fork", fields)


def _confirmed() -> bool:
    """Ask on the terminal, if there is one."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    sys.stderr.write("Do it? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


# --- lines ----------------------------------------------------------------------------------------


def _look_lines(look: Estimate, first: Beginning) -> Iterator[str]:
    if look.verdict != "ready":
        yield f"ritornello: {look.verdict}: there is no fork, and nothing was done"
        yield from hindrance_lines(look)
        for note in look.notes:
            yield f"  note: {inert(note, _SHOWN_MAX)}"
        return
    yield (
        f"ritornello: of the {look.records} records of run {inert(look.run)} the fork keeps"
        f" {look.position}"
    )
    yield from hindrance_lines(first)
    requests = [each for each in look.live if each.is_request]
    others = len(look.live) - len(requests)
    more = f", {others} of other kinds" if others else ""
    yield (
        f"  {counted(len(requests), 'request')}{more} will go out at least;"
        f" {counted(look.recalled, 'recorded answer')} will be given"
    )
    for each in look.live[:_LISTED_MAX]:
        yield f"    {_live_line(each)}"
    if len(look.live) > _LISTED_MAX:
        yield f"    and {len(look.live) - _LISTED_MAX} more"
    if any(each.like is not None for each in requests):
        used = _tokens(look.input_tokens, look.output_tokens)
        yield f"  those like them used {used}"
    if look.live or not look.is_all:
        used = _tokens(look.whole_input_tokens, look.whole_output_tokens)
        yield "  what the program asks once it has the answers is not known; the recorded run sent"
        yield f"  {counted(look.whole, 'request')} in all" + (f", for {used}" if look.whole else "")
    for path in look.written[:_LISTED_MAX]:
        yield f"  will be written anew: {inert(path, _SHOWN_MAX)}"
    if len(look.written) > _LISTED_MAX:
        yield f"  and {counted(len(look.written) - _LISTED_MAX, 'more file')}"


def _report_lines(report: ForkReport) -> Iterator[str]:
    if report.verdict != "sealed":
        yield f"ritornello: {report.verdict}: there is no fork; the recorded run is what it was"
        yield from hindrance_lines(report)
    else:
        yield (
            f"ritornello: run {inert(report.run)}, {report.reason}, {report.events} events; its"
            f" first {report.position} are those of {inert(report.forked_from)}"
        )
        yield f"            root {report.root}"
        for each in report.live[:_LISTED_MAX]:
            yield f"            live: {_live_line(each)}"
        if len(report.live) > _LISTED_MAX:
            yield f"            and {len(report.live) - _LISTED_MAX} more"
        yield f"            {counted(report.recalled, 'recorded answer')} given"
    for note in report.notes:
        yield f"  note: {inert(note, _SHOWN_MAX)}"


def _tokens(input_tokens: int, output_tokens: int) -> str:
    if not input_tokens and not output_tokens:
        return "an unknown number of tokens"  # no dialect read them: nobody gives them for nothing
    return f"{input_tokens} input and {output_tokens} output tokens"


def _live_line(each: GoesLive) -> str:
    cost = "" if each.like is None else f", like event {each.like}"
    if each.model is not None:
        cost += f" ({inert(each.model, 60)}"
        if each.input_tokens is not None or each.output_tokens is not None:
            cost += f", {each.input_tokens or 0} tokens in, {each.output_tokens or 0} out"
        cost += ")"
    return f"{inert(each.task, 80)}: {inert(each.name, _SHOWN_MAX)}{cost}"


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("fork", fork, arguments, starts_program=True)
