"""`ritornello report provider`: what was asked of providers, to reconcile with their invoice."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from orchestrator.cli.app import AsJson, InWorkspace, run_verb
from orchestrator.cli.batch.report_files import refuse_no_file
from orchestrator.cli.batch.report_period import Period, day_of, parse_period
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.reading.records import iter_events
from orchestrator.cli.terminal import counted, emit_json, inert, say
from orchestrator.reports.csv_cells import Cell, csv_bytes
from replay.errors import ReplayError, UsageError
from replay.events.header import Header
from replay.events.kinds import ForkOrigin, Payload, RunStarted
from replay.log.port import LogReader
from replay.log.workspace import DEFAULT_WORKSPACE, Workspace
from replay.projections.exchanges import Exchange, exchanges
from replay.session.opening import open_run

__all__ = ["COLUMNS", "main"]

COLUMNS: Final = (
    "run",
    "seq",
    "date",
    "date_by",
    "sent_at",
    "provider",
    "method",
    "path",
    "dialect",
    "operation",
    "model_asked",
    "model_answered",
    "request_id",
    "response_id",
    "response_date",
    "status",
    "ending",
    "attempt",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "copied_from",
    "origin",
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    run: str
    exchange: Exchange
    origin: str
    copied_from: str | None

    def cells(self) -> tuple[Cell, ...]:
        each = self.exchange
        day, date_by = day_of(each.response_date, each.sent_us)
        return (
            self.run,
            each.seq,
            None if day is None else day.isoformat(),
            date_by,
            _instant(each.sent_us),
            each.host,
            each.method,
            each.path,
            each.dialect,
            each.operation,
            each.model_asked,
            each.model_answered,
            each.request_id,
            each.response_id,
            each.response_date,
            each.status,
            each.ending,
            each.attempt,
            each.input_tokens,
            each.output_tokens,
            each.cache_read_tokens,
            each.cache_write_tokens,
            self.copied_from,
            self.origin,
        )


def report(
    what: Annotated[str, typer.Argument(metavar="provider", help="What to report.")],
    subject: Annotated[
        str,
        typer.Argument(
            metavar="RUN|BUNDLE|PERIOD",
            help="A run, or days in UTC: 2026-11, 2026-11-03, 2026-11-01..2026-11-21.",
        ),
    ],
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.csv", help="Write it there.")
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option("--host", metavar="HOST", help="Only what went to HOST; repeatable."),
    ] = None,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
    as_json: AsJson = False,
) -> int:
    """List each request to a provider as CSV, to reconcile with the provider's invoice.

    One line is one HTTP exchange of a run, or of all runs of the workspace in a period:
    with the provider's own request id, response id and date, and the models and tokens
    that a dialect read. What is not known is empty. Cells that a spreadsheet would take
    for a formula begin with a quote.
    0: all runs were read. 1: a run of the period is gone. 3: one cannot be read.

    Examples:
      ritornello report provider last
      ritornello report provider 2026-11 -o november.csv
    """
    if what != "provider":
        raise UsageError(f"there is no report of {what!r}", hint="ritornello report provider RUN")
    if output is not None:
        refuse_no_file(output)
    if output is not None and output.exists() and not force:
        raise UsageError("the file is there already", where=str(output), hint="add --force")
    period = parse_period(subject)
    code: int = ExitCode.OK
    if period is None:
        rows = list(_run_rows(subject, workspace, None))
    else:
        rows, code = _period_rows(period, workspace)
    rows = _marked([row for row in rows if not host or row.exchange.host in host])
    if as_json:
        cells = [dict(zip(COLUMNS, row.cells(), strict=True)) for row in rows]
        emit_json("report", {"report": "provider", "subject": subject, "exchanges": cells})
    else:
        _write(output, csv_bytes(COLUMNS, (row.cells() for row in rows)))
    _say_what_is_unknown(rows)
    return code


def _period_rows(period: Period, workspace: Path) -> tuple[list[_Row], int]:
    """Return the exchanges of all runs of a workspace that fall into a period."""
    rows: list[_Row] = []
    code: int = ExitCode.OK
    for run in Workspace.open(workspace, create=False).runs():
        if not run.present:
            say(f"report: run {inert(run.run)} was recorded, and its directory is gone")
            code = max(code, ExitCode.DIFFERENT)
            continue
        origin = "imported" if run.state == "imported" else "recorded"
        try:
            found = list(_run_rows(run.run, workspace, origin))
        except ReplayError as error:
            say(f"report: run {inert(run.run)} cannot be read", f"  {inert(error.message)}")
            code = max(code, ExitCode.DAMAGED)
            continue
        for row in found:
            day, _ = day_of(row.exchange.response_date, row.exchange.sent_us)
            if day is not None and period.first <= day <= period.last:
                rows.append(row)
    return rows, code


def _run_rows(run: str, workspace: Path, origin: str | None) -> Iterator[_Row]:
    reader = open_run(run, workspace=workspace)
    try:
        started: list[RunStarted] = []
        found = exchanges(_watched(reader, started))
    finally:
        reader.close()
    name = started[0].run if started else run
    fork = started[0].forked_from if started else None
    observed = bool(started and started[0].observed)
    for each in found:
        yield _Row(
            run=name,
            exchange=each,
            origin="observed" if observed else origin or "recorded",
            copied_from=_copied(each, fork),
        )


def _watched(
    reader: LogReader, started: list[RunStarted]
) -> Iterator[tuple[Header, Payload | None]]:
    for event in iter_events(reader):
        if isinstance(event.payload, RunStarted):
            started.append(event.payload)
        yield event.header, event.payload


def _copied(each: Exchange, fork: ForkOrigin | None) -> str | None:
    """Return the run that a fork has an exchange from: nothing was sent for it again."""
    if fork is None or each.ended_at is None or each.ended_at >= fork.position:
        return None
    return fork.run


def _marked(rows: Sequence[_Row]) -> list[_Row]:
    """Mark what an earlier run has with the same marks of the provider: it was answered from it."""
    first: dict[tuple[str | None, ...], str] = {}
    marked: list[_Row] = []
    for row in rows:
        each = row.exchange
        marks = (each.host, each.request_id, each.response_id, each.response_date)
        known = first.setdefault(marks, row.run) if each.request_id or each.response_id else row.run
        copied = row.copied_from or (known if known != row.run else None)
        marked.append(msgspec.structs.replace(row, copied_from=copied))
    return marked


def _say_what_is_unknown(rows: Sequence[_Row]) -> None:
    unread = sum(row.exchange.dialect is None for row in rows)
    unmarked = sum(row.exchange.request_id is None for row in rows)
    copied = sum(row.copied_from is not None for row in rows)
    say(f"ritornello: {counted(len(rows), 'exchange')}")
    if unread:
        say(f"  note: {unread} were read by no dialect: their models, response ids and tokens are")
        say("        empty")
    if unmarked:
        say(f"  note: {unmarked} have no request id from the provider")
    if copied:
        say(f"  note: {copied} are copies of another run's; nothing was sent for them again")


def _write(output: Path | None, data: bytes) -> None:
    if output is None:
        sys.stdout.buffer.write(data)
        return
    output.write_bytes(data)
    say(f"ritornello: {inert(str(output))}, {len(data)} bytes")


def _instant(time_us: int) -> str | None:
    try:
        moment = _EPOCH + timedelta(microseconds=time_us)
    except OverflowError:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("report", report, arguments)
