"""Excerpts of workspace logs in a bundle: their frames, and what they have to say of the run.

The one invariant: a record that is handed out stands in the tree of the note before it, fits its
commitment, and speaks of no other run. What such a record says of the run's head is collected, to
be compared with the run's own tree.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from replay.bundle.frames import Cursor, part_start, take_part
from replay.errors import BundleError, IntegrityError
from replay.events.digest import payload_commitment
from replay.events.entry import Part
from replay.events.header import decode_header
from replay.events.parts import check_part
from replay.events.refs import PARTS_PER_PAYLOAD_MAX
from replay.log.excerpt import (
    CLAIMS_OF_A_HEAD,
    WORKSPACE_ORIGIN_PREFIX,
    Excerpt,
    WorkspaceRecord,
    read_created,
    read_head,
    read_words,
)
from replay.tree import HASH_SIZE_BYTES, parse_checkpoint

__all__ = ["ExcerptChecker", "HeadClaim", "excerpt_frames", "gather_excerpts", "iter_excerpts"]

_NOTE: Final = 0
_RECORD: Final = 1
_U32: Final = struct.Struct("<I")
_ORIGIN: Final = re.compile(rf"{WORKSPACE_ORIGIN_PREFIX}[0-9A-Za-z_-]{{1,64}}")


class HeadClaim(msgspec.Struct, frozen=True, kw_only=True):
    """What a workspace record says of the run: so many records with this root.

    Attributes:
        size: number of the run's records.
        root: hex root over them.
        member: where the record stands.
        seq: its position in the workspace log.
    """

    size: int
    root: str
    member: str
    seq: int

    def refused(self, message: str, kind: type[BundleError] = BundleError) -> BundleError:
        """Return an error that names the record."""
        return kind(f"workspace record {self.seq} {message}", member=self.member)


def excerpt_frames(excerpts: Iterable[Excerpt]) -> Iterator[bytes]:
    """Yield the frames of excerpts: for each its note, then its records; ascending origins."""
    for excerpt in sorted(excerpts, key=lambda each: each.checkpoint.origin):
        note = excerpt.checkpoint.note(excerpt.signatures)
        yield bytes((_NOTE,)) + _U32.pack(len(note)) + note
        yield from map(_record_frame, excerpt.records)


def _record_frame(record: WorkspaceRecord) -> bytes:
    pieces = [bytes((_RECORD,)), _U32.pack(len(record.raw)), record.raw]
    pieces.append(_U32.pack(len(record.parts)))
    for part in record.parts:
        pieces += [part_start(part), part.data or b""]
    pieces += [bytes((len(record.proof),)), *record.proof]
    return b"".join(pieces)


def iter_excerpts(plains: Iterable[tuple[bytes, str, int]]) -> Iterator[tuple[Excerpt, str]]:
    """Yield each piece of an excerpt as one of its own: a note, then each record under it.

    Args:
        plains: plaintext, name and number of frames of each member, in order.

    Yields:
        An excerpt with no record (a note) or one, and the member's name.

    Raises:
        BundleError: a frame is malformed.
    """
    note: Excerpt | None = None
    for plain, member, count in plains:
        cursor = Cursor(plain, member)
        for _ in range(count):
            kind = cursor.take(1)[0]
            if kind == _NOTE:
                note = _take_note(cursor)
                yield note, member
            elif kind == _RECORD and note is not None:
                yield msgspec.structs.replace(note, records=(_take_record(cursor),)), member
            else:
                raise BundleError("frame is no note and no record under one", member=member)
        cursor.finish()


def gather_excerpts(pieces: Iterable[tuple[Excerpt, str]]) -> tuple[Excerpt, ...]:
    """Put the pieces that :func:`iter_excerpts` yields together: one excerpt for each note."""
    found: list[tuple[Excerpt, list[WorkspaceRecord]]] = []
    for piece, _ in pieces:
        if piece.records:
            found[-1][1].extend(piece.records)
        else:
            found.append((piece, []))
    return tuple(msgspec.structs.replace(note, records=tuple(records)) for note, records in found)


class ExcerptChecker:
    """Checks excerpts as they are read and counts what is in them.

    Args:
        run: the id of the bundle's run.

    Attributes:
        records: how many records there are.
        holes: how many of their parts are not here.
        claims: what they say of the run's head.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._origin = ""
        self._seq = -1
        self._member = ""
        self.records = 0
        self.holes = 0
        self.claims: list[HeadClaim] = []

    def check(self, excerpt: Excerpt, member: str) -> None:
        """Check the next note or record.

        Raises:
            BundleError: it does not hold; names the member and the workspace record.
        """
        if not excerpt.records:
            self._finish_section()
            origin = excerpt.checkpoint.origin
            if _ORIGIN.fullmatch(origin) is None or origin <= self._origin:
                raise BundleError("note of no workspace, or out of order", member=member)
            self._origin, self._seq = origin, -1
        else:
            record = excerpt.records[0]
            try:
                self._check_record(record, excerpt, member)
            except IntegrityError as error:
                if isinstance(error, BundleError):
                    raise
                message = f"workspace record {record.header.seq}: {error.message}"
                raise BundleError(message, member=member) from None
        self._member = member

    def finish(self) -> None:
        """Check what can be said only at the end.

        Raises:
            BundleError: the last note has no record.
        """
        self._finish_section()

    def _finish_section(self) -> None:
        if self._origin and self._seq < 0:
            raise BundleError("note without a record", member=self._member)

    def _check_record(self, record: WorkspaceRecord, excerpt: Excerpt, member: str) -> None:
        header = record.header
        seq = header.seq
        if not self._seq < seq or (self._seq < 0 and (seq, header.kind) != (0, "WorkspaceCreated")):
            raise BundleError(f"workspace record {seq} is out of order", member=member)
        self._seq = seq
        self.records += 1
        record.check_place(excerpt.checkpoint)
        for part in record.parts:
            check_part(part)
            self.holes += part.data is None
        if not record.parts:
            raise IntegrityError("lists no part")
        listed = [(part.size, part.commitment) for part in record.parts]
        if payload_commitment(listed) != header.commitment:
            raise IntegrityError("parts do not match the payload's commitment")
        if sum(part.size for part in record.parts) != header.size:
            raise IntegrityError("parts are not of the payload's size")
        self._read(record, member)

    def _read(self, record: WorkspaceRecord, member: str) -> None:
        """Compare what the payload says, if it is here, with what is known already."""
        payload, header = record.payload(), record.header
        if payload is None:
            return
        kind, run = read_words(payload)
        if kind != header.kind:
            raise IntegrityError("payload does not say that it is of the header's kind")
        if run not in {None, self._run}:
            raise IntegrityError("speaks of another run")
        if header.seq == 0 and WORKSPACE_ORIGIN_PREFIX + read_created(payload) != self._origin:
            raise IntegrityError("names another workspace than the note")
        if kind in CLAIMS_OF_A_HEAD:
            size, root = read_head(payload)
            self.claims.append(HeadClaim(size=size, root=root, member=member, seq=header.seq))


def _take_note(cursor: Cursor) -> Excerpt:
    try:
        checkpoint, signatures = parse_checkpoint(cursor.take(cursor.u32()))
    except IntegrityError as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(error.message, member=cursor.member) from None
    return Excerpt(checkpoint=checkpoint, signatures=signatures, records=())


def _take_record(cursor: Cursor) -> WorkspaceRecord:
    raw = cursor.take(cursor.u32())
    try:
        header = decode_header(raw)
    except IntegrityError as error:
        raise BundleError(f"workspace record: {error.message}", member=cursor.member) from None
    listed = cursor.u32()
    if listed > PARTS_PER_PAYLOAD_MAX:
        message = f"workspace record {header.seq} lists {listed} parts"
        raise BundleError(message, member=cursor.member)
    parts = tuple(_take_part(cursor, ordinal) for ordinal in range(listed))
    proof = tuple(cursor.take(HASH_SIZE_BYTES) for _ in range(cursor.take(1)[0]))
    return WorkspaceRecord(header=header, raw=raw, parts=parts, proof=proof)


def _take_part(cursor: Cursor, ordinal: int) -> Part:
    state, salt, commitment, size = take_part(cursor, ordinal)
    data = cursor.take(size) if state == "present" else None
    return Part(
        ordinal=ordinal, salt=salt, commitment=commitment, size=size, data=data, state=state
    )
