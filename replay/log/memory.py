"""A store that forgets with its process: the model the others are measured against.

The one invariant: it behaves as the store port says, without a file that could get in the way. It
serves tests, and replays whose log nobody asked to keep.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from replay.errors import IntegrityError, LogError
from replay.events.entry import Entry, Part
from replay.events.header import decode_header
from replay.log.batch import check_batch
from replay.log.port import DecodeHeader, Line, lean_of

__all__ = ["MemoryStore"]


class MemoryStore:
    """Keeps the records of one run in memory. "Durable" lasts as long as the object does."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._parts: list[Part] = []
        # Why appends are refused; empty while they are not.
        self._refusal = ""

    def size(self) -> int:
        """Return the number of records."""
        return len(self._entries)

    def append(self, entries: Sequence[Entry]) -> None:
        """Append records, all or none.

        Raises:
            LogError: they do not follow the records here, an earlier append failed, or the store
                is closed.
        """
        if self._refusal:
            raise LogError(self._refusal)
        try:
            check_batch(entries, records=len(self._entries), parts=len(self._parts))
        except LogError:
            self._refusal = "an earlier append failed"
            raise
        # Parts first: a reader in another thread that sees a record also sees its parts.
        self._parts.extend(part for entry in entries for part in entry.brought)
        self._entries.extend(entries)

    def entries(
        self, first: int = 0, last: int | None = None, *, decode: DecodeHeader = decode_header
    ) -> Iterator[Entry]:
        """Yield the records with positions in [first, last), ascending, no gaps.

        They are kept with their fields, so that there is nothing to decode.
        """
        end = len(self._entries) if last is None else min(last, len(self._entries))
        for seq in range(max(first, 0), end):
            yield self._entries[seq]

    def lean(
        self, wanted: frozenset[str], *, decode: DecodeHeader = decode_header
    ) -> Iterator[Sequence[Line]]:
        """Yield all records in order, a batch at a time: whole where the kind is wanted."""
        return lean_of(self.entries(decode=decode), wanted)

    def parts(self, ordinals: Sequence[int]) -> dict[int, Part]:
        """Return the parts with these ordinals, by ordinal.

        Raises:
            IntegrityError: an ordinal that the run never had.
        """
        found: dict[int, Part] = {}
        for ordinal in ordinals:
            if not 0 <= ordinal < len(self._parts):
                raise IntegrityError("the run has no such part", where=f"part {ordinal}")
            found[ordinal] = self._parts[ordinal]
        return found

    def salts(self, first: int, last: int) -> list[bytes]:
        """Return the salts of the parts with ordinals in [first, last), clipped to the run's."""
        return [part.salt for part in self._parts[max(first, 0) : max(last, 0)]]

    def close(self) -> None:
        """Refuse further appends; reading goes on."""
        self._refusal = self._refusal or "the store is closed"
