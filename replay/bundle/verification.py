"""Whether a bundle's records are those that its root and its commitments name.

The one invariant: after it returns, each header is a leaf under the checkpoint's root, each part
list is the one its header commits to, each part that is present fits its commitment, and no part is
there that no record lists. It does not say who made the run: that is a signature's affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from replay.bundle.excerpts import ExcerptChecker, HeadClaim, iter_excerpts
from replay.bundle.manifest import CHECKPOINT_NAME, MANIFEST_NAME, Manifest
from replay.bundle.members import Members
from replay.bundle.statements import iter_statements
from replay.errors import BundleError, BundleTruncatedError, IntegrityError
from replay.events.digest import COMMITMENT_BYTES, payload_commitment_of
from replay.events.entry import Entry, Part, PartState
from replay.events.parts import check_part
from replay.log.excerpt import PAYLOAD_READ_MAX, read_words
from replay.tree.leaf import event_leaf
from replay.tree.merkle import Frontier

__all__ = ["Verified", "verify_bundle"]

_LISTED: Final = 8 + COMMITMENT_BYTES


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in a bundle that holds.

    Attributes:
        events: records.
        present, erased, withheld, missing: parts in each state; the last three are holes.
        workspace_records: records of workspace logs about the run, each proved to stand there.
        workspace_holes: parts of them that are not here.
        statements: statements of others about the run, not looked into.
        unknown_statements: those of a media type that this version does not know.
    """

    events: int
    present: int
    erased: int
    withheld: int
    missing: int
    workspace_records: int = 0
    workspace_holes: int = 0
    statements: int = 0
    unknown_statements: int = 0

    @property
    def holes(self) -> int:
        """The parts that are not there."""
        return self.erased + self.withheld + self.missing


def verify_bundle(entries: Iterable[Entry], manifest: Manifest, members: Members) -> Verified:
    """Check all that a bundle holds: what lies beside the run, then its records, in order.

    Raises:
        BundleError: names the member, and the record where the bytes allow to say so.

    Complexity: one pass; 40 bytes of memory for each distinct part.
    """
    excerpts = ExcerptChecker(manifest.run_id)
    for excerpt, member in iter_excerpts(members.plains("workspace")):
        excerpts.check(excerpt, member)
    excerpts.finish()
    statements = unknown = 0
    for statement in iter_statements(members.plains("statements")):
        statements += 1
        unknown += not statement.known
    verified = _verify_entries(entries, manifest, members, excerpts.claims)
    return msgspec.structs.replace(
        verified,
        workspace_records=excerpts.records,
        workspace_holes=excerpts.holes,
        statements=statements,
        unknown_statements=unknown,
    )


def _verify_entries(
    entries: Iterable[Entry], manifest: Manifest, members: Members, claims: Sequence[HeadClaim]
) -> Verified:
    """Check all records of the run, and its heads as the workspace logs know them."""
    frontier = Frontier()
    table = bytearray()  # (u64 size, commitment) of each part, as payload commitments hash it
    states: dict[PartState, int] = {"present": 0, "erased": 0, "withheld": 0, "missing": 0}
    sealed = False
    pending = sorted(claims, key=lambda claim: claim.size, reverse=True)
    _compare(pending, frontier)
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
        _check_references(entry, members)
        if seq == 0:
            _check_run_id(entry, manifest, members)
        frontier.append(event_leaf(entry.raw))
        if pending and pending[-1].size == frontier.size:
            _compare(pending, frontier)
        sealed = entry.header.kind == "RunSealed"
    if (frontier.size, frontier.root().hex()) != (manifest.size, manifest.root):
        raise BundleError("root is not that of the headers", member=CHECKPOINT_NAME)
    if pending:
        known = f"knows of {pending[-1].size} records of the run"
        raise pending[-1].refused(known, BundleTruncatedError)
    if sealed != manifest.sealed:
        raise BundleError("says otherwise whether the run is sealed", member=MANIFEST_NAME)
    return Verified(events=frontier.size, **states)


def _compare(pending: list[HeadClaim], frontier: Frontier) -> None:
    """Take the claims about the head that the run has just now off the list, and compare."""
    root = frontier.root().hex()
    while pending and pending[-1].size <= frontier.size:
        claim = pending.pop()
        if (claim.size, claim.root) != (frontier.size, root):
            raise claim.refused("names another root of the run")


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


def _check_references(entry: Entry, members: Members) -> None:
    """Check that what holds the principal, the origin and the resource is not yet to come."""
    header = entry.header
    seq = header.seq
    for holder in (header.origin, header.principal, header.resource):
        if holder is not None and holder > seq:
            raise _refused(f"refers to record {holder}, which comes later", members, seq)


def _check_run_id(entry: Entry, manifest: Manifest, members: Members) -> None:
    """Compare the first record's run id with the origin, unless its payload has holes."""
    if entry.header.kind != "RunStarted":
        raise _refused("a run does not begin with this record", members, 0)
    data = {part.ordinal: part.data for part in entry.brought}
    pieces = [data[ordinal] for ordinal in entry.parts]
    if None in pieces:
        return
    said = None
    if entry.header.size <= PAYLOAD_READ_MAX:  # a list may name one part a million times
        payload = b"".join(piece for piece in pieces if piece is not None)
        with suppress(IntegrityError):
            said = read_words(payload)
    if said != (entry.header.kind, manifest.run_id):
        raise BundleError("origin names another run than its records", member=CHECKPOINT_NAME)


def _refused(message: str, members: Members, seq: int) -> BundleError:
    return BundleError(message, member=members.name_of("headers", seq), event=seq)
