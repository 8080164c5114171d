"""Whether a bundle's records are those that its root and its commitments name.

The one invariant: after it returns, each header is a leaf under the checkpoint's root, each part
list is the one its header commits to, each part that is present fits its commitment, and no part is
there that no record lists. It does not say who made the run: that is a signature's affair.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from replay.bundle.manifest import CHECKPOINT_NAME, MANIFEST_NAME, Manifest
from replay.bundle.members import Members
from replay.errors import BundleError, IntegrityError
from replay.events.digest import COMMITMENT_BYTES, payload_commitment_of
from replay.events.entry import Entry, Part, PartState
from replay.events.parts import check_part
from replay.tree.leaf import event_leaf
from replay.tree.merkle import Frontier

__all__ = ["Verified", "verify_entries"]

_LISTED: Final = 8 + COMMITMENT_BYTES


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in a bundle that holds.

    Attributes:
        events: records.
        present, erased, withheld, missing: parts in each state; the last three are holes.
    """

    events: int
    present: int
    erased: int
    withheld: int
    missing: int

    @property
    def holes(self) -> int:
        """The parts that are not there."""
        return self.erased + self.withheld + self.missing


class _RunId(msgspec.Struct, frozen=True):
    """The one field of the first payload that is read; a newer engine may have added others."""

    kind: str
    run: str


_RUN_ID: Final = msgspec.json.Decoder(_RunId)


def verify_entries(entries: Iterable[Entry], manifest: Manifest, members: Members) -> Verified:
    """Check all records of a bundle, in order.

    Raises:
        BundleError: names the member, and the record where the bytes allow to say so.

    Complexity: one pass; 40 bytes of memory for each distinct part.
    """
    frontier = Frontier()
    table = bytearray()  # (u64 size, commitment) of each part, as payload commitments hash it
    states: dict[PartState, int] = {"present": 0, "erased": 0, "withheld": 0, "missing": 0}
    sealed = False
    for entry in entries:
        seq = entry.header.seq
        if sealed:
            raise _refused("stands behind the seal", members, seq)
        for part in entry.brought:
            _check_part(part, members, seq)
            table += part.size.to_bytes(8, "little") + part.commitment
            states[part.state] += 1
        listed = b"".join([bytes(table[_LISTED * n : _LISTED * (n + 1)]) for n in entry.parts])
        _check_payload(entry, listed, members)
        if seq == 0:
            _check_run_id(entry, manifest, members)
        frontier.append(event_leaf(entry.raw))
        sealed = entry.header.kind == "RunSealed"
    if (frontier.size, frontier.root().hex()) != (manifest.size, manifest.root):
        raise BundleError("root is not that of the headers", member=CHECKPOINT_NAME)
    if sealed != manifest.sealed:
        raise BundleError("says otherwise whether the run is sealed", member=MANIFEST_NAME)
    return Verified(events=frontier.size, **states)


def _check_part(part: Part, members: Members, seq: int) -> None:
    try:
        check_part(part)
    except IntegrityError as error:
        name = members.name_of("parts", part.ordinal)
        raise BundleError(f"part {part.ordinal}: {error.message}", member=name, event=seq) from None


def _check_payload(entry: Entry, listed: bytes, members: Members) -> None:
    header = entry.header
    if not listed:
        raise _refused("lists no part", members, header.seq)
    if payload_commitment_of(listed) != header.commitment:
        raise _refused("part list does not match the payload's commitment", members, header.seq)
    sizes = (listed[at : at + 8] for at in range(0, len(listed), _LISTED))
    if sum(int.from_bytes(size, "little") for size in sizes) != header.size:
        raise _refused("parts are not of the payload's size", members, header.seq)


def _check_run_id(entry: Entry, manifest: Manifest, members: Members) -> None:
    """Compare the first record's run id with the origin, unless its payload has holes."""
    if entry.header.kind != "RunStarted":
        raise _refused("a run does not begin with this record", members, 0)
    data = {part.ordinal: part.data for part in entry.brought}
    pieces = [data[ordinal] for ordinal in entry.parts]
    payload = b"".join(piece for piece in pieces if piece is not None)
    if None in pieces:
        return
    try:
        run = _RUN_ID.decode(payload).run
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        run = ""
    if run != manifest.run_id:
        raise BundleError("origin names another run than its records", member=CHECKPOINT_NAME)


def _refused(message: str, members: Members, seq: int) -> BundleError:
    return BundleError(message, member=members.name_of("headers", seq), event=seq)
