"""What a workspace's log says about one run, with the proofs that it stands there.

The one invariant: an excerpt can be checked by itself. It holds a checkpoint of the workspace
tree, the record that began that log, and the records about the run, each with its header bytes,
the parts of its payload and the path from its leaf to the root. Records about other runs never
stand in one. This module computes on values: no file, no lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from replay.errors import IntegrityError
from replay.events.entry import Entry, Part
from replay.events.header import Header
from replay.tree import (
    Checkpoint,
    NoteSignature,
    earlier_roots,
    inclusion_proof,
    root_of,
    verify_inclusion,
    workspace_leaf,
    workspace_leaves,
)

__all__ = [
    "CLAIMS_OF_A_HEAD",
    "PAYLOAD_READ_MAX",
    "WORKSPACE_ORIGIN_PREFIX",
    "Excerpt",
    "WorkspaceRecord",
    "excerpt_of",
    "read_created",
    "read_head",
    "read_words",
]

T = TypeVar("T")

WORKSPACE_ORIGIN_PREFIX: Final = "ritornello/workspace/"
#: Kinds whose `size` and `root` are a head of the run.
CLAIMS_OF_A_HEAD: Final = frozenset({"RunClosed", "RunExported", "RunImported", "RunResumed"})
#: Bytes of a payload that a reader of a bundle looks into: a workspace record's, `RunStarted`'s.
PAYLOAD_READ_MAX: Final = 16 << 20


class WorkspaceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record of a workspace log, able to stand alone.

    Attributes:
        header: its fields; `seq` is the position in the workspace log.
        raw: its exact header bytes.
        parts: the parts of its payload, in order; ordinals count within the payload.
        proof: siblings from its leaf to the root of the excerpt's checkpoint.
    """

    header: Header
    raw: bytes
    parts: tuple[Part, ...]
    proof: tuple[bytes, ...]

    def payload(self) -> bytes | None:
        """Return the payload, None if a part of it is not here."""
        pieces = [part.data for part in self.parts]
        known = [piece for piece in pieces if piece is not None]
        return b"".join(known) if len(known) == len(pieces) else None

    def check_place(self, checkpoint: Checkpoint) -> None:
        """Check that the record stands at its position in the tree of a checkpoint.

        Raises:
            ProofError: it does not.
        """
        verify_inclusion(
            workspace_leaf(self.raw),
            index=self.header.seq,
            size=checkpoint.size,
            proof=self.proof,
            root=checkpoint.root,
        )


class Excerpt(msgspec.Struct, frozen=True, kw_only=True):
    """The records of one workspace's log about a run.

    Attributes:
        checkpoint: a head of the workspace log that covers them.
        signatures: signature lines of its note; claims, not verified here.
        records: ascending positions; the first is `WorkspaceCreated` at position 0.
    """

    checkpoint: Checkpoint
    signatures: tuple[NoteSignature, ...] = ()
    records: tuple[WorkspaceRecord, ...]

    def heads(self) -> dict[int, bytes]:
        """Return the heads of the workspace's log that the proofs hold: root by size.

        They are the checkpoint's own, and those just before and after each record. Call it for an
        excerpt that was checked.

        Raises:
            ProofError: a proof is not of its length.
        """
        found = {self.checkpoint.size: self.checkpoint.root}
        for record in self.records:
            place = record.header.seq
            before, after = earlier_roots(
                workspace_leaf(record.raw),
                index=place,
                size=self.checkpoint.size,
                proof=record.proof,
            )
            found |= {place: before, place + 1: after}
        return found


_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NULL: Final = b"null"


def read_words(payload: bytes) -> tuple[str, str | None]:
    """Return of which kind a payload says to be and of which run, if of one, it speaks.

    Raises:
        IntegrityError: the payload is no such JSON object.
    """
    members = _members(payload)
    about = bytes(members.get("run", _NULL)) != _NULL
    return _member(members, "kind", str), _member(members, "run", str) if about else None


def read_created(payload: bytes) -> str:
    """Return the id of the workspace from its first record; errors as :func:`read_words`."""
    return _member(_members(payload), "workspace", str)


def read_head(payload: bytes) -> tuple[int, str]:
    """Return size and hex root of a claimed head of the run; errors as :func:`read_words`."""
    members = _members(payload)
    _member(members, "run", str)
    return _member(members, "size", int), _member(members, "root", str)


def _members(payload: bytes) -> dict[str, msgspec.Raw]:
    """Return what a payload's object holds; of a repeated name the last counts."""
    if len(payload) > PAYLOAD_READ_MAX:
        raise IntegrityError(f"payload cannot be read: {len(payload)} bytes are over the limit")
    try:
        return _MEMBERS.decode(payload.decode())  # also what it skips is UTF-8
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise IntegrityError(f"payload cannot be read: {error}") from None


def _member(members: dict[str, msgspec.Raw], name: str, type_: type[T]) -> T:
    """Return a member's value. A struct would ask for its type of all of the same name."""
    try:
        value: T = msgspec.json.decode(members[name], type=type_)
    except KeyError:
        raise IntegrityError(f"payload cannot be read: it has no {name!r}") from None
    except msgspec.MsgspecError as error:
        raise IntegrityError(f"payload cannot be read: {name!r}: {error}") from None
    return value


def excerpt_of(entries: Sequence[Entry], run: str) -> Excerpt | None:
    """Take the records about a run out of a whole workspace log.

    The checkpoint is the head of the log as it was after the last of them, so that what the
    workspace did since, with other runs, changes nothing.

    Returns:
        The excerpt; None if no record speaks of the run.

    Raises:
        IntegrityError: a record cannot be read.

    Complexity: one pass, and one tree for each record about the run.
    """
    table: list[Part] = []
    found: list[tuple[Entry, tuple[Part, ...]]] = []
    workspace = ""
    for entry in entries:
        table += entry.brought
        seq = entry.header.seq
        if not all(ref < len(table) for ref in entry.parts):
            where = f"workspace record {seq}"
            raise IntegrityError("the payload names a part that the log never had", where=where)
        parts = tuple(table[ref] for ref in entry.parts)
        pieces = [part.data for part in parts if part.data is not None]
        if len(pieces) < len(parts):
            continue  # erased: of whom it spoke is gone
        payload = b"".join(pieces)
        if seq == 0:
            workspace = read_created(payload)
        if seq == 0 or read_words(payload)[1] == run:
            found.append((entry, parts))
    if len(found) < 2 or found[0][0].header.seq != 0:
        return None
    leaves = workspace_leaves(entry.raw for entry in entries[: found[-1][0].header.seq + 1])
    return Excerpt(
        checkpoint=Checkpoint(WORKSPACE_ORIGIN_PREFIX + workspace, len(leaves), root_of(leaves)),
        records=tuple(
            WorkspaceRecord(
                header=entry.header,
                raw=entry.raw,
                parts=tuple(
                    msgspec.structs.replace(part, ordinal=place) for place, part in enumerate(parts)
                ),
                proof=inclusion_proof(entry.header.seq, leaves),
            )
            for entry, parts in found
        ),
    )
