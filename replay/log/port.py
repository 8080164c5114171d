"""The store port: what keeps the records of one run, and what "returned" means.

Durability contract
    ``append`` returns when all given records and the parts they bring survive a crash of the
    process and of the operating system, as far as the disk keeps its word. It is all or nothing:
    after a failure none of the records of that call is there, or all of them are (the answer got
    lost), never some. After a failed ``append`` the store refuses further appends; reopen it.
    Records are appended in order of ``seq``, contiguous, and never changed.

Reading
    A reader sees a prefix of what was appended, whole records only. Opening for reading changes
    no byte on disk, also after a crash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from replay.events.entry import Entry, Part

__all__ = ["LogReader", "Store"]


class LogReader(Protocol):
    """Reads the records of one run, from a store, a bundle or memory."""

    def size(self) -> int:
        """Return the number of records."""
        ...

    def entries(self, first: int = 0, last: int | None = None) -> Iterator[Entry]:
        """Yield records with positions in [first, last), ascending, no gaps.

        Parts that the run no longer has (erased, withheld, missing) come with ``data`` None.

        Raises:
            IntegrityError: a record is missing or malformed; names it.
        """
        ...

    def parts(self, ordinals: Sequence[int]) -> dict[int, Part]:
        """Return the parts with these ordinals, by ordinal.

        Raises:
            IntegrityError: an ordinal that the run never had.
        """
        ...

    def salts(self, first: int, last: int) -> list[bytes]:
        """Return the salts of the parts with ordinals in [first, last), clipped to the run's."""
        ...


class Store(LogReader, Protocol):
    """Keeps the records of one run; one writer at a time."""

    def append(self, entries: Sequence[Entry]) -> None:
        """Append records durably; see the contract in the module docstring.

        Raises:
            LogError: the records could not be made durable; names the cause (disk full, lock
                lost, read-only directory) and that nothing acknowledged was lost.
        """
        ...

    def close(self) -> None:
        """Release files and locks. Closing twice is harmless."""
        ...
