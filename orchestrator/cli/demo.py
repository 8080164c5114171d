"""`ritornello demo`: record a program twice, replay it, export it, tamper with it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from orchestrator.cli.app import AsJson, run_verb
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.terminal import emit, emit_json, inert, paint, say
from orchestrator.testing import ScriptedProvider
from replay.errors import UsageError
from replay.session.command_line import engine_root

__all__ = ["main"]

_PROGRAM: Final = "reviewers.py"
_KEY: Final = re.compile(r"(_API_KEY|_AUTH_TOKEN|_TOKEN|_SECRET|_BASE_URL|_proxy|_PROXY)$")
_STEP_SECONDS_MAX: Final = 60
_NEXT: Final = (
    ("runs", ""),
    ("show last", ""),
    ("events last --kind PromptSent --kind ResponseReceived", ""),
    ("events last --order lawyer editor", "before, after or concurrent, by causes alone"),
    ("replay last", f"then change a prompt in {_PROGRAM}, and replay again"),
    ("record -- python agent.py", "a program of your own"),
)


class _Step(msgspec.Struct, frozen=True):
    """One observation: what was to be seen, whether it was, and what was seen instead."""

    claim: str
    holds: bool
    seen: str = ""


class _Ran(msgspec.Struct, frozen=True):
    """What one command came to: exit code, its report, the program's output and ours."""

    code: int
    report: dict[str, object]
    stdout: str
    stderr: str


def demo(
    *,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Work in DIR, made for it, and leave it."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """See it work, in a temporary directory, without a key and without a network.

    A provider on this machine gives another answer each time it is asked. A program
    with the real anthropic SDK asks it: three reviewers in parallel, then a judge.
    Recorded twice, the answers differ; replayed, the log has the same root; one
    flipped bit in the exported file, and it is refused.
    0 if each of these was observed, otherwise 70.

    Examples:
      ritornello demo
      ritornello demo --keep ./ritornello-demo
    """
    with contextlib.ExitStack() as stack:
        if keep is None:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ritornello-")))
        else:
            if os.path.lexists(keep):
                raise UsageError(
                    "there is something of that name already",
                    where=str(keep.absolute()),
                    hint="the demo works in a directory that it makes: give another name",
                )
            keep.mkdir(parents=True)
            place = keep.absolute()
        steps: list[_Step] = []
        story = _story(place)
        for part in story:
            if isinstance(part, _Step):
                steps.append(part)
                if not as_json:
                    mark = paint("yes", "green") if part.holds else paint("NO ", "red")
                    emit(f"  {mark}  {inert(part.claim)}")
                if not part.holds:
                    say(f"the demo failed at: {inert(part.claim)}", inert(part.seen, 2000))
                    story.close()
                    break
            elif not as_json:
                emit(inert(part))
        good = bool(steps) and all(step.holds for step in steps)
        if as_json:
            emit_json("demo", {"passed": good, "steps": msgspec.to_builtins(steps)})
        elif good:
            _farewell(keep)
    return ExitCode.OK if good else ExitCode.OUR_MISTAKE


def _story(place: Path) -> Generator[str | _Step, None, None]:
    """Yield lines for the reader, and what was observed."""
    source = Path(__file__).with_name("demo_program.py").read_bytes()
    (place / _PROGRAM).write_bytes(source)
    yield "Two live runs of three reviewers and a judge; each answer of the provider is new."
    with ScriptedProvider(mode="wild") as provider:
        first = _run(place, "record", "--", "python", _PROGRAM, url=provider.base_url)
        second = _run(place, "record", "--", "python", _PROGRAM, url=provider.base_url)
        asked = len(provider.requests)
    recorded = first.code == second.code == 0 and asked == 8
    yield _Step("both were recorded: 8 requests of the real SDK", recorded, f"{first}\n{second}")
    yield f"    first judge   {_judge(first)}"
    yield f"    second judge  {_judge(second)}"
    yield _Step("the two answers differ", first.stdout != second.stdout, first.stdout)
    run, root = _first_run(place)
    yield "The first run again: no provider, no key, no network."
    yield from _replayed(place, run, root, first)
    bundle = place / "run.ritornello"
    exported = _run(place, "export", run, "-o", bundle.name)
    yield f"The run as one file: {bundle.name}"
    yield _Step("it was exported", exported.code == 0, exported.stderr)
    good = _run(place, "verify", bundle.name, "--no-memory", "--json")
    yield _Step("the file verifies, with the same root", good.report.get("root") == root, str(good))
    forged = place / "forged.ritornello"
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    forged.write_bytes(data)
    refused = _run(place, "verify", forged.name, "--no-memory", "--json")
    yield _Step(
        "with one bit flipped, the file is refused (exit code 3)",
        refused.code == ExitCode.DAMAGED,
        str(refused),
    )


def _replayed(place: Path, run: str, root: str, first: _Ran) -> Iterator[str | _Step]:
    replayed = _run(place, "replay", run, "--json")
    report = replayed.report
    yield f"    recorded root {root}"
    yield f"    replayed root {report.get('root_replayed')}"
    identical = replayed.code == 0 and report.get("root_replayed") == root
    yield _Step("the replay's own log has the same root", identical, str(replayed))
    said = first.stdout.strip() in replayed.stderr
    yield _Step("the program printed the same words", said, replayed.stderr)
    silent = report.get("live_effects") == 0 and report.get("guard") in {"process", "kernel"}
    yield _Step("nothing went out: 0 live effects under guard", silent, str(report))


def _first_run(place: Path) -> tuple[str, str]:
    runs = _run(place, "runs", "--json").report.get("runs")
    if isinstance(runs, list) and runs and isinstance(runs[0], dict):
        return str(runs[0].get("run")), str(runs[0].get("root"))
    return "", ""


def _run(place: Path, *arguments: str, url: str | None = None) -> _Ran:
    """Run a verb in a process of its own, as a person would, without any key."""
    environment = {name: value for name, value in os.environ.items() if not _KEY.search(name)}
    environment.pop("RITORNELLO_WORKSPACE", None)
    # The interpreter in use comes first, and finds this package also when it is not installed.
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment["PYTHONPATH"] = str(engine_root())
    environment["PYTHONSAFEPATH"] = ""
    if url is not None:
        environment["ANTHROPIC_BASE_URL"] = url
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "orchestrator.cli", *arguments],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=_STEP_SECONDS_MAX,
        check=False,
    )
    report: dict[str, object] = {}
    with contextlib.suppress(ValueError):
        decoded = json.loads(done.stdout)
        report = decoded if isinstance(decoded, dict) else {}
    return _Ran(done.returncode, report, done.stdout, done.stderr)


def _judge(ran: _Ran) -> str:
    lines = [line for line in ran.stdout.splitlines() if line.startswith("judge: ")]
    return lines[-1].removeprefix("judge: ")[:70] if lines else "-"


def _farewell(keep: Path | None) -> None:
    # `make demo` runs the command of an environment that is not on the path.
    own = "ritornello" if shutil.which("ritornello") else inert(str(Path(sys.argv[0]).absolute()))
    if own.endswith("__main__.py"):
        own = f"{sys.executable} -m orchestrator.cli"
    emit("")
    if keep is None:
        emit("To look around in it, keep it:")
        emit(f"  {own} demo --keep demo")
    emit(f"  cd {inert(str(keep or 'demo'))}")
    for words, note in _NEXT:
        emit(f"  {own} {words}" + (f"   # {note}" if note else ""))


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("demo", demo, arguments, starts_program=True)
