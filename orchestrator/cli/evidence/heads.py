"""The head of a log at hand, computed from records that hold; for whoever pins or stamps it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from orchestrator.cli.evidence.kept_signatures import kept_signatures, with_more
from replay.bundle.attached import read_attached
from replay.bundle.limits import BUNDLE_SUFFIX
from replay.bundle.reader import BundleReader
from replay.errors import IntegrityError, NotFoundError
from replay.events.workspace_kinds import WorkspaceCreated
from replay.log.excerpt import WORKSPACE_ORIGIN_PREFIX
from replay.log.fsck import RunCheck, check
from replay.log.head import origin_of, read_head
from replay.log.named_heads import against_named, named_heads, prefix_root_of
from replay.log.port import LogReader
from replay.log.workspace import Workspace, WorkspaceCheck
from replay.log.workspace_log import WorkspaceLog, payloads_of
from replay.tree import Checkpoint, NoteSignature, event_leaf, root_of, workspace_leaves

__all__ = ["Head", "head_of_run", "head_of_workspace", "workspace_head", "workspace_origin"]


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a log, while the log is open.

    Attributes:
        checkpoint: origin, size and root.
        signatures: lines that its note has already.
        prefix_root: computes the root over the first so many records.
        leaves: hashes each record, for proofs.
        sealed: whether it is final.
        directory: of a run of the workspace.
    """

    checkpoint: Checkpoint
    signatures: tuple[NoteSignature, ...]
    prefix_root: Callable[[int], bytes]
    leaves: Callable[[], Sequence[bytes]]
    sealed: bool
    directory: Path | None = None


@contextlib.contextmanager
def head_of_run(name: str, workspace: Path) -> Iterator[Head]:
    """Check a run of the workspace, or a bundle, whole; give its head while it is open.

    Raises:
        NotFoundError: it is not there.
        IntegrityError: it does not hold.
    """
    if Path(name).suffix == BUNDLE_SUFFIX:
        if not Path(name).is_file():
            raise NotFoundError("no such bundle", where=name)
        with BundleReader.open(Path(name)) as reader:
            checked = check(reader, head=reader.checkpoint)
            yield _head(reader, checked, reader.checkpoint, reader.signatures, name, None)
        return
    from replay.log.duckdb_store import DuckDBStore

    place = Workspace.open(workspace, create=False)
    directory = place.run_directory(name)
    named = named_heads(place)
    store = DuckDBStore.open(directory, read_only=True)
    try:
        kept = read_head(directory)
        checked = against_named(check(store, head=kept), directory.name, store, kept, named)
        head = _head(store, checked, kept, (), str(directory), directory)
        attached = read_attached(directory)
        if attached is not None and attached.manifest.root == head.checkpoint.root.hex():
            head = msgspec.structs.replace(head, signatures=attached.signatures)
        kept_lines = kept_signatures(directory, head.checkpoint)
        yield msgspec.structs.replace(head, signatures=with_more(head.signatures, kept_lines))
    finally:
        store.close()


def head_of_workspace(place: Workspace) -> Head:
    """Check the log of a workspace and give its head.

    Raises:
        IntegrityError: it does not hold.
        NotFoundError: it is empty.
    """
    found = place.verify()
    if found.integrity != "ok":
        raise _not_whole(found.findings[0].message, str(place.path))
    head = workspace_head(place, found)
    if head is None:
        raise NotFoundError("the workspace log says nothing", where=str(place.path))
    return head


def workspace_origin(place: Workspace) -> str | None:
    """Return which log a workspace's is, by its first record; None if that does not say.

    Not by the head beside it: whoever removes or renames that would be compared with nothing.

    Raises:
        IntegrityError: the record cannot be read.
    """
    first = payloads_of(WorkspaceLog(place.path).readable()[0][:1])
    created = next((said for _, said in first), None)
    if not isinstance(created, WorkspaceCreated):
        return None
    return WORKSPACE_ORIGIN_PREFIX + created.workspace


def workspace_head(place: Workspace, found: WorkspaceCheck) -> Head | None:
    """Give the head of a workspace's log that was checked; None if it does not say which it is.

    Raises:
        IntegrityError: it says one thing, and the head beside it another.
    """
    log = WorkspaceLog(place.path)
    kept, origin = log.head(), workspace_origin(place)
    if origin is None:
        return None
    if kept is not None and kept.origin != origin:
        raise IntegrityError(f"the head is that of {kept.origin}", where=str(place.path))

    def prefix_root(size: int) -> bytes:
        return root_of(workspace_leaves(entry.raw for entry in log.entries()[0][:size]))

    def leaves() -> Sequence[bytes]:
        return tuple(workspace_leaves(entry.raw for entry in log.entries()[0][: found.events]))

    now = Checkpoint(origin, found.events, bytes.fromhex(found.root))
    return Head(checkpoint=now, signatures=(), prefix_root=prefix_root, leaves=leaves, sealed=True)


def _head(
    reader: LogReader,
    checked: RunCheck,
    kept: Checkpoint | None,
    signatures: tuple[NoteSignature, ...],
    where: str,
    directory: Path | None,
) -> Head:
    if checked.integrity != "ok":
        raise _not_whole(checked.findings[0].message, where)
    if checked.run is not None:
        origin = origin_of(checked.run)
    elif kept is not None:  # the first record was erased
        origin = kept.origin
    else:
        raise IntegrityError("nothing says which run it is", where=where)
    return Head(
        checkpoint=Checkpoint(origin, checked.events, bytes.fromhex(checked.root)),
        signatures=signatures,
        prefix_root=prefix_root_of(reader),
        leaves=lambda: tuple(event_leaf(each.raw) for each in reader.entries(0, checked.events)),
        sealed=checked.completeness == "sealed",
        directory=directory,
    )


def _not_whole(message: str, where: str) -> IntegrityError:
    return IntegrityError(
        f"the records do not hold: {message}",
        where=where,
        hint="`ritornello verify` names everything that is wrong",
    )
