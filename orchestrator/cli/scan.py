"""`ritornello scan`: look for secrets in bundles, runs and files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from orchestrator.cli.app import AsJson, InWorkspace, run_verb, trouble_of
from orchestrator.cli.batch.several import worst
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.reading.records import opened
from orchestrator.cli.searching.secret_search import (
    Found,
    Search,
    search_bundle,
    search_file,
    search_run,
    secrets_of,
)
from orchestrator.cli.terminal import counted, emit, emit_json, inert, say
from replay.bundle.limits import BUNDLE_SUFFIX
from replay.errors import ReplayError
from replay.log.workspace import DEFAULT_WORKSPACE

__all__ = ["main"]


def scan(
    subjects: Annotated[
        list[str],
        typer.Argument(metavar="FILE|BUNDLE|RUN|last...", help="What to look through."),
    ],
    *,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> int:
    """Look for secrets, and say where they stand without saying what they are.

    A secret is what has the shape of a known provider's key, or is the value of a
    variable of this environment whose name says so; of a run, also what it notes itself
    as found too late, such as a token out of an answer. In bundles and runs every
    header and payload is looked through, unpacked and put together: also what is
    escaped, in base64, compressed with gzip or zip, or spread over the events of a
    stream. A run's own surrogates are passed over and counted. Of other files only zip
    and gzip are unpacked. A planted example says `ritornello-scan: allow` on its line.
    What a limit keeps from being unpacked, and a response in brotli or zstd, is named:
    `not looked at`, and then nothing found is no answer (125).
    0: nothing found. 1: found. 125: not all could be looked at.

    Examples:
      ritornello scan run.ritornello
      ritornello scan last --json
      git diff --cached --name-only -z | xargs -0 ritornello scan
    """
    search = Search(secrets_of(os.environ))
    found: list[Found] = []
    codes: list[int] = []
    passed_over: list[tuple[str, str]] = []
    surrogates = searched = 0
    for subject in dict.fromkeys(subjects):
        search.surrogates, search.passed_over = [], []
        try:
            found += _found_in(subject, workspace, search)
        except (ReplayError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            lines, code = trouble_of(error)
            say(*lines)
            codes.append(code)
        else:
            searched += 1
        surrogates += len(search.surrogates)
        passed_over += [(subject, what) for what in search.passed_over]
    codes.append(ExitCode.DIFFERENT if found else ExitCode.OK)
    if passed_over:
        codes.append(ExitCode.NOT_JUDGED)
    if as_json:
        emit_json(
            "scan",
            {
                "found": [msgspec.to_builtins(each) for each in found],
                "not_looked_at": [{"subject": name, "what": what} for name, what in passed_over],
                "surrogates": surrogates,
                "searched": searched,
            },
        )
    else:
        for each in found:
            emit(_line(each))
        for subject, what in passed_over:
            emit(f"{inert(subject)}: not looked at: {inert(what)}")
        sys.stdout.flush()
        places = "1 file or run" if searched == 1 else f"{searched} files and runs"
        say(
            f"ritornello: {counted(len(found), 'secret')} in {places}"
            f" ({counted(surrogates, 'surrogate')} passed over)"
        )
    return worst(codes)


def _found_in(subject: str, workspace: Path, search: Search) -> Iterator[Found]:
    path = Path(subject)
    if path.suffix == BUNDLE_SUFFIX:
        with opened(subject, workspace) as reader:
            yield from search_bundle(path, reader, search)
    elif path.is_file():
        yield from search_file(path, search)
    else:
        with opened(subject, workspace) as reader:
            yield from search_run(subject, reader, search)


def _line(found: Found) -> str:
    place = inert(found.subject)
    if found.line is not None:
        place += f":{found.line}"
    if found.event is not None:
        place += f": event {found.event}"
    if found.member is not None:
        place += f", {inert(found.member)}" if found.event is not None else f": {found.member}"
    if found.decoded is not None:
        place += f" ({inert(found.decoded)})"
    if found.what == "late":
        known = "" if found.source is None else f" ({inert(found.source)})"
        return f"{place}: a secret that became known when it was on record already{known}"
    what = "the shape of a key" if found.variable is None else f"the value of {found.variable}"
    return f"{place}: at byte {found.offset}, {found.length} characters: {what}"


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("scan", scan, arguments)
