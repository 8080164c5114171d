"""Parts of payloads: who commits to them, finds equal ones, and puts payloads together again.

A part is stored, salted and committed to once per run; a payload is a list of part ordinals. Salts
are found by position, so a replay that brings the same parts in the same order reaches the same
commitments from the recorded salts alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from replay.errors import IntegrityError
from replay.events.digest import (
    COMMITMENT_BYTES,
    SALT_BYTES,
    Committer,
    one_part_commitment,
    part_commitment,
    payload_commitment_of,
)
from replay.events.entry import Part

__all__ = ["FOUND_AGAIN_MAX", "Committed", "PartTable", "check_part"]

#: How far back a part is found again, in distinct parts: a chat of 32,000 turns.
FOUND_AGAIN_MAX: Final = 1 << 16

_LISTED_BYTES: Final = 8 + COMMITMENT_BYTES
_NO_SALT: Final = bytes(SALT_BYTES)

#: The refs, the new parts, the hex payload commitment and the size of a committed payload.
Committed = tuple[tuple[int, ...], tuple[Part, ...], str, int]


class PartTable:
    """Finds equal parts of one run and commits to new ones.

    Candidates are found by the interpreter's own hash of the bytes, and told from equals by their
    commitment: no unsalted digest of a part exists, and the hash decides nothing.

    A part is found again among the last :data:`FOUND_AGAIN_MAX` that were new; what comes back
    later is a new part. So the table of a run without end stays small, and as the rule knows
    nothing but ordinals a replay forgets what the recording forgot.

    Args:
        salt_for: gives the salt of the part with an ordinal: fresh bytes from the operating
            system while recording, the recorded salt while replaying.
        committer: commits faster, where a record is only compared.
    """

    def __init__(
        self, salt_for: Callable[[int], bytes], committer: Committer | None = None
    ) -> None:
        self._salt_for = salt_for
        self._commit_part = part_commitment if committer is None else committer.part
        self._commit_list = payload_commitment_of if committer is None else committer.payload
        self._commit_one = one_part_commitment if committer is None else committer.one
        self._count = 0
        #: Ordinals below this one are forgotten.
        self._first = 0
        # By hash: the part that came last; by ordinal: the one before it of the same hash, if any.
        self._ordinals: dict[int, int] = {}
        self._earlier: dict[int, int] = {}
        # (u64 size, commitment) as hashed, and salts, one after another for each distinct part.
        # Bytes, not lists: the garbage collector would look at every part of a run again and again.
        self._listed = bytearray()
        self._salts = bytearray()

    def __len__(self) -> int:
        """Return the number of distinct parts so far."""
        return self._count

    def commit(self, pieces: Sequence[bytes]) -> Committed:
        """Commit to a payload given as its pieces, adding those that the run has not had yet."""
        if len(pieces) == 1:  # most payloads are one part that nobody had before
            data = pieces[0]
            key = hash(data)
            if key not in self._ordinals:
                ordinal = self._count
                salt = self._salt_for(ordinal)
                listed, commitment = self._commit_one(salt, data)
                self._enter(key, None, salt, listed)
                size = len(data)
                part = Part(ordinal=ordinal, salt=salt, commitment=listed[8:], size=size, data=data)
                return (ordinal,), (part,), commitment, size
        refs: list[int] = []
        brought: list[Part] = []
        lists: list[bytes] = []
        size = 0
        for data in pieces:
            key = hash(data)
            size += len(data)
            last = self._ordinals.get(key)
            found = None if last is None else self._find(last, data)
            if found is None:
                part = self._add(key, data, last)
                brought.append(part)
                found = part.ordinal
            start = (found - self._first) * _LISTED_BYTES
            refs.append(found)
            lists.append(bytes(self._listed[start : start + _LISTED_BYTES]))
        return tuple(refs), tuple(brought), self._commit_list(b"".join(lists)), size

    def known(self, part: Part) -> None:
        """Enter a part that a log already holds, when a recording is resumed.

        Raises:
            IntegrityError: the part does not follow the ones entered before.
        """
        if part.ordinal != len(self):
            raise IntegrityError("parts are out of order", where=f"part {part.ordinal}")
        key = None if part.data is None else hash(part.data)
        last = None if key is None else self._ordinals.get(key)
        self._enter(key, last, part.salt, part.size.to_bytes(8, "little") + part.commitment)

    def _add(self, key: int, data: bytes, last: int | None) -> Part:
        """Commit to a new part and add it."""
        ordinal = self._count
        salt = self._salt_for(ordinal)
        commitment = self._commit_part(salt, data)
        size = len(data)
        self._enter(key, last, salt, size.to_bytes(8, "little") + commitment)
        return Part(ordinal=ordinal, salt=salt, commitment=commitment, size=size, data=data)

    def _enter(self, key: int | None, last: int | None, salt: bytes, listed: bytes) -> None:
        """Add a part to the table; without a hash it is not found again.

        Args:
            key: the hash of its bytes.
            last: the part that came last of those with this hash.
            salt: its salt.
            listed: how it is listed.
        """
        ordinal = self._count
        self._count = ordinal + 1
        self._listed += listed
        self._salts += salt if len(salt) == SALT_BYTES else _NO_SALT
        if key is not None:
            if last is not None:
                self._earlier[ordinal] = last
            self._ordinals[key] = ordinal
        if ordinal - self._first == 2 * FOUND_AGAIN_MAX:
            self._forget(ordinal - FOUND_AGAIN_MAX)

    def _forget(self, first: int) -> None:
        """Drop what stands before an ordinal, all at once and seldom."""
        gone = first - self._first
        self._first = first
        del self._listed[: gone * _LISTED_BYTES]
        del self._salts[: gone * SALT_BYTES]
        self._ordinals = {key: last for key, last in self._ordinals.items() if last >= first}
        self._earlier = {later: one for later, one in self._earlier.items() if one >= first}

    def _find(self, last: int, data: bytes) -> int | None:
        """Return the part that is these bytes, if there is one among the last of their hash."""
        ordinal: int | None = last
        oldest = self._count - FOUND_AGAIN_MAX
        while ordinal is not None and ordinal >= oldest:
            place = ordinal - self._first
            salt = bytes(self._salts[place * SALT_BYTES : (place + 1) * SALT_BYTES])
            end = (place + 1) * _LISTED_BYTES
            commitment = self._listed[end - COMMITMENT_BYTES : end]
            # Sixteen zero bytes stand for no salt, and may be a salt.
            if self._commit_part(salt, data) == commitment or (
                salt == _NO_SALT and self._commit_part(b"", data) == commitment
            ):
                return ordinal
            ordinal = self._earlier.get(ordinal)
        return None


def check_part(part: Part, where: str = "") -> None:
    """Check a part that is present against its own commitment.

    Raises:
        IntegrityError: salt, size or data do not fit the commitment.
    """
    place = where or f"part {part.ordinal}"
    if part.data is None:
        return
    if len(part.data) != part.size:
        raise IntegrityError("part has another size than recorded", where=place)
    if len(part.salt) not in {0, SALT_BYTES}:
        raise IntegrityError(f"salt of {len(part.salt)} bytes", where=place)
    if part_commitment(part.salt, part.data) != part.commitment:
        raise IntegrityError("part does not match its commitment", where=place)
