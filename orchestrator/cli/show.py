"""`ritornello show`: what a run was, how it ended and what it spent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from orchestrator.cli.app import AsJson, InWorkspace, RunName, run_verb
from orchestrator.cli.evidence.beside import beside_fields, beside_lines
from orchestrator.cli.reading.coverage import coverage_fields, coverage_lines
from orchestrator.cli.reading.records import Event, iter_events, opened
from orchestrator.cli.reading.state_table import state_fields, state_lines, state_of
from orchestrator.cli.reading.summaries import MAIN_THREAD
from orchestrator.cli.terminal import counted, emit, emit_json, inert, instant, table
from replay.bundle.reader import BundleReader
from replay.events.header import Header
from replay.events.kinds import RunEnded, RunSealed, RunStarted, StateChanged, TaskSpawned
from replay.log.workspace import DEFAULT_WORKSPACE
from replay.projections.coverage import Coverage
from replay.projections.spend import ModelSpend, Spend, SpendState, Tokens
from replay.projections.status import RunStatus, Status

__all__ = ["main"]

_ARGUMENT_MAX = 200


class _Seen(msgspec.Struct, kw_only=True):
    """What one pass over the records keeps."""

    started: RunStarted | None = None
    ended: RunEnded | None = None
    sealed: RunSealed | None = None
    first: Header | None = None
    last: Header | None = None
    events: int = 0
    holes: int = 0
    changes: int = 0
    seeds: dict[int, str] = {}


def show(
    run: RunName, *, workspace: InWorkspace = DEFAULT_WORKSPACE, as_json: AsJson = False
) -> int:
    """Show what a run was, how it ended, its tasks with their seeds, and what it spent.

    A task that is `stopped` had not ended when the run did: an idle worker of
    `to_thread`, a daemon thread, a task that was left.

    Examples:
      ritornello show last
      ritornello show run.ritornello --json
    """
    seen = _Seen()
    with opened(run, workspace) as reader:
        status_view = Status().builder(Status().initial())
        spend_view = Spend().builder(Spend().initial())
        coverage_view = Coverage().builder(Coverage().initial())
        # One reading for all, and none of its payloads kept: a run may be longer than the memory.
        for event in _watched(iter_events(reader), seen):
            if event.payload is not None:
                for view in (status_view, spend_view, coverage_view):
                    view.add(event.header, event.payload)
        state = state_of(iter_events(reader)) if seen.changes else ()
        bundle = reader if isinstance(reader, BundleReader) else None
        beside = beside_fields(bundle) if bundle else {}
        lines = list(beside_lines(bundle, 11)) if bundle else []
    status, spend, coverage = status_view.state(), spend_view.state(), coverage_view.state()
    if as_json:
        more = {"coverage": coverage_fields(coverage), "state": state_fields(state)}
        emit_json("show", _fields(seen, status, spend) | more | beside)
    else:
        _print(seen, status, spend)
        for line in lines:
            emit(line)
        emit("")
        for line in (*coverage_lines(coverage), *state_lines(state)):
            emit(line)
    return 0


def _watched(events: Iterator[Event], seen: _Seen) -> Iterator[Event]:
    for event in events:
        payload = event.payload
        seen.first, seen.last = seen.first or event.header, event.header
        seen.events += 1
        seen.holes += event.state in {"erased", "withheld", "missing"}
        seen.changes += isinstance(payload, StateChanged)
        if isinstance(payload, RunStarted):
            seen.started = payload
            seen.seeds[0] = payload.seed
        elif isinstance(payload, TaskSpawned):
            seen.seeds[event.header.seq] = payload.seed
        elif isinstance(payload, RunEnded):
            seen.ended = payload
        elif isinstance(payload, RunSealed):
            seen.sealed = payload
        yield event


def _fields(seen: _Seen, status: RunStatus, spend: SpendState) -> dict[str, object]:
    return {
        "run": status.run,
        "events": seen.events,
        "records_with_holes": seen.holes,
        "started_us": None if seen.first is None else seen.first.time,
        "ended_us": None if seen.last is None else seen.last.time,
        "start": seen.started,
        "end": seen.ended,
        "sealed": seen.sealed is not None,
        "observed": seen.started is not None and bool(seen.started.observed),
        "reason": None if seen.sealed is None else seen.sealed.reason,
        "status": status,
        "spend": spend,
        "seeds": {str(task): seed for task, seed in seen.seeds.items()},
    }


def _print(seen: _Seen, status: RunStatus, spend: SpendState) -> None:
    started = seen.started
    emit(f"run        {inert(status.run or '-')}")
    if started is not None:
        arguments = " ".join(started.arguments)
        emit(f"entry      {inert(started.entry)} {inert(arguments, _ARGUMENT_MAX)}")
        if started.forked_from is not None:
            origin = started.forked_from
            emit(f"fork of    {inert(origin.run)}, its first {counted(origin.position, 'record')}")
        if started.observed:
            facts = ", ".join(f"{name} {value}" for name, value in started.observed)
            emit(f"evidence   observed, not replay-verified ({inert(facts, _ARGUMENT_MAX)})")
        emit(f"directory  {inert(started.directory)}")
        emit(f"seed       {inert(started.seed)}")
        emit("versions   " + inert(", ".join(f"{name} {v}" for name, v in started.versions)))
        dialects = ", ".join(f"{name} {version}" for name, version in started.dialects)
        emit(f"dialects   {inert(dialects) or '-'}")
    if seen.first is not None and seen.last is not None:
        emit(f"started    {instant(seen.first.time)}")
        emit(f"{'ended  ' if seen.sealed else 'reached'}    {instant(seen.last.time)}")
    reason = seen.sealed.reason if seen.sealed else "open: no seal"
    emit(f"outcome    {reason}{_outcome(seen.ended)}")
    emit(f"events     {seen.events}" + (f", {seen.holes} with holes" if seen.holes else ""))
    # Nobody writes it now: a run that is being written is not shown.
    emit(f"status     {status.progress}" + ("" if seen.sealed else ", when its record ends"))
    for effect in status.open_effects:
        emit(f"  waits    {inert(effect.name, _ARGUMENT_MAX)} (event {effect.seq})")
    emit("")
    rows = [
        (
            str(task.task),
            # The root coroutine of a program is a task, and mostly called `main`, too.
            MAIN_THREAD if task.parent is None else f"{task.label}:{task.ordinal}",
            "-" if task.parent is None else str(task.parent),
            task.progress,
            str(task.records),
            seen.seeds.get(task.task, "-"),
        )
        for task in status.tasks
    ]
    for line in table(("TASK", "LABEL", "PARENT", "STATE", "EVENTS", "SEED"), rows):
        emit(line)
    if spend.models:
        emit("")
        head = ("MODEL", "PROMPTS", "RESPONSES", "FAILED", "INPUT", "OUTPUT", "CACHED")
        for line in table(head, map(_spent, spend.models)):
            emit(line)
        if spend.retries:
            emit(f"sent again: {counted(spend.retries, 'request')}")


def _spent(model: ModelSpend) -> tuple[str, ...]:
    return (
        model.model or "(not named)",
        str(model.prompts),
        str(model.responses),
        str(model.failed),
        _tokens(model.input),
        _tokens(model.output),
        _tokens(model.cache_read),
    )


def _tokens(tokens: Tokens) -> str:
    return str(tokens.known) if not tokens.unknown else f"{tokens.known} + unknown"


def _outcome(ended: RunEnded | None) -> str:
    if ended is None:
        return ""
    if ended.failure is not None:
        return f", raised {inert(ended.failure.type, _ARGUMENT_MAX)}"
    if ended.exit_code is not None:
        return f", exit code {ended.exit_code}"
    value = bytes(ended.value).decode("utf-8", "replace")
    return "" if value == "null" else f", returned {inert(value, _ARGUMENT_MAX)}"


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("show", show, arguments)
