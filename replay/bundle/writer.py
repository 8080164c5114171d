"""Writes the log of a run as a bundle.

The one invariant: the same run with the same things beside it gives the same identity everywhere,
and the same bytes with the same zlib.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from replay.bundle.excerpts import excerpt_frames
from replay.bundle.frames import header_frame, part_frame, refs_frame
from replay.bundle.manifest import CHECKPOINT_NAME, Manifest
from replay.bundle.publishing import BundleSummary, publish
from replay.bundle.spool import Frames, Spool
from replay.bundle.statements import Statement, statement_frames
from replay.errors import BundleError
from replay.events.entry import Part
from replay.events.refs import RefsEncoder
from replay.log.excerpt import Excerpt
from replay.log.port import LogReader
from replay.tree.note import Checkpoint, NoteSignature

__all__ = ["write_beside", "write_bundle"]


def write_bundle(
    reader: LogReader,
    target: Path,
    *,
    checkpoint: Checkpoint,
    sealed: bool,
    engine: str,
    signatures: Sequence[NoteSignature] = (),
    excerpts: Sequence[Excerpt] = (),
    statements: Sequence[Statement] = (),
    withheld: frozenset[int] = frozenset(),
    keep_salts: bool = False,
    formerly: Manifest | None = None,
    before: Callable[[str], None] | None = None,
) -> BundleSummary:
    """Write a run to ``target``, replacing a file of that name; read it back before that.

    Args:
        reader: the run.
        target: the file to write.
        checkpoint: the run's head; what the reader yields must lead to its root.
        sealed: whether the run ends with its seal.
        engine: version of the engine that writes; it stands in the manifest, as a claim.
        signatures: signature lines for the checkpoint's note.
        excerpts: what workspace logs say about the run.
        statements: what others said about it.
        withheld: ordinals of parts to leave out; their commitments stay.
        keep_salts: leave the salts of withheld parts in, which a replay needs to compute them
            again. Whoever has a salt can try guesses of what was withheld.
        formerly: the manifest of the bundle that the run came in with: if every member comes out
            as it was, the bundle is that one, and names the engine that first wrote it.
        before: is told the bundle's identity once it holds, before it appears; if it raises, no
            bundle appears.

    Raises:
        BundleError: the log does not hold or exceeds a limit of the format; nothing is written.
        OSError: the file cannot be written; nothing is left behind.

    Complexity: one pass over the run and one over the file; memory for one member of each kind.
    """
    with tempfile.TemporaryFile(dir=target.parent) as spool:
        members = Spool(spool)
        members.add("checkpoint", CHECKPOINT_NAME, checkpoint.note(signatures))
        size = _fill(members, reader, withheld, keep_salts=keep_salts)
        if size != checkpoint.size:
            message = f"the run has {size} records, its checkpoint says {checkpoint.size}"
            raise BundleError(message, member=CHECKPOINT_NAME)
        write_beside(members, excerpts, statements)
        if formerly is not None and formerly.members == members.members():
            engine = formerly.engine
        return publish(
            members, target, checkpoint=checkpoint, sealed=sealed, engine=engine, before=before
        )


def write_beside(
    spool: Spool, excerpts: Sequence[Excerpt], statements: Sequence[Statement]
) -> None:
    """Spool what lies beside the run.

    Raises:
        BundleError: it exceeds a limit, or is not of the form.
    """
    said = Frames(spool, "statements")
    for frame in statement_frames(statements):
        said.push(frame)
    said.flush()
    excerpted = Frames(spool, "workspace")
    for frame in excerpt_frames(excerpts):
        excerpted.push(frame)
    excerpted.flush()


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
