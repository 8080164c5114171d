"""`ritornello erase`: erase a text or a record's payload from a run for good."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from orchestrator.cli.app import AsJson, InWorkspace, run_verb
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.searching.exchange_texts import installed_readings
from orchestrator.cli.terminal import counted, emit, emit_json, inert, say
from replay.bundle.limits import BUNDLE_SUFFIX
from replay.erasure.erasing import carry_out
from replay.erasure.passages import Passages, passages_in
from replay.erasure.plan import plan_erasure
from replay.erasure.planned import ErasurePlan, RunPlan, Wanted
from replay.errors import UsageError
from replay.log.workspace import DEFAULT_WORKSPACE, Workspace

__all__ = ["main"]

_WORDS_MAX: Final = 1000
_TEXT_BYTES_MAX: Final = 1 << 20
_SHOWN_MAX: Final = 12
_OUT_OF_REACH: Final = (
    "out of reach: files outside of the workspace, what the program printed or wrote, backups,"
    " blocks that the file system has freed"
)


def erase(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN|last", help="A run id or the beginning of one, or `last`."),
    ],
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes on record.")],
    authority: Annotated[
        str, typer.Option("--authority", help="Who decided, or by which right; on record.")
    ],
    event: Annotated[
        list[int] | None,
        typer.Option("--event", metavar="N", help="What event N brought, and its sentences later."),
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option("--text", metavar="FILE|-", help="Passages, one a line, wherever they stand."),
    ] = None,
    subject: Annotated[
        list[str] | None,
        typer.Option("--subject", metavar="REF", help="A name, address or number of a person."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking.")] = False,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> int:
    """Erase from a sealed run for good, and leave its tree as it is.

    Shows a plan first: parts, copies of the run (forks, kept replays), what stays, what
    is out of reach. Then asks; off a terminal nothing is done without --yes. The store
    is written anew without the parts, the workspace log says who and why, the run
    verifies with counted holes, and a replay stops where the first of them is needed.
    Refused (6): a run that is held or not sealed; what the program computed, while
    inputs stay that would bring it back.

    Examples:
      ritornello erase last --text sentence.txt --reason "request 81" --authority "DPO"
      ritornello erase 01M7YB --event 412 --reason "asked to" --authority "J. Doe" --yes
      ritornello erase last --subject jane@example.org --reason GDPR --authority DPO --json
    """
    if Path(run).suffix == BUNDLE_SUFFIX:
        raise UsageError("a bundle is a copy", where=run, hint="erase from the run, export again")
    wanted = _wanted(event or [], text, subject or [], reason, authority)
    place = Workspace.open(workspace, create=False)
    plan = plan_erasure(place, run, wanted, installed_readings())
    if plan.is_empty:
        say("ritornello: nothing of it was found in this run or a copy of it; nothing was done")
        if as_json:
            emit_json("erase", {**_fields(plan), "erased": False})
        else:
            for line in _what_may_hold_it(plan):
                emit(line)
        return ExitCode.OK
    if not as_json:
        for line in _lines(plan):
            emit(line)
        sys.stdout.flush()
    agreed = yes or _asked()
    if agreed:
        carry_out(place, plan, wanted, _now_us, lambda step: say(f"ritornello: {inert(step)}"))
    else:
        say("ritornello: nothing was done", "  try: --yes")
    if as_json:
        emit_json("erase", {**_fields(plan), "erased": agreed})
    return ExitCode.OK if agreed else ExitCode.REFUSED


def _wanted(
    events: Sequence[int], text: Path | None, subjects: Sequence[str], reason: str, authority: str
) -> Wanted:
    for name, words in (("--reason", reason), ("--authority", authority)):
        if not words.strip() or len(words) > _WORDS_MAX:
            raise UsageError(f"{name} takes 1 to {_WORDS_MAX} characters")
    if not events and text is None and not subjects:
        raise UsageError("say what to erase", hint="--event N, --text FILE or --subject REF")
    if text is not None and subjects:
        raise UsageError("--text and --subject are two erasures", hint="one after the other")
    passages: Passages | None = None
    if text is not None:
        passages = Passages(passages_in(_read(text)))
    elif subjects:
        passages = Passages(subjects, ignore_case=True)
    return Wanted(
        events=tuple(dict.fromkeys(events)), passages=passages, reason=reason, authority=authority
    )


def _read(path: Path) -> str:
    if str(path) == "-":
        data = sys.stdin.buffer.read(_TEXT_BYTES_MAX + 1)
    else:
        with path.open("rb") as file:
            data = file.read(_TEXT_BYTES_MAX + 1)
    if len(data) > _TEXT_BYTES_MAX:
        raise UsageError(f"more than {_TEXT_BYTES_MAX} bytes", where=str(path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError("the text is not UTF-8", where=str(path)) from None


def _asked() -> bool:
    """Ask on a terminal; anywhere else the answer is no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    sys.stderr.write("ritornello: erase this for good? Type yes: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == "yes"


def _now_us() -> int:
    return time.time_ns() // 1000


def _lines(plan: ErasurePlan) -> Iterator[str]:
    for run in plan.runs:
        yield from _run_lines(run)
    for path in plan.replays:
        yield f"kept replay   {inert(path.name)}: goes as a whole"
    if plan.catalogue:
        yield "catalogue     goes as a whole; it can be built again"
    yield from _beyond_lines(plan)
    for name in plan.exports:
        yield f"out of reach  bundle {name}"
    yield _OUT_OF_REACH


def _beyond_lines(plan: ErasurePlan) -> Iterator[str]:
    """Yield what stays, or was not read, besides the run and its copies."""
    for name in plan.elsewhere:
        yield f"stays in      run {inert(name)}, which is no copy: erase there too"
    for name in plan.unread:
        yield f"not read      run {inert(name)}: in use or damaged; erase again later"


def _run_lines(run: RunPlan) -> Iterator[str]:
    copy = "" if run.copy_of is None else f", a copy of {inert(run.copy_of)}"
    yield f"run           {inert(run.run)}{copy}"
    brought = f"brought by events {_few(run.events)}"
    yield f"parts         {len(run.parts)} of {counted(run.size_bytes, 'byte')}, {brought}"
    if run.inputs:
        yield f"inputs        events {_few(run.inputs)}"
    holed = ", ".join(f"{count} {inert(kind)}" for kind, count in run.records.items())
    if holed:
        yield f"holes in      {holed}"
    if run.stops_at is not None:
        yield f"replay        stops before event {run.stops_at}"
    if run.registered:
        yield f"command line  in workspace records {_few(run.registered)}"
    for name in run.files:
        yield f"file          {inert(name)}: goes as a whole"
    if run.places:
        yield f"places        of events {_few(run.places)}"
    if run.left:
        yield f"stays         in events {_few(run.left)}, before what was named"
    yield from _unread_lines(run)


def _what_may_hold_it(plan: ErasurePlan) -> Iterator[str]:
    """Yield where the words may stand although nothing would be erased."""
    for run in plan.runs:
        yield from _unread_lines(run)
    yield from _beyond_lines(plan)


def _unread_lines(run: RunPlan) -> Iterator[str]:
    """Yield what of a run could not be read."""
    if run.unread:
        yield f"not read      the responses to events {_few(run.unread)}: another compression"
    for seq, what in run.limits[:_SHOWN_MAX]:
        yield f"not read      in event {seq}: {what}"
    if len(run.limits) > _SHOWN_MAX:
        yield f"not read      and {len(run.limits) - _SHOWN_MAX} more"


def _few(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - _SHOWN_MAX} more" if len(numbers) > _SHOWN_MAX else ""
    return ", ".join(map(str, numbers[:_SHOWN_MAX])) + more


def _fields(plan: ErasurePlan) -> dict[str, object]:
    return {
        "runs": [
            {
                "run": run.run,
                "copy_of": run.copy_of,
                "size": run.size,
                "root": run.root,
                "parts": run.parts,
                "events": run.events,
                "inputs": run.inputs,
                "records": run.records,
                "size_bytes": run.size_bytes,
                "stops_at": run.stops_at,
                "places": run.places,
                "files": run.files,
                "left": run.left,
                "unread": run.unread,
                "limits": run.limits,
                "registered": run.registered,
            }
            for run in plan.runs
        ],
        "replays": [str(path) for path in plan.replays],
        "catalogue": plan.catalogue,
        "exports": plan.exports,
        "elsewhere": plan.elsewhere,
        "unread": plan.unread,
    }


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("erase", erase, arguments)
