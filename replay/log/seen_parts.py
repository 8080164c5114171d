"""What a check of a run remembers of the parts that came: the last ones at hand, older ones anew.

A recorder finds a part again among the last 65,536 only, so those are kept. A record may name an
older one all the same; it is read again then, which costs time and no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from replay.events.digest import COMMITMENT_BYTES, part_commitment
from replay.events.entry import Part
from replay.events.header import INTEGER_MAX

__all__ = ["KIND_KEY", "SeenParts", "kind_of_head"]

#: Every head begins with its kind, whole, in the first part: a verifier can compare it with the
#: header's without knowing the kind.
KIND_KEY: Final = b'{"kind":"'
_PREFIX_BYTES_MAX: Final = len(KIND_KEY) + 41

#: Parts that are kept at least; twice as many at most.
_KEPT: Final = 65_536

_Read = Callable[[Sequence[int]], dict[int, Part]]


class SeenParts:
    """Parts by ordinal: encoded (size, commitment), and how the data begin.

    Args:
        read: reads parts again by ordinal; None to keep all.

    Attributes:
        listed: of the parts kept, size in eight bytes, little-endian, and commitment.
        begins: of the parts kept, the start of the data as far as it names a kind; None where the
            data are not to be had. Both are added to together, by whoever checks.
    """

    __slots__ = ("_first", "_read", "begins", "listed")

    def __init__(self, read: _Read | None = None) -> None:
        self.listed: list[bytes] = []
        self.begins: list[bytes | None] = []
        self._first = 0
        self._read = read

    def __len__(self) -> int:
        return self._first + len(self.listed)

    def listed_at(self, refs: Sequence[int]) -> bytes:
        """Return the encoded list of parts that were seen, in order, repeats allowed.

        Raises:
            IntegrityError: an old part cannot be read again.
        """
        first, listed = self._first, self.listed
        if len(refs) == 1 and refs[0] >= first:
            return listed[refs[0] - first]
        older = {ref for ref in refs if ref < first}
        again = self._again(older) if older else {}
        return b"".join(
            [listed[ref - first] if ref >= first else _listed_of(again[ref])[0] for ref in refs]
        )

    def begins_at(self, ordinal: int) -> bytes | None:
        """Return how the data of a part begin.

        Raises:
            IntegrityError: an old part cannot be read again.
        """
        if ordinal >= self._first:
            return self.begins[ordinal - self._first]
        return _listed_of(self._again({ordinal})[ordinal])[1]

    def forget(self) -> None:
        """Let go of older parts, if there are many."""
        if self._read is not None and len(self.listed) >= 2 * _KEPT:
            gone = len(self.listed) - _KEPT
            self._first += gone
            del self.listed[:gone], self.begins[:gone]

    def _again(self, ordinals: set[int]) -> dict[int, Part]:
        assert self._read is not None, "nothing was forgotten"
        return self._read(sorted(ordinals))


def _listed_of(part: Part) -> tuple[bytes, bytes | None]:
    """Return how a part is listed and how its data begin; it was reported on when it came."""
    data, size, commitment = part.data, part.size, part.commitment
    begins: bytes | None = None
    if data is not None and part_commitment(part.salt, data) == commitment:
        begins = kind_of_head(data)
    elif len(commitment) != COMMITMENT_BYTES or not 0 <= size <= INTEGER_MAX:
        commitment, size = bytes(COMMITMENT_BYTES), 0
    return size.to_bytes(8, "little") + commitment, begins


def kind_of_head(data: bytes) -> bytes:
    """Return the start of the data as far as it names a kind, empty if it names none."""
    if not data.startswith(KIND_KEY):
        return b""
    return data[: data.find(b'"', len(KIND_KEY), _PREFIX_BYTES_MAX) + 1]
