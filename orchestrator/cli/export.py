"""`ritornello export`: write a run as one file."""

from __future__ import annotations

import errno
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from orchestrator.cli.app import AsJson, InWorkspace, run_verb
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.terminal import emit_json, inert, say
from replay.bundle.attached import Attached, read_attached
from replay.bundle.publishing import BundleSummary
from replay.bundle.writer import write_bundle
from replay.errors import IntegrityError, LogError, UsageError
from replay.log.duckdb_store import DuckDBStore
from replay.log.excerpt import Excerpt
from replay.log.fsck import RunCheck, check
from replay.log.head import origin_of, read_head
from replay.log.workspace import Workspace
from replay.session.api import BUNDLE_SUFFIX
from replay.session.record import DEFAULT_WORKSPACE
from replay.tree import Checkpoint
from replay.version import VERSION

__all__ = ["Exported", "export_run", "main"]

#: What a medium says that may be read and not written.
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an export.

    Attributes:
        summary: what was written.
        entered: whether the workspace log says so.
    """

    summary: BundleSummary
    entered: bool


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

    The file appears only when it is complete and was read back. It holds what the
    workspace log says about the run, and that log then says that it was exported,
    unless it may only be read. A run in which a secret was found too late is
    refused (6).

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
    exported = export_run(run, Workspace.open(workspace, create=False), output)
    if exported is None:
        say(
            "export: a secret was found in this run after its bytes were committed",
            "  try: erase it first, then export",
        )
        return ExitCode.REFUSED
    summary, entered = exported.summary, exported.entered
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
                "workspace_records": summary.verified.workspace_records,
                "statements": summary.verified.statements,
                "entered": entered,
            },
        )
    else:
        say(
            f"ritornello: {inert(str(summary.path))}, {summary.size_bytes} bytes,"
            f" {summary.verified.events} events",
            f"            bundle {summary.identity}",
            f"            root {summary.manifest.root}",
        )
    if not entered:
        say(
            "  note: the workspace may only be read, so its log does not say that this was exported"
        )
    return ExitCode.OK


def export_run(run: str, place: Workspace, output: Path) -> Exported | None:
    """Write a run of a workspace as a bundle and enter that in the workspace log.

    A run that came in from a bundle goes out with what lay beside it there. If it has not changed
    since, it goes out as that very bundle; this workspace has nothing to add then.

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
        attached = read_attached(directory)
        unchanged = attached is not None and attached.manifest.root == checked.root
        summary = write_bundle(
            store,
            output,
            checkpoint=Checkpoint(origin_of(name), checked.events, bytes.fromhex(checked.root)),
            sealed=checked.completeness == "sealed",
            engine=VERSION,
            signatures=attached.signatures if attached and unchanged else (),
            excerpts=_excerpts(attached, place.excerpt(name)),
            statements=attached.statements if attached else (),
            formerly=attached.manifest if attached else None,
        )
    finally:
        store.close()
    return Exported(summary=summary, entered=_enter(place, name, checked, summary.identity))


def _excerpts(attached: Attached | None, own: Excerpt | None) -> tuple[Excerpt, ...]:
    """Return what came in, and what this workspace knows beyond that it came in and went out."""
    brought = () if attached is None else attached.excerpts
    if own is None:
        return brought
    kinds = [record.header.kind for record in own.records]
    if "RunImported" in kinds and attached is not None:
        since = kinds[len(kinds) - kinds[::-1].index("RunImported") :]
        if set(since) <= {"RunExported"}:
            return brought
    # The workspace in which the run was recorded may have taken it in again.
    return (*(each for each in brought if each.checkpoint.origin != own.checkpoint.origin), own)


def _enter(place: Workspace, name: str, checked: RunCheck, identity: str) -> bool:
    """Enter the export in the workspace log, if that may be written."""
    root = bytes.fromhex(checked.root)
    try:
        place.exported(name, checked.events, root, identity, time.time_ns() // 1000)
    except LogError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in _READ_ONLY:
            return False
        raise
    return True


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("export", export, arguments)
