"""`ritornello events`: list the records of a run, or say which of two came first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import AsJson, InWorkspace, RunName, run_verb
from orchestrator.cli.reading.ordering import order_of
from orchestrator.cli.reading.records import Event, iter_events, opened
from orchestrator.cli.reading.summaries import summary, task_labels
from orchestrator.cli.terminal import emit, emit_json, emit_line, inert
from replay.errors import UsageError
from replay.events.kinds import CATALOGUE
from replay.log.workspace import DEFAULT_WORKSPACE

__all__ = ["main"]

_SUMMARY_MAX = 100


def events(
    run: RunName,
    *,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Only records of this kind; may be repeated."),
    ] = None,
    order: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--order",
            metavar="A B",
            help="Say whether A came before or after B, or neither: numbers of events, or names of"
            " tasks as `show` lists them.",
        ),
    ] = None,
    as_json: AsJson = False,
    as_lines: Annotated[
        bool, typer.Option("--jsonl", help="Print one JSON object for each record.")
    ] = False,
) -> int:
    """List the records of a run, or say which of two came first by their causes.

    Each JSON record is valid against `ritornello schema events`. --order answers
    before, after, concurrent or equal, and looks at no clock.

    Examples:
      ritornello events last
      ritornello events last --kind PromptSent --kind ResponseReceived
      ritornello events last --order 12 31
      ritornello events last --order reviewer-1 reviewer-2
      ritornello events run.ritornello --jsonl | jq .payload.kind
    """
    if as_json and as_lines:
        raise UsageError("--json and --jsonl at once", hint="choose one")
    wanted = _kinds(kind)
    if order is not None:
        return _order(run, workspace, order, as_json=as_json or as_lines)
    with opened(run, workspace) as reader:
        found = (e for e in iter_events(reader) if wanted is None or e.header.kind in wanted)
        if as_lines:
            for event in found:
                emit_line(event)
        elif as_json:
            emit_json("events", {"events": list(found)})
        else:
            labels = task_labels(iter_events(reader))
            for event in found:
                emit(_line(event, labels))
    return 0


def _kinds(names: list[str] | None) -> frozenset[str] | None:
    """Compare kinds with the catalogue: a misspelt one must not give an empty list."""
    if not names:
        return None
    known = {kind.lower(): kind for kind in CATALOGUE}
    for name in names:
        if name.lower() not in known:
            raise UsageError(f"there is no kind {name!r}", hint="one of " + ", ".join(CATALOGUE))
    return frozenset(known[name.lower()] for name in names)


def _order(run: str, workspace: Path, order: tuple[str, str], *, as_json: bool) -> int:
    with opened(run, workspace) as reader:
        answer = order_of(list(iter_events(reader)), *order)
    if as_json:
        emit_json("events", {"first": order[0], "second": order[1], "order": answer})
    else:
        emit(answer)
    return 0


def _line(event: Event, labels: dict[int, str]) -> str:
    header = event.header
    task = inert(labels.get(header.task, str(header.task)), 24)
    outcome = "" if header.outcome == "ok" else f" [{header.outcome}]"
    text = inert(summary(event), _SUMMARY_MAX)
    return f"{header.seq:6}  {task:24}  {header.kind:17}  {text}{outcome}".rstrip()


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("events", events, arguments)
