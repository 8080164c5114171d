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
from orchestrator.cli.evidence.kept_signatures import kept_signatures, with_more
from orchestrator.cli.evidence.kept_time_stamps import kept_time_stamps
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.reading.records import iter_events
from orchestrator.cli.reading.summaries import task_labels
from orchestrator.cli.searching.late_secrets import late_secrets
from orchestrator.cli.searching.suspected import suspected
from orchestrator.cli.searching.withheld_text import decoded_text, refuse_beside
from orchestrator.cli.terminal import counted, emit_json, inert, say
from replay.bundle.attached import Attached, read_attached
from replay.bundle.limits import BUNDLE_SUFFIX
from replay.bundle.publishing import BundleSummary
from replay.bundle.withholding import Selection, Withheld, parse_withheld, select_withheld
from replay.bundle.writer import write_bundle
from replay.errors import IntegrityError, LogError, UsageError
from replay.log.excerpt import Excerpt
from replay.log.fsck import RunCheck
from replay.log.head import origin_of
from replay.log.port import LogReader
from replay.log.stored_run import StoredRun
from replay.log.workspace import DEFAULT_WORKSPACE, Workspace
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
        withheld: what was left out.
    """

    summary: BundleSummary
    entered: bool
    withheld: Selection = Selection()


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
    withhold: Annotated[
        list[str] | None,
        typer.Option("--withhold", metavar="EXPR", help="Leave these payloads out; repeatable."),
    ] = None,
    keep_salts: Annotated[
        bool,
        typer.Option("--keep-salts", help="Keep the salts of what is withheld: guesses show."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
    as_json: AsJson = False,
) -> int:
    """Write a run as one file that can be verified and replayed anywhere.

    The file appears only when it is complete and was read back. It holds what the
    workspace log says about the run, and that log says that it was exported before it
    appears, unless it may only be read. A run in which a secret was found too late is
    refused (6).

    --withhold leaves payloads out; their holes are counted and the root stays. EXPR is
    terms that must all hold: positions (12, 12..40), kind=A|B, actor=NAME, and last
    text=TEXT for only those parts of a payload that hold it, also escaped, in base64,
    packed, or spread over records; what cannot be decoded is refused. A replay stops before what
    it would need (6). With --keep-salts it can compute withheld results again, and
    whoever has the file can try guesses of what was withheld.

    Examples:
      ritornello export last -o run.ritornello
      ritornello export last -o run.ritornello --withhold "kind=OutputWritten,40.."
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
    withheld = tuple(map(parse_withheld, withhold or ()))
    if keep_salts and not withheld:
        raise UsageError("--keep-salts is about what is withheld", hint="add --withhold EXPR")
    exported = export_run(
        run, Workspace.open(workspace, create=False), output, withheld, keep_salts=keep_salts
    )
    if exported is None:
        say(
            "export: a secret was found in this run after its bytes were committed",
            "  try: `ritornello scan` says where; erase it first, or withhold what holds it",
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
                "withheld": summary.verified.withheld,
                "records_withheld": exported.withheld.holed,
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
        if exported.withheld.ordinals:
            say(
                f"            withheld {counted(summary.verified.withheld, 'part')}: holes in"
                f" {counted(exported.withheld.holed, 'record')}, of which"
                f" {len(exported.withheld.named)} named",
            )
    if not entered:
        say(
            "  note: the workspace may only be read, so its log does not say that this was exported"
        )
    return ExitCode.OK


def export_run(
    run: str,
    place: Workspace,
    output: Path,
    withheld: Sequence[Withheld] = (),
    *,
    keep_salts: bool = False,
) -> Exported | None:
    """Write a run of a workspace as a bundle and enter that in the workspace log.

    A run that came in from a bundle goes out with what lay beside it there. If it has not changed
    since, it goes out as that very bundle; this workspace has nothing to add then.

    Args:
        run: a run of the workspace.
        place: the workspace.
        output: the file to write.
        withheld: which payloads to leave out.
        keep_salts: keep the salts of what is withheld.

    Returns:
        What was written; None if a late-found secret forbids it.

    Raises:
        IntegrityError: the run does not hold.
        UsageError: there is nothing of what is to be withheld.
    """
    directory = place.run_directory(run)
    store = StoredRun.of(place, directory)
    try:
        checked = store.check()
        if checked.integrity != "ok":
            raise IntegrityError(
                f"the run does not hold: {checked.findings[0].message}",
                where=str(directory),
                hint="`ritornello verify` names everything that is wrong",
            )
        actors = task_labels(iter_events(store)) if any(w.actor for w in withheld) else {}
        decoded = {each.text: decoded_text(store, each.text) for each in withheld if each.text}
        selection = select_withheld(store, withheld, actors, decoded) if withheld else Selection()
        name = checked.run or directory.name
        known = _suspected(store)
        late = late_secrets(store, place, name, checked, time.time_ns() // 1000)
        if known is None or not selection.ordinals >= known | late or (known | late and keep_salts):
            return None
        attached = read_attached(directory)
        unchanged = attached is not None and attached.manifest.root == checked.root
        now = Checkpoint(origin_of(name), checked.events, bytes.fromhex(checked.root))
        said = attached.statements if attached else ()
        excerpts = _excerpts(attached, place.excerpt(name))
        statements = (*said, *kept_time_stamps(directory, now))
        refuse_beside([each.text for each in withheld if each.everywhere], excerpts, statements)
        entered: list[bool] = []

        def enter(identity: str) -> None:
            # Before the bundle appears: none is anywhere of which the workspace log knows nothing.
            entered.append(_enter(place, name, checked, identity))

        summary = write_bundle(
            store,
            output,
            checkpoint=now,
            sealed=checked.completeness == "sealed",
            engine=VERSION,
            signatures=with_more(
                attached.signatures if attached and unchanged else (),
                kept_signatures(directory, now),
            ),
            excerpts=excerpts,
            statements=statements,
            withheld=selection.ordinals,
            keep_salts=keep_salts,
            formerly=attached.manifest if attached else None,
            before=enter,
        )
    finally:
        store.close()
    return Exported(summary=summary, entered=all(entered), withheld=selection)


def _suspected(store: LogReader) -> frozenset[int] | None:
    """Return the parts in which a secret was found too late, as far as they stand.

    Returns:
        None if a record that names one cannot be read any more.
    """
    parts: set[int] = set()
    for suspicion, standing in suspected(store):
        if suspicion is None:
            return None
        parts |= standing
    return frozenset(parts)


def _excerpts(attached: Attached | None, own: Excerpt | None) -> tuple[Excerpt, ...]:
    """Return what came in, and what this workspace knows beyond that it came in and went out."""
    brought = () if attached is None else attached.excerpts
    if own is None:
        return brought
    kinds = [record.header.kind for record in own.records]
    if "RunImported" in kinds and attached is not None:
        since = kinds[len(kinds) - kinds[::-1].index("RunImported") :]
        if set(since) <= {"RunAdmitted", "RunExported"}:
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
