"""`ritornello export`: write a run as one file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import AsJson, InWorkspace, run_verb
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.terminal import emit_json, inert, say
from replay.bundle.writer import BundleSummary, write_bundle
from replay.errors import IntegrityError, UsageError
from replay.log.duckdb_store import DuckDBStore
from replay.log.fsck import check
from replay.log.head import origin_of, read_head
from replay.log.workspace import Workspace
from replay.session.api import BUNDLE_SUFFIX
from replay.session.record import DEFAULT_WORKSPACE
from replay.tree import Checkpoint
from replay.version import VERSION

__all__ = ["export_run", "main"]


def export(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN|last", help="A run id or the beginning of one, or `last`."),
    ],
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE.ritornello", help="The file to write.")
    ],
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
    as_json: AsJson = False,
) -> int:
    """Write a run as one file that can be verified and replayed anywhere.

    The file appears only when it is complete and was read back. A run in which a
    secret was found too late is refused (6).

    Examples:
      ritornello export last -o run.ritornello
      ritornello export 01M7YB -o run.ritornello --force --json
    """
    if Path(run).suffix == BUNDLE_SUFFIX:
        raise UsageError("this is a bundle already", where=run, hint="copy the file")
    if not output.parent.is_dir():
        raise UsageError("there is no such directory", where=str(output.parent))
    if output.suffix != BUNDLE_SUFFIX:
        raise UsageError(f"a bundle's name ends in {BUNDLE_SUFFIX}", where=str(output))
    if output.exists() and not force:
        raise UsageError("the file is there already", where=str(output), hint="add --force")
    summary = export_run(run, Workspace.open(workspace, create=False), output)
    if summary is None:
        say(
            "export: a secret was found in this run after its bytes were committed",
            "  try: erase it first, then export",
        )
        return ExitCode.REFUSED
    if as_json:
        emit_json(
            "export",
            {
                "file": str(summary.path),
                "bundle": summary.identity,
                "size_bytes": summary.size_bytes,
                "events": summary.verified.events,
                "holes": summary.verified.holes,
                "root": summary.manifest.root,
                "sealed": summary.manifest.sealed,
            },
        )
    else:
        say(
            f"ritornello: {inert(str(summary.path))}, {summary.size_bytes} bytes,"
            f" {summary.verified.events} events",
            f"            bundle {summary.identity}",
            f"            root {summary.manifest.root}",
        )
    return ExitCode.OK


def export_run(run: str, place: Workspace, output: Path) -> BundleSummary | None:
    """Write a run of a workspace as a bundle and enter that in the workspace log.

    Returns:
        What was written; None if a late-found secret forbids it.

    Raises:
        IntegrityError: the run does not hold.
    """
    directory = place.run_directory(run)
    store = DuckDBStore.open(directory)
    try:
        checked = check(store, head=read_head(directory))
        if checked.integrity != "ok":
            raise IntegrityError(
                f"the run does not hold: {checked.findings[0].message}",
                where=str(directory),
                hint="`ritornello verify` names everything that is wrong",
            )
        if any(entry.header.kind == "SecretSuspected" for entry in store.entries()):
            return None
        name = checked.run or directory.name
        summary = write_bundle(
            store,
            output,
            checkpoint=Checkpoint(origin_of(name), checked.events, bytes.fromhex(checked.root)),
            sealed=checked.completeness == "sealed",
            engine=VERSION,
        )
    finally:
        store.close()
    place.exported(
        name, checked.events, bytes.fromhex(checked.root), summary.identity, time.time_ns() // 1000
    )
    return summary


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("export", export, arguments)
