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

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Protocol, TypeAlias

from replay.events.entry import Entry, Part
from replay.events.header import Header, decode_header

__all__ = ["DecodeHeader", "Line", "LogReader", "Store", "lean_of"]

#: A record in a lean reading: whole, or its header bytes alone.
Line: TypeAlias = Entry | bytes

#: Decodes header bytes found at a position: `decode_header`, or something around it.
DecodeHeader: TypeAlias = Callable[[bytes, int], Header]

_LINES_AT_ONCE: Final = 256


class LogReader(Protocol):
    """Reads the records of one run, from a store, a bundle or memory."""

    def size(self) -> int:
        """Return the number of records."""
        ...

    def entries(
        self, first: int = 0, last: int | None = None, *, decode: DecodeHeader = decode_header
    ) -> Iterator[Entry]:
        """Yield records with positions in [first, last), ascending, no gaps.

        Parts that the run no longer has (erased, withheld, missing) come with ``data`` None.

        Args:
            first: position of the first record.
            last: position after the last one; None for the end.
            decode: what a reader calls, once for each record and just before it is yielded, if
                it has to decode header bytes to read them. Who checks the bytes gives its own,
                and need not do it again.

        Raises:
            IntegrityError: a record is missing or malformed; names it.
        """
        ...

    def lean(
        self, wanted: frozenset[str], *, decode: DecodeHeader = decode_header
    ) -> Iterator[Sequence[Line]]:
        """Yield all records in order, a batch at a time: whole where the kind is wanted.

        Of a record of another kind only the header bytes come, as they lie there: undecoded, not
        checked, its parts not read. Whoever takes them compares them with bytes that it made, or
        has checked the log. Of one that comes whole, the place in the program may be left out.

        Args:
            wanted: names of kinds.
            decode: decodes the header bytes of the wanted ones.

        Raises:
            IntegrityError: a record is missing, or one that comes whole is malformed; names it.
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


def lean_of(entries: Iterable[Entry], wanted: frozenset[str]) -> Iterator[Sequence[Line]]:
    """Make a lean reading of a whole one, for readers that gain nothing by doing better."""
    lines: list[Line] = []
    for entry in entries:
        lines.append(entry if entry.header.kind in wanted else entry.raw)
        if len(lines) == _LINES_AT_ONCE:
            yield lines
            lines = []
    if lines:
        yield lines
