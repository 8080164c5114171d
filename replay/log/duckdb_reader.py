"""The reading half of the DuckDB store: out of the database, and out of the journal behind it.

The one invariant: reading goes through cursors of the one connection, so it sees whole commits,
changes nothing and may run beside the appending thread. What the database does not hold comes from
the tail that was there when the reading began, and what it took meanwhile is not read twice.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import duckdb

from replay.errors import IntegrityError, LogError
from replay.events.entry import Entry, Part
from replay.events.header import decode_header
from replay.events.refs import RefsDecoder
from replay.log.duckdb_lines import LogCursor, read_entries, read_lines
from replay.log.duckdb_rows import PART_COLUMNS, column_values, part_of, salts_of
from replay.log.duckdb_schema import FIELDS, mapped_errors, shed_cache
from replay.log.journal import Tail
from replay.log.lock import RunLock
from replay.log.port import DecodeHeader, Line
from replay.log.record_check import Finding
from replay.own_locks import OwnLock

__all__ = ["DuckDBReader", "fetch_refs"]

_READ_REFS: Final = """
SELECT seq, data, about FROM log WHERE ordinal IS NULL AND seq >= ? AND seq < ? ORDER BY seq
"""
_READ_PARTS: Final = f"""
SELECT seq, {PART_COLUMNS} FROM log
WHERE seq < ? AND ordinal BETWEEN ? AND ? AND ordinal IN (SELECT unnest(?::BIGINT[]))
"""  # noqa: S608
_READ_SALTS: Final = """
SELECT about FROM log WHERE seq < ? AND ordinal >= ? AND ordinal < ? ORDER BY ordinal
"""

#: Records whose typed columns are computed at once.
_PIECE: Final = 8192
#: Pieces after which the database lets go of what it read.
_PIECES_KEPT: Final = 8


class DuckDBReader:
    """Reads the records of one run from an open DuckDB file."""

    def __init__(self, path: Path, lock: RunLock, connection: duckdb.DuckDBPyConnection) -> None:
        self._path = path
        self._lock = lock
        self._connection = connection
        self._closed = False
        # A reading takes the number of records first, then the tail: that has them all.
        self._records = 0
        self._tail = Tail()
        # Opens the file again, where nothing is lost by closing it; see `_forget`.
        self._reopen: Callable[[], duckdb.DuckDBPyConnection] | None = None
        self._using = OwnLock()
        # Entered and left without the lock: a generator that is let go of may end at any moment,
        # also in the thread that holds it.
        self._held: set[LogCursor] = set()
        # A reader that goes on where another ended need not decode part lists from the start.
        self._reached: tuple[int, RefsDecoder] | None = None

    def size(self) -> int:
        """Return the number of records."""
        return self._records

    def entries(
        self, first: int = 0, last: int | None = None, *, decode: DecodeHeader = decode_header
    ) -> Iterator[Entry]:
        """Yield records with positions in [first, last), ascending, no gaps.

        Raises:
            IntegrityError: a record or part is missing or malformed.
            LogError: the store is closed.
        """
        first = max(first, 0)
        end = self._records if last is None else min(last, self._records)
        tail = self._tail
        if first >= end:
            return
        with mapped_errors(self._path, "reading"), self._cursor() as held:
            refs = self._decoder_at(held.now, tail, first)
            yield from read_entries(held, refs, tail, first, end, decode)
            self._reached = (end, refs)

    def lean(
        self, wanted: frozenset[str], *, decode: DecodeHeader = decode_header
    ) -> Iterator[Sequence[Line]]:
        """Yield all records in order, a batch at a time: whole where the kind is wanted.

        Raises:
            IntegrityError: a record is missing, or a wanted one is malformed.
            LogError: the store is closed.
        """
        records, tail = self._records, self._tail
        with mapped_errors(self._path, "reading"), self._cursor() as held:
            yield from read_lines(held, tail, records, wanted, decode)

    def parts(self, ordinals: Sequence[int]) -> dict[int, Part]:
        """Return the parts with these ordinals, by ordinal.

        Raises:
            IntegrityError: an ordinal that the run never had, or a malformed part.
            LogError: the store is closed.
        """
        if not ordinals:
            return {}
        tail, asked = self._tail, frozenset(ordinals)
        wanted = [tail.stored, min(ordinals), max(ordinals), list(ordinals)]
        with mapped_errors(self._path, "reading"), self._cursor() as held:
            rows = held.now.execute(_READ_PARTS, wanted).fetchall()
        rows += [row[:4] for row in tail.rows if row[1] in asked]
        found = {ordinal: part_of(ordinal, data, about) for _, ordinal, data, about in rows}
        for ordinal in ordinals:
            if ordinal not in found:
                raise IntegrityError("the run has no such part", where=f"part {ordinal}")
        return {ordinal: found[ordinal] for ordinal in ordinals}

    def salts(self, first: int, last: int) -> list[bytes]:
        """Return the salts of the parts with ordinals in [first, last), clipped to the run's.

        Raises:
            IntegrityError: a salt is missing.
            LogError: the store is closed.
        """
        tail = self._tail
        with mapped_errors(self._path, "reading"), self._cursor() as held:
            rows = held.now.execute(_READ_SALTS, [tail.stored, first, last]).fetchall()
        rows += [(row[3],) for row in tail.rows if row[1] is not None and first <= row[1] < last]
        salts = salts_of(rows)
        if salts is None:
            raise IntegrityError("a part has no salt", where=str(self._path))
        return salts

    def check_columns(self) -> Iterator[Finding]:
        """Compare every typed column with the header bytes it speaks of.

        Records that stand in the journal have no typed columns yet.

        Records whose bytes cannot be read are passed over: the check of the run names them.

        Raises:
            IntegrityError: the columns cannot be read at all.
            LogError: the store is closed.
        """
        names = ["seq", *FIELDS]
        columns = ", ".join(f'"{name}"' for name in names)
        query = f"SELECT raw, {columns} FROM events"  # noqa: S608 - our own names
        # A piece at a time: to put all in order, DuckDB would hold all.
        stored, records = self._tail.stored, 0
        pieces = [f"seq >= {n} AND seq < {n + _PIECE}" for n in range(0, stored, _PIECE)]
        with mapped_errors(self._path, "reading"), self._cursor() as held:
            for number, piece in enumerate([*pieces, f"seq < 0 OR seq >= {stored}"], 1):
                if number % _PIECES_KEPT == 0:
                    held.now = held.forget(held.now)
                try:
                    held.now.execute(f"{query} WHERE {piece} ORDER BY seq")
                except (duckdb.BinderException, duckdb.CatalogException):
                    yield Finding(
                        code="column", seq=None, message="the typed columns are not there"
                    )
                    return
                while rows := held.now.fetchmany(1024):
                    for raw, *values in rows:
                        records += 1
                        yield from _compare(raw, dict(zip(names, values, strict=True)))
        if records != stored:
            message = f"{records} rows of typed columns for {stored} records"
            yield Finding(code="column", seq=None, message=message)

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[LogCursor]:
        if self._closed:
            raise LogError("the log is closed", where=str(self._path))
        self._lock.check()
        with self._using:
            held = LogCursor(self._connection.cursor(), self._forget)
            self._held.add(held)
        try:
            yield held
        finally:
            held.now.close()
            self._held.discard(held)

    def _forget(self, cursor: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
        """Let DuckDB forget what it read; return the cursor to go on with.

        Beside the blocks it keeps a handle of each, some 50 bytes a record, until the file is
        closed; so it is opened anew, if no other cursor would be closed with it.

        Raises:
            LogError: the store was closed meanwhile.
        """
        with self._using:
            if self._closed:
                raise LogError("the log is closed", where=str(self._path), hint="open it again")
            if not _can_open():
                return cursor
            if self._reopen is None or len(self._held) > 1:
                shed_cache(cursor)
                return cursor
            cursor.close()
            self._connection.close()
            self._connection = self._reopen()
            return self._connection.cursor()

    def _decoder_at(self, cursor: duckdb.DuckDBPyConnection, tail: Tail, first: int) -> RefsDecoder:
        reached, self._reached = self._reached, None
        position, decoder = reached if reached and reached[0] <= first else (0, RefsDecoder())
        for seq, raw, refs in fetch_refs(cursor, position, min(first, tail.stored)):
            decoder.decode(decode_header(raw, seq), refs)
        for row in tail.headers(position, first):
            decoder.decode(decode_header(row[2] or b"", row[0]), row[3])
        return decoder


def _can_open() -> bool:
    """Return whether there are two descriptors left: for want of one DuckDB aborts the process.

    Nothing is looked up by a path: a door of a program's may stand in that.
    """
    try:
        ends = os.pipe()
    except OSError:
        return False
    for end in ends:
        os.close(end)
    return True


def fetch_refs(
    cursor: duckdb.DuckDBPyConnection, first: int, last: int
) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield position, header bytes and stored part list of the records in [first, last).

    Raises:
        IntegrityError: a record has no bytes.
    """
    cursor.execute(_READ_REFS, [first, last])
    while rows := cursor.fetchmany(4096):
        for seq, raw, refs in rows:
            if not isinstance(raw, bytes) or not isinstance(refs, bytes):
                raise IntegrityError("record has no bytes", where=f"event {seq}")
            yield seq, raw, refs


def _compare(raw: bytes, values: dict[str, object]) -> Iterator[Finding]:
    try:
        header = decode_header(raw)
    except (IntegrityError, TypeError):
        return
    expected = column_values(header)
    for name, value in values.items():
        if value != expected[name]:
            message = f"column {name!r} differs from the header bytes"
            yield Finding(code="column", seq=header.seq, message=message)
