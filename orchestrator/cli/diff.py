"""`ritornello diff`: how two runs differ, by what caused what."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from orchestrator.cli.app import AsJson, InWorkspace, run_verb
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.reading.diff_html import MARK, page
from orchestrator.cli.reading.diff_text import lines_of
from orchestrator.cli.reading.records import opened
from orchestrator.cli.terminal import emit, emit_json, inert
from replay.bundle.reader import BundleReader
from replay.errors import IntegrityError, NotFoundError, UsageError
from replay.forensics.diff.compare import DETAILED, LISTED, compare_runs
from replay.forensics.diff.rules import Rule, Rules, parse_rule, parse_rules
from replay.log.named_heads import check_run
from replay.log.port import LogReader
from replay.log.workspace import DEFAULT_WORKSPACE

__all__ = ["main"]

_RULE_FILE_MAX: Final = 1 << 20
_ALL_LISTED: Final = 1_000_000
_ALL_DETAILED: Final = 200
_CODES: Final = {
    "same": ExitCode.OK,
    "different": ExitCode.DIFFERENT,
    "not_judged": ExitCode.NOT_JUDGED,
}


def diff(
    a: Annotated[
        str, typer.Argument(metavar="A", help="A run id or the beginning of one, or a bundle.")
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="Likewise; `last` is the newest run.")],
    *,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="RULE", help="Ignore what differs so; may be repeated."),
    ] = None,
    ignore_file: Annotated[
        list[Path] | None,
        typer.Option("--ignore-file", metavar="FILE", help="Rules, one a line; may be repeated."),
    ] = None,
    no_defaults: Annotated[
        bool,
        typer.Option("--no-default-rules", help="Compare clocks, chance, ids and raw answers too."),
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="List every difference, task and rule.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page that opens offline, too."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Compare two runs: the first divergence by causes, and what follows from it.

    What the same task did as its first, second, third is compared, wherever it stands
    in the logs. Either may be open or killed: it is compared as far as it goes.

    A rule is terms such as kind=RequestSent field=body.messages[*].content, or
    task=main/worker*, source="env HOME", header=outcome; all of them must hold.
    The default rules are listed by --all and --json.
    0: the same. 1: different. 125: what differs cannot be seen, as it was erased.

    Examples:
      ritornello diff 01K9 last
      ritornello diff good.ritornello bad.ritornello --all
      ritornello diff 01K9 last --ignore "kind=RequestSent field=body.metadata"
      ritornello diff 01K9 last --html difference.html --json
    """
    rules = Rules(_given(ignore or [], ignore_file or []), defaults=not no_defaults)
    if html is not None:
        _refuse_to_overwrite(html)
    listed, detailed = (_ALL_LISTED, _ALL_DETAILED) if every else (LISTED, DETAILED)
    with _checked(a, workspace) as one, _checked(b, workspace) as other:
        found = compare_runs(one, other, rules, listed=listed, detailed=detailed)
    if html is not None:
        _write(html, page(found))
    if as_json:
        emit_json("diff", msgspec.to_builtins(found))
    else:
        for line in lines_of(found, every=every):
            emit(line)
    return _CODES[found.verdict]


def _given(rules: Sequence[str], files: Sequence[Path]) -> list[Rule]:
    found = [parse_rule(text) for text in rules]
    for file in files:
        with file.open("rb") as source:
            data = source.read(_RULE_FILE_MAX + 1)
        if len(data) > _RULE_FILE_MAX:
            raise UsageError("a file of rules is larger than 1 MiB", where=str(file))
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            where = f"{file}, byte {error.start}"
            raise UsageError("a file of rules is not UTF-8", where=where) from None
        found += parse_rules(text, str(file))
    return found


@contextlib.contextmanager
def _checked(run: str, workspace: Path) -> Iterator[LogReader]:
    """Open a run whose evidence holds; a bundle checks itself."""
    with opened(run, workspace) as reader:
        if not isinstance(reader, BundleReader):
            checked = check_run(reader)
            if checked.integrity != "ok":
                first = checked.findings[0]
                raise IntegrityError(
                    f"the run does not hold: {first.message}",
                    where=f"run {inert(run, 80)}"
                    + ("" if first.seq is None else f", event {first.seq}"),
                    hint=f"`ritornello verify {inert(run, 80)}` names everything that is wrong",
                )
        yield reader


def _refuse_to_overwrite(path: Path) -> None:
    """Refuse what cannot become a page, before anything is compared; an earlier page can.

    A pipe is not opened: it would be waited for.
    """
    if path.is_dir():
        raise UsageError("a directory is no place for a page", where=str(path))
    if not path.parent.is_dir():
        raise NotFoundError(
            "there is no directory for the page", where=str(path), hint="make it, or name another"
        )
    if path.exists():
        if not path.is_file():
            raise UsageError(
                "the file is there and is no regular file", where=str(path), hint="name another"
            )
        with path.open("rb") as file:
            if MARK.encode() not in file.read(200):
                raise UsageError(
                    "the file is there and is no page of this command",
                    where=str(path),
                    hint="name another, or remove it",
                )


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with beside.open("x", encoding="utf-8") as file:
            file.write(text)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("diff", diff, arguments)
