"""One event of a run, in one small text file that is checked without the rest of the run.

The one invariant: a proof has exactly one spelling, and what :func:`read_proof` returns has been
checked: the header stands at its position under the checkpoint's root, and each part that is here
is the one that the header commits to. Whose checkpoint that is, is a signature's affair. The form
is in ``docs/reference/proof.md``; its second half is a C2SP tlog-proof as others read it.

Source: https://c2sp.org/tlog-proof.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from replay.bundle.limits import FRAME_SIZE_MAX
from replay.bundle.manifest import ORIGIN_PREFIX
from replay.bundle.proof_text import (
    event_section,
    place_section,
    proof_refused,
    read_event,
    read_place,
)
from replay.errors import IntegrityError, NotFoundError, ProofError, UsageError
from replay.events.digest import payload_commitment
from replay.events.entry import Part, PartState
from replay.events.header import Header
from replay.events.kinds import CATALOGUE, Payload, RunStarted
from replay.events.parts import check_part
from replay.events.payload import decode_payload
from replay.log.port import LogReader
from replay.tree import (
    Checkpoint,
    NoteSignature,
    event_leaf,
    inclusion_proof,
    parse_checkpoint,
    root_of,
    verify_inclusion,
)

__all__ = [
    "PROOF_SIZE_MAX",
    "PROOF_SUFFIX",
    "EventProof",
    "make_proof",
    "proof_bytes",
    "read_proof",
]

#: Bytes of a proof's file: the largest frame of a bundle in base64, and what stands around it.
PROOF_SIZE_MAX: Final = FRAME_SIZE_MAX * 3 // 2
PROOF_SUFFIX: Final = ".proof"
_ORIGIN: Final = re.compile(rf"{ORIGIN_PREFIX}[0-9A-Za-z_-]{{1,64}}")


class EventProof(msgspec.Struct, frozen=True, kw_only=True):
    """One event with all that shows where it stands.

    Attributes:
        header: its fields; ``seq`` is the position in the run.
        raw: its exact header bytes.
        parts: the parts of its payload, in order; ordinals count within the payload.
        path: siblings from its leaf to the root.
        checkpoint: origin, size and root of the run's log.
        signatures: signature lines of the checkpoint's note; claims, not verified here.
    """

    header: Header
    raw: bytes
    parts: tuple[Part, ...]
    path: tuple[bytes, ...]
    checkpoint: Checkpoint
    signatures: tuple[NoteSignature, ...] = ()

    @property
    def run_id(self) -> str:
        """The id of the run, from the checkpoint's origin."""
        return self.checkpoint.origin.removeprefix(ORIGIN_PREFIX)

    @property
    def hole(self) -> PartState | None:
        """Why the payload is not here, None if it is."""
        return next((part.state for part in self.parts if part.data is None), None)

    def payload(self) -> bytes | None:
        """Return the payload, None if a part of it is not here."""
        pieces = [part.data for part in self.parts if part.data is not None]
        return b"".join(pieces) if len(pieces) == len(self.parts) else None

    def decoded(self) -> tuple[Payload, bytes] | None:
        """Return head and body of the payload; None if it is not here, or of an unknown kind.

        Raises:
            IntegrityError: it is not of its kind.
        """
        payload = self.payload()
        if payload is None or self.header.kind not in CATALOGUE:
            return None
        return decode_payload(self.header.media, payload, self.header.seq)


def make_proof(
    reader: LogReader,
    seq: int,
    *,
    checkpoint: Checkpoint,
    signatures: Sequence[NoteSignature] = (),
    withhold: bool = False,
) -> EventProof:
    """Make the proof of one event, and check it.

    Args:
        reader: the run.
        seq: position of the event.
        checkpoint: the run's head; what the reader yields must lead to its root.
        signatures: signature lines of the checkpoint's note.
        withhold: leave the payload out, and the salts with which it could be guessed.

    Raises:
        NotFoundError: the run has no such event.
        IntegrityError: the run does not hold.
        UsageError: the payload is too large for a proof.

    Complexity: one pass over the header bytes; 32 bytes of memory for each record.
    """
    if not 0 <= seq < checkpoint.size:
        raise NotFoundError(
            f"the run has no event {seq}", where=checkpoint.origin, hint=f"it has {checkpoint.size}"
        )
    leaves = [
        event_leaf(line if isinstance(line, bytes) else line.raw)
        for lines in reader.lean(frozenset())
        for line in lines
    ]
    if (len(leaves), root_of(leaves)) != (checkpoint.size, checkpoint.root):
        raise IntegrityError("the run's records do not lead to its root", where=checkpoint.origin)
    entry = next(iter(reader.entries(seq, seq + 1)))
    if entry.header.size > FRAME_SIZE_MAX:
        raise UsageError(
            f"a payload of {entry.header.size} bytes is too large for a proof",
            where=f"event {seq}",
            hint="prove its header alone: --withhold",
        )
    found = reader.parts(sorted(set(entry.parts)))
    parts = [
        msgspec.structs.replace(found[ordinal], ordinal=place)
        for place, ordinal in enumerate(entry.parts)
    ]
    proof = EventProof(
        header=entry.header,
        raw=entry.raw,
        parts=tuple(map(_withheld, parts) if withhold else parts),
        path=inclusion_proof(seq, leaves),
        checkpoint=checkpoint,
        signatures=tuple(signatures),
    )
    return read_proof(proof_bytes(proof))


def proof_bytes(proof: EventProof) -> bytes:
    """Return the file of a proof."""
    sections = (
        event_section(proof.raw, proof.parts),
        place_section(proof.header.seq, proof.path),
        proof.checkpoint.note(proof.signatures),
    )
    return b"\n\n".join(sections)


def read_proof(data: bytes) -> EventProof:
    """Read the file of a proof and check all that can be checked without the run.

    Raises:
        ProofError: it is no proof, or does not hold; names the line or the event.

    Complexity: memory of a few times the file's size.
    """
    if len(data) > PROOF_SIZE_MAX:
        raise proof_refused(f"{len(data)} bytes are over the limit")
    event, blank, rest = data.partition(b"\n\n")
    tree, second_blank, note = rest.partition(b"\n\n")
    if not blank or not second_blank:
        raise proof_refused("is not an event, its place and a checkpoint, with blank lines between")
    try:
        header, raw, parts = read_event(event)
        path = read_place(tree, header.seq, 3 + event.count(b"\n"))
        checkpoint, signatures = parse_checkpoint(note)
    except IntegrityError as error:
        if isinstance(error, ProofError):
            raise
        raise proof_refused(error.message, error.where) from None
    proof = EventProof(
        header=header,
        raw=raw,
        parts=parts,
        path=path,
        checkpoint=checkpoint,
        signatures=signatures,
    )
    if proof_bytes(proof) != data:
        raise proof_refused("is not in its one spelling")
    _check(proof)
    return proof


def _check(proof: EventProof) -> None:
    header, checkpoint = proof.header, proof.checkpoint
    where = f"event {header.seq}"
    if _ORIGIN.fullmatch(checkpoint.origin) is None:
        raise proof_refused("the checkpoint is of no run", checkpoint.origin)
    if header.seq >= checkpoint.size:
        raise proof_refused(f"the checkpoint covers {checkpoint.size} events only", where)
    try:
        verify_inclusion(
            event_leaf(proof.raw),
            index=header.seq,
            size=checkpoint.size,
            proof=proof.path,
            root=checkpoint.root,
        )
    except ProofError as error:
        raise proof_refused(error.message, where) from None
    listed = [(part.size, part.commitment) for part in proof.parts]
    if payload_commitment(listed) != header.commitment:
        raise proof_refused("the parts are not those that the header commits to", where)
    if sum(part.size for part in proof.parts) != header.size:
        raise proof_refused("the parts are not of the payload's size", where)
    try:
        for part in proof.parts:
            check_part(part)
        decoded = proof.decoded()
    except IntegrityError as error:
        raise proof_refused(error.message, where) from None
    if decoded is None:
        return
    if type(decoded[0]).__name__ != header.kind:
        raise proof_refused("the payload is not of the header's kind", where)
    if isinstance(decoded[0], RunStarted) and decoded[0].run != proof.run_id:
        raise proof_refused("the checkpoint is that of another run", where)


def _withheld(part: Part) -> Part:
    if part.state != "present":
        return part
    return Part(
        ordinal=part.ordinal,
        salt=b"",
        commitment=part.commitment,
        size=part.size,
        data=None,
        state="withheld",
    )
