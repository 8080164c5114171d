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
    lookup_key,
    part_commitment,
    payload_commitment_of,
)
from replay.events.entry import Part

__all__ = ["Committed", "PartTable", "check_part"]

_LISTED_BYTES: Final = 8 + COMMITMENT_BYTES

#: The refs, the new parts, the hex payload commitment and the size of a committed payload.
Committed = tuple[tuple[int, ...], tuple[Part, ...], str, int]


class PartTable:
    """Finds equal parts of one run and commits to new ones.

    Args:
        salt_for: gives the salt of the part with an ordinal: fresh bytes from the operating
            system while recording, the recorded salt while replaying.
    """

    def __init__(self, salt_for: Callable[[int], bytes]) -> None:
        self._salt_for = salt_for
        self._ordinals: dict[bytes, int] = {}
        # (u64 size, commitment) as hashed, one after another for each distinct part. Bytes, not a
        # list: the garbage collector would look at every part of a run again and again.
        self._listed = bytearray()

    def __len__(self) -> int:
        """Return the number of distinct parts so far."""
        return len(self._listed) // _LISTED_BYTES

    def commit(self, pieces: Sequence[bytes]) -> Committed:
        """Commit to a payload given as its pieces, adding those that the run has not had yet."""
        ordinals, listed = self._ordinals, self._listed
        refs: list[int] = []
        brought: list[Part] = []
        size = 0
        for data in pieces:
            key = lookup_key(data)
            ordinal = ordinals.get(key)
            length = len(data)
            size += length
            if ordinal is None:
                ordinal = len(listed) // _LISTED_BYTES
                salt = self._salt_for(ordinal)
                commitment = part_commitment(salt, data)
                ordinals[key] = ordinal
                listed += length.to_bytes(8, "little") + commitment
                brought.append(
                    Part(ordinal=ordinal, salt=salt, commitment=commitment, size=length, data=data)
                )
            refs.append(ordinal)
        starts = [ref * _LISTED_BYTES for ref in refs]
        whole = payload_commitment_of(
            b"".join([listed[start : start + _LISTED_BYTES] for start in starts])
        )
        return tuple(refs), tuple(brought), whole, size

    def known(self, part: Part) -> None:
        """Enter a part that a log already holds, when a recording is resumed.

        Raises:
            IntegrityError: the part does not follow the ones entered before.
        """
        if part.ordinal != len(self):
            raise IntegrityError("parts are out of order", where=f"part {part.ordinal}")
        self._listed += part.size.to_bytes(8, "little") + part.commitment
        if part.data is not None:
            self._ordinals[lookup_key(part.data)] = part.ordinal


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
