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
    part_commitment,
    payload_commitment_of,
)
from replay.events.entry import Part

__all__ = ["Committed", "PartTable", "check_part"]

_LISTED_BYTES: Final = 8 + COMMITMENT_BYTES
_NO_SALT: Final = bytes(SALT_BYTES)

#: The refs, the new parts, the hex payload commitment and the size of a committed payload.
Committed = tuple[tuple[int, ...], tuple[Part, ...], str, int]


class PartTable:
    """Finds equal parts of one run and commits to new ones.

    Candidates are found by the interpreter's own hash of the bytes, and told from equals by their
    commitment: no unsalted digest of a part exists, and the hash decides nothing.

    Args:
        salt_for: gives the salt of the part with an ordinal: fresh bytes from the operating
            system while recording, the recorded salt while replaying.
    """

    def __init__(self, salt_for: Callable[[int], bytes]) -> None:
        self._salt_for = salt_for
        # By hash: the part that came last; by ordinal: the one before it of the same hash, if any.
        self._ordinals: dict[int, int] = {}
        self._earlier: dict[int, int] = {}
        # (u64 size, commitment) as hashed, and salts, one after another for each distinct part.
        # Bytes, not lists: the garbage collector would look at every part of a run again and again.
        self._listed = bytearray()
        self._salts = bytearray()

    def __len__(self) -> int:
        """Return the number of distinct parts so far."""
        return len(self._listed) // _LISTED_BYTES

    def commit(self, pieces: Sequence[bytes]) -> Committed:
        """Commit to a payload given as its pieces, adding those that the run has not had yet."""
        ordinals = self._ordinals
        if len(pieces) == 1:  # most payloads are one part that nobody had before
            data = pieces[0]
            key = hash(data)
            if key not in ordinals:
                part, listed = self._add(key, data)
                return (part.ordinal,), (part,), payload_commitment_of(listed), part.size
        refs: list[int] = []
        brought: list[Part] = []
        lists: list[bytes] = []
        size = 0
        for data in pieces:
            key = hash(data)
            size += len(data)
            ordinal = self._find(key, data) if key in ordinals else None
            if ordinal is None:
                part, listed = self._add(key, data)
                ordinal = part.ordinal
                brought.append(part)
            else:
                start = ordinal * _LISTED_BYTES
                listed = bytes(self._listed[start : start + _LISTED_BYTES])
            refs.append(ordinal)
            lists.append(listed)
        return tuple(refs), tuple(brought), payload_commitment_of(b"".join(lists)), size

    def known(self, part: Part) -> None:
        """Enter a part that a log already holds, when a recording is resumed.

        Raises:
            IntegrityError: the part does not follow the ones entered before.
        """
        if part.ordinal != len(self):
            raise IntegrityError("parts are out of order", where=f"part {part.ordinal}")
        self._listed += part.size.to_bytes(8, "little") + part.commitment
        self._salts += part.salt if len(part.salt) == SALT_BYTES else _NO_SALT
        if part.data is not None:
            key = hash(part.data)
            if key in self._ordinals:
                self._earlier[part.ordinal] = self._ordinals[key]
            self._ordinals[key] = part.ordinal

    def _add(self, key: int, data: bytes) -> tuple[Part, bytes]:
        """Commit to a new part; return it and how it is listed."""
        listed = self._listed
        ordinal = len(listed) // _LISTED_BYTES
        salt = self._salt_for(ordinal)
        commitment = part_commitment(salt, data)
        size = len(data)
        item = size.to_bytes(8, "little") + commitment
        listed += item
        self._salts += salt if len(salt) == SALT_BYTES else _NO_SALT
        if key in self._ordinals:
            self._earlier[ordinal] = self._ordinals[key]
        self._ordinals[key] = ordinal
        part = Part(ordinal=ordinal, salt=salt, commitment=commitment, size=size, data=data)
        return part, item

    def _find(self, key: int, data: bytes) -> int | None:
        """Return the part that is these bytes, if there is one."""
        ordinal: int | None = self._ordinals[key]
        while ordinal is not None:
            salt = bytes(self._salts[ordinal * SALT_BYTES : (ordinal + 1) * SALT_BYTES])
            end = (ordinal + 1) * _LISTED_BYTES
            commitment = self._listed[end - COMMITMENT_BYTES : end]
            # Sixteen zero bytes stand for no salt, and may be a salt.
            if part_commitment(salt, data) == commitment or (
                salt == _NO_SALT and part_commitment(b"", data) == commitment
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
