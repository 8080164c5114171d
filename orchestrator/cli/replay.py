"""`ritornello replay`: run a recorded program again and compare every consequence."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from orchestrator.cli.app import AsJson, InWorkspace, RunName, run_verb
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.origin import refuse_foreign_command
from orchestrator.cli.records import iter_events, opened
from orchestrator.cli.summaries import task_labels
from orchestrator.cli.terminal import emit_json, inert, paint, say
from replay.log.run_id import new_run_id
from replay.log.workspace import Workspace
from replay.session.launcher import launch_replay
from replay.session.messages import Replayed
from replay.session.record import DEFAULT_WORKSPACE
from replay.session.report import Report, Verdict

__all__ = ["VERDICT_CODES", "main", "report_lines", "task_paths"]

VERDICT_CODES: Final[dict[Verdict, ExitCode]] = {
    "identical": ExitCode.OK,
    "diverged": ExitCode.DIFFERENT,
    "damaged": ExitCode.DAMAGED,
    "erased": ExitCode.REFUSED,
    "refused": ExitCode.REFUSED,
    "incomplete": ExitCode.NOT_JUDGED,
}
_SHOWN_MAX: Final = 300


def replay(
    run: RunName,
    *,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    directory: Annotated[
        Path | None, typer.Option("--in", metavar="DIR", help="Start the program in DIR.")
    ] = None,
    as_json: AsJson = False,
    bisect: Annotated[  # noqa: ARG001 - it is about usage errors too: `main` of the command does it
        bool,
        typer.Option("--bisect", help="For `git bisect run`: any code but 0 and 1 becomes 125."),
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the replay's own log and say where.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Keep the files that the program writes, below DIR, which is new or empty.",
        ),
    ] = None,
    allow_command: Annotated[
        bool,
        typer.Option(
            "--allow-command",
            help="Run the command that a bundle names, though it is no script under this"
            " directory. Look at it first: `ritornello show BUNDLE`.",
        ),
    ] = False,
) -> int:
    """Run a recorded program again, with the code on disk, and compare every consequence.

    The program's output is its own; the report goes to standard error, or with
    --json alone to standard output. 0: identical, both logs have the same root.
    1: diverged; the report names the first event that differs.

    Examples:
      ritornello replay last
      ritornello replay run.ritornello --in ../checkout
      ritornello replay 01M7YB --json | jq .divergence
      ritornello replay last --out again && cmp report.txt again/report.txt
      git bisect run ritornello replay run.ritornello --bisect
    """
    refuse_foreign_command(run, workspace, directory or Path.cwd(), allowed=allow_command)
    kept: Path | None = None
    if keep:
        name = new_run_id(time.time_ns() // 1_000_000, os.urandom(10))
        kept = Workspace.open(workspace).path / "replays" / name
    outcome = launch_replay(
        run, workspace, directory=directory, keep=kept, out=out, output_to_stderr=as_json
    )
    if outcome.answer is None and outcome.exit_code == ExitCode.INTERRUPTED:
        return ExitCode.INTERRUPTED
    if not isinstance(outcome.answer, Replayed):
        say(
            "ritornello: cannot be judged: the program's process ended"
            f" (code {outcome.exit_code}) without returning to the engine"
        )
        if as_json:
            emit_json("replay", {"verdict": None, "exit_code": outcome.exit_code})
        return ExitCode.NOT_JUDGED
    report = outcome.answer.report
    if as_json:
        fields: dict[str, object] = msgspec.to_builtins(report)
        emit_json(
            "replay",
            {
                **fields,
                "kept": None if kept is None else str(kept),
                "out": None if out is None else str(out.absolute()),
            },
        )
    else:
        say(*report_lines(report, lambda: task_paths(run, workspace)))
        if kept is not None:
            say(f"  the replay's own log: {kept}")
        if out is not None:
            say(f"  files that the program wrote: {out.absolute()}")
    return VERDICT_CODES[report.verdict]


def task_paths(run: str, workspace: Path) -> dict[int, str]:
    """Return the label of each task of a run."""
    with opened(run, workspace) as reader:
        return task_labels(iter_events(reader))


def report_lines(report: Report, paths: Callable[[], dict[int, str]]) -> Iterator[str]:
    """Yield the lines that say what came of a replay."""
    colour = "green" if report.verdict == "identical" else "red"
    verdict = paint(report.verdict, colour, sys.stderr)
    yield (
        f"ritornello: {verdict}: run {inert(report.run)}, {report.events} events"
        f" ({report.inputs_taken} inputs taken, {report.derived_computed} computed),"
        f" {report.live_effects} live effects (guard: {report.guard})"
    )
    yield f"  root recorded {report.root_recorded}"
    yield f"  root replayed {report.root_replayed or '-'}"
    if report.divergence is not None:
        yield from _divergence(report, paths())
    for note in report.notes:
        yield f"  note: {inert(note, _SHOWN_MAX)}"


def _divergence(report: Report, paths: dict[int, str]) -> Iterator[str]:
    found = report.divergence
    if found is None:
        return
    task = paths.get(int(found.task), found.task) if found.task.isdigit() else found.task
    yield f"  {inert(found.summary())}" + (f", task {inert(task)}" if task else "")
    if report.verdict == "incomplete":
        return  # whatever comes behind the end of a record differs from nothing
    # Positions tell a person something only where nothing else differs.
    said = [each for each in found.fields if not each.path.startswith(("header.", "marks"))]
    for change in said or found.fields:
        yield f"  field {inert(change.path, _SHOWN_MAX)}"
        yield f"    recorded {_value(change.recorded)}"
        yield f"    replayed {_value(change.replayed)}"
    for side, place in (("recorded", found.recorded_place), ("replayed", found.replayed_place)):
        if place is not None:
            frames = inert(place).split(" < ")
            yield f"  {side} at {frames[0]}"
            yield from (f"    awaited by {frame}" for frame in frames[1:])
    if found.candidate is not None and found.candidate != found.seq:
        yield f"  nearest recorded event of that kind: {found.candidate}"
    if found.note:
        yield f"  note: {inert(found.note, _SHOWN_MAX)}"


def _value(value: str | None) -> str:
    return "(nothing)" if value is None else inert(value, _SHOWN_MAX)


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("replay", replay, arguments)
