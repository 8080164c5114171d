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

from attestations.errors import AttestationError
from orchestrator.cli.app import AsJson, InWorkspace, refuse_odd_names, run_verb, trouble_of
from orchestrator.cli.batch.ci_reports import Wanted
from orchestrator.cli.batch.several import expanded, worst
from orchestrator.cli.evidence.receipt import Receipt
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.gate.admission import admit_run
from orchestrator.cli.gate.origin import refuse_foreign_command
from orchestrator.cli.gate.trust_layers import InPolicy
from orchestrator.cli.key_verbs.key_use import PassphraseFile
from orchestrator.cli.reading.explanation import (
    Explained,
    code_lines,
    divergence_lines,
    explained,
    explained_fields,
)
from orchestrator.cli.reading.records import iter_events, opened
from orchestrator.cli.reading.summaries import task_labels
from orchestrator.cli.terminal import counted, emit_json, inert, paint, say
from orchestrator.reports.outcome import Outcome
from replay.errors import ReplayError, UsageError, WorkflowError
from replay.log.run_id import new_run_id
from replay.log.workspace import DEFAULT_WORKSPACE, Workspace
from replay.session.launcher import launch_replay
from replay.session.messages import Replayed
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
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|BUNDLE|DIR|last...",
            help="Runs by id or the beginning of one, `last`, bundles, or directories of bundles.",
        ),
    ],
    *,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    directory: Annotated[
        Path | None, typer.Option("--in", metavar="DIR", help="Start the program in DIR.")
    ] = None,
    as_json: AsJson = False,
    bisect: Annotated[
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
    policy: InPolicy = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML to FILE.")
    ] = None,
    sarif: Annotated[
        Path | None, typer.Option("--sarif", metavar="FILE", help="Write SARIF 2.1.0 to FILE.")
    ] = None,
    github: Annotated[
        bool | None,
        typer.Option(
            "--github/--no-github",
            help="Annotate and summarize for GitHub Actions; by itself where GITHUB_ACTIONS is"
            " `true`.",
            show_default=False,
        ),
    ] = None,
    receipt: Annotated[
        Path | None,
        typer.Option(
            "--receipt",
            metavar="FILE.intoto.jsonl",
            help="Of an identical replay, write a signed receipt to FILE, which is new.",
        ),
    ] = None,
    key: Annotated[
        str, typer.Option("--sign", metavar="KEY", help="The key that signs the receipt.")
    ] = "",
    passphrase_file: PassphraseFile = None,
) -> int:
    """Run recorded programs again, with the code on disk, and compare every consequence.

    The program's output is its own; the report goes to standard error, or with
    --json alone to standard output. 0: identical, both logs have the same root.
    1: diverged; the report names the first event that differs. Of several, each
    is replayed in a process of its own, and the worst code is the answer.

    Examples:
      ritornello replay last
      ritornello replay run.ritornello --in ../checkout
      ritornello replay 01M7YB --json | jq .divergence
      ritornello replay last --out again && cmp report.txt again/report.txt
      ritornello replay bundles/ --junit junit.xml --sarif replay.sarif
      ritornello replay run.ritornello --receipt run.intoto.jsonl --sign alice
      git bisect run ritornello replay run.ritornello --bisect
    """
    names = expanded(runs)
    several = len(runs) > 1 or names != runs
    if several and out is not None:
        raise UsageError("--out is about one run", hint="name one, or leave out --out")
    if (receipt is None) != (not key):
        raise UsageError("--receipt and --sign go together", hint="give both, or neither")
    if several and receipt is not None:
        raise UsageError("--receipt is about one run", hint="name one, or leave out --receipt")
    earned = None
    if receipt is not None:
        where = directory or Path.cwd()
        earned = Receipt.prepare(receipt, key, passphrase_file, names[0], workspace, where)
    wanted = Wanted(junit=junit, sarif=sarif, github=github)
    wanted.prepare()

    def judged(name: str) -> _Judged:
        return _judged(
            name,
            workspace,
            directory,
            keep=keep,
            out=out,
            as_json=as_json,
            allow_command=allow_command,
            policy=policy,
        )

    results: list[_Judged] = []
    with wanted.programs_run():
        for name in names:
            if several:
                say(f"ritornello: replaying {inert(name)}")
            results.append(judged(name))
            if results[-1].outcome.exit_code == ExitCode.INTERRUPTED:
                return ExitCode.INTERRUPTED
    wanted.write([result.outcome for result in results])
    code = worst(result.outcome.exit_code for result in results)
    if earned is not None:
        state = str((results[0].fields or {}).get("code", "unknown"))
        earned.write(results[0].outcome.report, state)
    if as_json:
        _print_json(results, code, several=several)
    return _answer_for_git(results, code) if bisect else code


class _Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One replay: what came of it, its JSON object if it has one, and what it threw."""

    outcome: Outcome
    fields: dict[str, object] | None
    error: Exception | None = None


def _judged(
    run: str,
    workspace: Path,
    directory: Path | None,
    *,
    keep: bool,
    out: Path | None,
    as_json: bool,
    allow_command: bool,
    policy: str | None,
) -> _Judged:
    """Replay one run; whatever goes wrong is said, and is an outcome as well."""
    started = time.monotonic()

    def outcome(code: int, report: Report | None = None, *trouble: str) -> Outcome:
        return Outcome(
            subject=run,
            exit_code=code,
            duration_s=time.monotonic() - started,
            report=report,
            trouble=trouble,
        )

    try:
        refuse_odd_names(run)
        admission = admit_run(run, workspace, directory or Path.cwd(), policy)
        allow = refuse_foreign_command(
            run, workspace, directory or Path.cwd(), allowed=allow_command
        )
        kept: Path | None = None
        if keep:
            name = new_run_id(time.time_ns() // 1_000_000, os.urandom(10))
            kept = Workspace.open(workspace).path / "replays" / name
        launched = launch_replay(
            run,
            workspace,
            directory=directory,
            keep=kept,
            out=out,
            output_to_stderr=as_json,
            conditions=admission.conditions,
            allow=allow,
        )
    except BrokenPipeError:
        raise
    except (ReplayError, AttestationError, OSError) as error:
        lines, code = trouble_of(error)
        say(*lines)
        return _Judged(outcome=outcome(code, None, *lines), fields=None, error=error)
    if not isinstance(launched.answer, Replayed):
        if launched.exit_code == ExitCode.INTERRUPTED:
            return _Judged(outcome=outcome(ExitCode.INTERRUPTED), fields=None)
        what = (
            f"cannot be judged: the program's process ended (code {launched.exit_code}) without"
            " returning to the engine"
        )
        say(f"ritornello: {what}")
        fields: dict[str, object] = {"verdict": None, "exit_code": launched.exit_code}
        return _Judged(outcome=outcome(ExitCode.NOT_JUDGED, None, what), fields=fields)
    report = launched.answer.report
    told = explained(report, run, workspace, directory or Path.cwd())
    places = {
        "kept": None if kept is None else str(kept),
        "out": None if out is None else str(out.absolute()),
    }
    if not as_json:
        say(*admission.lines())
        say(*report_lines(report, lambda: task_paths(run, workspace), told))
        if kept is not None:
            say(f"  the replay's own log: {kept}")
        if out is not None:
            say(f"  files that the program wrote: {out.absolute()}")
    judged = outcome(VERDICT_CODES[report.verdict], report)
    return _Judged(
        outcome=msgspec.structs.replace(judged, explanation=told.divergence),
        fields={
            **explained_fields(msgspec.to_builtins(report), told),
            **admission.fields(),
            **places,
        },
    )


def _print_json(results: list[_Judged], code: int, *, several: bool) -> None:
    """Print the one object; what raised an error instead has said so on standard error."""
    if not several:
        fields = results[0].fields
        if fields is not None:
            emit_json("replay", fields)
        return
    listed = [
        {
            "subject": result.outcome.subject,
            "exit_code": result.outcome.exit_code,
            "trouble": result.outcome.trouble,
            **{k: v for k, v in (result.fields or {"verdict": None}).items() if k != "exit_code"},
        }
        for result in results
    ]
    decisive = next(each for each in listed if each["exit_code"] == code)
    emit_json("replay", {"verdict": decisive["verdict"], "exit_code": code, "replays": listed})


def _answer_for_git(results: list[_Judged], code: int) -> int:
    """Return 1 only where a program that was loaded did something else than recorded."""
    codes = [
        ExitCode.NOT_JUDGED
        if isinstance(result.error, WorkflowError) or _is_unloadable(result.outcome.report)
        else result.outcome.exit_code
        for result in results
    ]
    if ExitCode.DIFFERENT in codes:
        return ExitCode.DIFFERENT
    return ExitCode.NOT_JUDGED if code != ExitCode.OK else ExitCode.OK


def _is_unloadable(report: Report | None) -> bool:
    return report is not None and report.unloadable is not None


def task_paths(run: str, workspace: Path) -> dict[int, str]:
    """Return the label of each task of a run."""
    with opened(run, workspace) as reader:
        return task_labels(iter_events(reader))


def report_lines(
    report: Report, paths: Callable[[], dict[int, str]], told: Explained | None = None
) -> Iterator[str]:
    """Yield the lines that say what came of a replay."""
    colour = "green" if report.verdict == "identical" else "red"
    verdict = paint(report.verdict, colour, sys.stderr)
    yield (
        f"ritornello: {verdict}: run {inert(report.run)}, {report.events} events"
        f" ({counted(report.inputs_taken, 'input')} taken, {report.derived_computed} computed),"
        f" {counted(report.live_effects, 'live effect')} (guard: {report.guard})"
    )
    yield f"  root recorded {report.root_recorded}"
    yield f"  root replayed {report.root_replayed or '-'}"
    if report.divergence is not None:
        yield from divergence_lines(report, paths(), told)
    elif told is not None:
        yield from code_lines(told.code)
    for note in report.notes:
        yield f"  note: {inert(note, _SHOWN_MAX)}"


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("replay", replay, arguments, starts_program=True)
