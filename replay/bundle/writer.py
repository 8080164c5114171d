"""Writes the log of a run as a bundle.

The one invariant: a file appears under its target name only when it is complete, on disk and
verified by our own reader; the same run gives the same identity everywhere, and the same bytes with
the same zlib.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from replay.bundle.frames import (
    WorkspaceRecord,
    header_frame,
    part_frame,
    refs_frame,
    workspace_frame,
)
from replay.bundle.manifest import (
    CHECKPOINT_NAME,
    FORMAT_VERSION,
    MANIFEST_NAME,
    Manifest,
    encode_manifest,
    identity_of,
)
from replay.bundle.reader import BundleReader
from replay.bundle.spool import Frames, Spool
from replay.bundle.verification import Verified
from replay.errors import BundleError
from replay.events.entry import Part
from replay.events.refs import RefsEncoder
from replay.log.port import LogReader
from replay.tree.note import Checkpoint, NoteSignature

__all__ = ["BundleSummary", "write_bundle"]


class BundleSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What was written.

    Attributes:
        path: the bundle.
        identity: hex SHA-256 of its manifest.
        size_bytes: size of the file.
        manifest: what it lists.
        verified: what reading it back found.
    """

    path: Path
    identity: str
    size_bytes: int
    manifest: Manifest
    verified: Verified


def write_bundle(
    reader: LogReader,
    target: Path,
    *,
    checkpoint: Checkpoint,
    sealed: bool,
    engine: str,
    signatures: Sequence[NoteSignature] = (),
    workspace_records: Sequence[WorkspaceRecord] = (),
    withheld: frozenset[int] = frozenset(),
    keep_salts: bool = False,
) -> BundleSummary:
    """Write a run to ``target``, replacing a file of that name; read it back before that.

    Args:
        reader: the run.
        target: the file to write.
        checkpoint: the run's head; what the reader yields must lead to its root.
        sealed: whether the run ends with its seal.
        engine: version of the engine that writes; it stands in the manifest, as a claim.
        signatures: signature lines for the checkpoint's note.
        workspace_records: what the workspace log says about the run.
        withheld: ordinals of parts to leave out; their commitments stay.
        keep_salts: leave the salts of withheld parts in, which a replay needs to compute them
            again. Whoever has a salt can try guesses of what was withheld.

    Raises:
        BundleError: the log does not hold or exceeds a limit of the format; nothing is written.
        OSError: the file cannot be written; nothing is left behind.

    Complexity: one pass over the run and one over the file; memory for one member of each kind.
    """
    with tempfile.TemporaryFile(dir=target.parent) as spool:
        members = Spool(spool)
        members.add("checkpoint", CHECKPOINT_NAME, checkpoint.note(signatures))
        size = _fill(members, reader, withheld, keep_salts=keep_salts)
        frames = Frames(members, "workspace")
        for record in workspace_records:
            frames.push(workspace_frame(record))
        frames.flush()
        manifest = Manifest(
            engine=engine,
            format=FORMAT_VERSION,
            kind="run",
            members=tuple(sorted(members.listed, key=lambda member: member.name)),
            origin=checkpoint.origin,
            root=checkpoint.root.hex(),
            sealed=sealed,
            size=size,
        )
        raw = encode_manifest(manifest)
        members.pack(MANIFEST_NAME, raw)
        verified, size_bytes = _publish(members, target)
    return BundleSummary(
        path=target,
        identity=identity_of(raw),
        size_bytes=size_bytes,
        manifest=manifest,
        verified=verified,
    )


def _fill(spool: Spool, reader: LogReader, withheld: frozenset[int], *, keep_salts: bool) -> int:
    """Write headers, part lists and parts in one pass; return the number of records."""
    headers = Frames(spool, "headers")
    refs = Frames(spool, "refs")
    parts = Frames(spool, "parts")
    encoder = RefsEncoder()
    left_out = 0
    size = 0
    for entry in reader.entries():
        headers.push(header_frame(entry.raw))
        refs.push(refs_frame(encoder.encode(entry.header, entry.parts)))
        for part in entry.brought:
            if part.ordinal in withheld:
                left_out += 1
                parts.push(part_frame(_withhold(part, keep_salts=keep_salts), size))
            else:
                parts.push(part_frame(part, size))
        size += 1
    if left_out != len(withheld):
        raise BundleError("a part to be withheld is not one of the run", member="parts")
    for frames in (headers, refs, parts):
        frames.flush()
    return size


def _withhold(part: Part, *, keep_salts: bool) -> Part:
    """Leave out the data, and the salt with which they could be guessed; a hole stays its own."""
    if part.state != "present":
        return part
    return Part(
        ordinal=part.ordinal,
        salt=part.salt if keep_salts else b"",
        commitment=part.commitment,
        size=part.size,
        data=None,
        state="withheld",
    )


def _publish(spool: Spool, target: Path) -> tuple[Verified, int]:
    """Assemble beside the target, sync, verify, rename, sync the directory."""
    descriptor, name = tempfile.mkstemp(
        dir=target.parent, prefix=f".{target.name}.", suffix=".partial"
    )
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as out:
            spool.assemble(out)
            out.flush()
            os.fsync(out.fileno())
            size_bytes = out.tell()
        with BundleReader.open(partial, verify=False) as written:
            verified = written.verify()
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_directory(target.parent)
    return verified, size_bytes


def _sync_directory(path: Path) -> None:
    if os.name != "posix":  # elsewhere a directory cannot be opened, and renaming is journaled
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
