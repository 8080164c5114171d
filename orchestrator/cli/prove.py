"""`ritornello prove`: write one event as a file that is checked without the rest of the run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from attestations.whole_files import write_whole
from orchestrator.cli.app import AsJson, InWorkspace, RunName, run_verb
from orchestrator.cli.evidence.kept_signatures import kept_signatures, with_more
from orchestrator.cli.evidence.proof_report import proof_fields
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.terminal import emit_json, inert, say
from replay.bundle.attached import read_attached
from replay.bundle.limits import BUNDLE_SUFFIX
from replay.bundle.proof import PROOF_SUFFIX, make_proof, proof_bytes
from replay.bundle.reader import BundleReader
from replay.errors import IntegrityError, NotFoundError, UsageError
from replay.log.duckdb_store import DuckDBStore
from replay.log.fsck import check
from replay.log.head import origin_of, read_head
from replay.log.named_heads import against_named, named_heads
from replay.log.port import LogReader
from replay.log.workspace import DEFAULT_WORKSPACE, Workspace
from replay.tree import Checkpoint, NoteSignature

__all__ = ["main"]


def prove(
    run: RunName,
    seq: Annotated[int, typer.Argument(metavar="SEQ", help="Position of the event.")],
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE.proof", help="The file to write.")
    ],
    withhold: Annotated[
        bool, typer.Option("--withhold", help="Leave the payload out: prove the header alone.")
    ] = False,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
    as_json: AsJson = False,
) -> int:
    """Write one event as a small text file that is checked without the rest of the run.

    The whole run is checked first. The file holds the event's header, its payload, where
    it stands in the tree of the run, and the run's checkpoint with the signatures that
    it has. `ritornello verify FILE.proof` checks it.

    Examples:
      ritornello prove last 41 -o answer.proof
      ritornello prove run.ritornello 41 -o answer.proof --withhold
    """
    if not output.parent.is_dir():
        raise UsageError("there is no such directory", where=str(output.parent))
    if output.suffix != PROOF_SUFFIX:
        raise UsageError(f"a proof's name ends in {PROOF_SUFFIX}", where=str(output))
    if output.exists() and not force:
        raise UsageError("the file is there already", where=str(output), hint="add --force")
    with _provable(run, workspace) as (reader, checkpoint, signatures):
        proof = make_proof(
            reader, seq, checkpoint=checkpoint, signatures=signatures, withhold=withhold
        )
    data = proof_bytes(proof)
    write_whole(output, data)
    if as_json:
        emit_json("prove", {"file": str(output), "size_bytes": len(data), **proof_fields(proof)})
    else:
        say(
            f"ritornello: {inert(str(output))}, {len(data)} bytes,"
            f" event {seq} of {checkpoint.size}",
            f"            root {checkpoint.root.hex()}",
        )
    return ExitCode.OK


@contextlib.contextmanager
def _provable(
    run: str, workspace: Path
) -> Iterator[tuple[LogReader, Checkpoint, tuple[NoteSignature, ...]]]:
    """Open a run that holds, with its head and the signatures of that."""
    if Path(run).suffix == BUNDLE_SUFFIX:
        if not Path(run).is_file():
            raise NotFoundError("no such bundle", where=run)
        with BundleReader.open(Path(run)) as reader:
            yield reader, reader.checkpoint, reader.signatures
        return
    place = Workspace.open(workspace, create=False)
    directory = place.run_directory(run)
    named = named_heads(place)
    store = DuckDBStore.open(directory, read_only=True)
    try:
        kept = read_head(directory)
        checked = against_named(check(store, head=kept), directory.name, store, kept, named)
        if checked.integrity != "ok":
            raise IntegrityError(
                f"the run does not hold: {checked.findings[0].message}",
                where=str(directory),
                hint="`ritornello verify` names everything that is wrong",
            )
        origin = origin_of(checked.run or directory.name)
        attached = read_attached(directory)
        unchanged = attached is not None and attached.manifest.root == checked.root
        now = Checkpoint(origin, checked.events, bytes.fromhex(checked.root))
        brought = attached.signatures if attached and unchanged else ()
        yield store, now, with_more(brought, kept_signatures(directory, now))
    finally:
        store.close()


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("prove", prove, arguments)
