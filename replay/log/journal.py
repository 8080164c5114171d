"""The journal of a run's log: small commits in a file of frames, until the database takes them.

The one invariant: a record that was acknowledged stands whole in the database or in a whole frame
here, at every moment. A frame is one batch, flushed before anybody is told. The database takes what
has gathered in one transaction, and only once that is durable is the journal emptied; a kill
between the two leaves records in both, and the database's count says which to pass over.

A frame holds the rows of the table in its own order of columns, as a MessagePack array. Why there
is a journal: DuckDB plans an INSERT anew for each commit, which costs the processor twenty times
what the write costs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from replay.errors import IntegrityError
from replay.log.frames import FRAME_SIZE_MAX, encode_frame, flush_data, frame_end, parse_frames
from replay.log.regular_files import open_regular

__all__ = [
    "JOURNAL_BYTES_MAX",
    "JOURNAL_NAME",
    "JOURNAL_ROWS_MAX",
    "Journal",
    "Row",
    "Tail",
    "journal_path",
    "read_tail",
]

JOURNAL_NAME: Final = "log.journal"

#: What the journal holds at most; the next batch goes to the database with all of it.
JOURNAL_BYTES_MAX: Final = 1 << 20
JOURNAL_ROWS_MAX: Final = 2048

#: Position, ordinal of a part or None, bytes, what is said about them, place in the program.
Row: TypeAlias = tuple[int, int | None, bytes | None, bytes, str | None]

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Row]).decode


class Tail:
    """The rows that the database does not hold yet; only ever longer, or replaced by an empty one.

    Attributes:
        stored: records that the database holds.
        rows: of the records behind those, in order, each followed by the parts that it brings.
    """

    __slots__ = ("rows", "stored")

    def __init__(self, stored: int = 0, rows: list[Row] | None = None) -> None:
        self.stored = stored
        self.rows: list[Row] = [] if rows is None else rows

    def between(self, first: int, last: int) -> list[Row]:
        """Return the rows of the records in [first, last)."""
        return [row for row in self.rows if first <= row[0] < last]

    def headers(self, first: int, last: int) -> list[Row]:
        """Return the rows of the records in [first, last) without their parts."""
        return [row for row in self.rows if row[1] is None and first <= row[0] < last]


class Journal:
    """The journal of a log that is being written; empty when it is opened."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._size = 0
        self._rows = 0

    @classmethod
    def open(cls, path: Path) -> Journal:
        """Open an empty journal. What an earlier one held is gone: the database has it.

        The caller makes the file's name durable.

        Raises:
            OSError: the file cannot be made.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        return cls(path, open_regular(path, flags))

    def append(self, rows: Sequence[Row], size_bytes: int) -> bool:
        """Add the rows of a batch durably; return False if there is no room for them.

        Args:
            rows: whole records with their parts.
            size_bytes: about how much they hold.

        Raises:
            OSError: the disk refuses; what stands before is whole.
        """
        if self._rows + len(rows) > JOURNAL_ROWS_MAX or self._size + size_bytes > JOURNAL_BYTES_MAX:
            return False
        frame = encode_frame(_encode(rows))
        if self._size + len(frame) > JOURNAL_BYTES_MAX:
            return False
        try:
            written = 0
            while written < len(frame):
                written += os.write(self._descriptor, frame[written:])
            flush_data(self._descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(frame)
        self._rows += len(rows)
        return True

    def empty(self) -> None:
        """Remove what the database has taken, which need not be durable.

        Raises:
            OSError: the disk refuses.
        """
        if self._size:
            os.ftruncate(self._descriptor, 0)
            self._size = self._rows = 0

    def close(self, *, remove: bool) -> None:
        """Close the file, and remove it if the database has all.

        Raises:
            OSError: it cannot be removed.
        """
        os.close(self._descriptor)
        if remove:
            self._path.unlink(missing_ok=True)


def journal_path(log: Path) -> Path:
    """Return where the journal of a log lies."""
    return log.with_name(JOURNAL_NAME)


def read_tail(path: Path, records: int, parts: int) -> Tail:
    """Return what the journal holds beyond the database. Changes no byte.

    Args:
        path: the journal; there may be none.
        records: records in the database.
        parts: parts in the database.

    Raises:
        IntegrityError: the journal is damaged, or the database holds less than when it was begun.
        OSError: it cannot be read.
    """
    try:
        descriptor = open_regular(path, os.O_RDONLY)
    except FileNotFoundError:
        return Tail(records)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(FRAME_SIZE_MAX + 1)
    found = parse_frames(data)
    if found.tail_bytes and _is_damage(data, found.size_bytes):
        raise _damaged(path, f"frame {len(found.frames)} of the journal is damaged")
    rows: list[Row] = []
    for number, frame in enumerate(found.frames):
        try:
            rows += _decode(frame)
        except msgspec.MsgspecError as error:
            raise _damaged(path, f"frame {number} of the journal holds no rows") from error
    if rows and rows[0][0] > records:
        raise _damaged(path, f"records {records} to {rows[0][0] - 1} are missing before it")
    rows = [row for row in rows if row[0] >= records]
    _check(rows, records, parts, path)
    return Tail(records, rows)


def _is_damage(data: bytes, start: int) -> bool:
    """Return whether what is behind the whole frames is more than an append that was cut off.

    That leaves the beginning of a frame, or nothing but zeros where its bytes were to be. A frame
    that was damaged since has others behind it, or it is the last one: then the head knows of it.
    """
    end = frame_end(data, start)
    return len(data) > FRAME_SIZE_MAX or (end is not None and any(data[end:]))


def _check(rows: Sequence[Row], records: int, parts: int, path: Path) -> None:
    """Check that rows continue the database without gap or repeat."""
    seq = records - 1
    for row in rows:
        is_next = row[0] == seq + 1 if row[1] is None else (row[0], row[1]) == (seq, parts)
        if not is_next:
            raise _damaged(path, f"the journal has a gap or a repeat after record {seq}")
        if row[1] is None:
            seq += 1
        else:
            parts += 1


def _damaged(path: Path, message: str) -> IntegrityError:
    return IntegrityError(
        f"the log is damaged: {message}",
        where=str(path),
        hint="keep the directory as it is and restore a copy",
    )
