"""Records out of a DuckDB log, in order of position: whole, or lean.

The one invariant: what comes out of the table is checked for shape and order before it is believed,
and each record's header is decoded once. Whole records come out of one query. Lean ones come out of
two, for headers and for the parts that are wanted: what is not wanted is neither fetched nor made
an object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import duckdb

from replay.errors import IntegrityError
from replay.events.entry import Entry, Part
from replay.events.header import kind_in
from replay.events.refs import RefsDecoder
from replay.log.duckdb_rows import PART_COLUMNS, part_of
from replay.log.journal import Tail
from replay.log.port import DecodeHeader, Line

__all__ = ["LogCursor", "read_entries", "read_lines"]

#: Position, ordinal, bytes, what is said about them, place; unchecked. Of a record: no ordinal, its
#: header bytes and the stored list of its parts.
_Row: TypeAlias = tuple[Any, Any, Any, Any, Any]

#: Of a record in a lean reading: header bytes, the stored list of its parts; unchecked. Its place
#: in the order says its position, and the header what it claims to be: a column costs as much.
_Head: TypeAlias = tuple[Any, Any]
#: Of a part in a lean reading: position of its record, ordinal, bytes, what is said about them.
_PartRow: TypeAlias = tuple[Any, Any, Any, Any]

_HEADERS: Final = """
SELECT data, about FROM log WHERE ordinal IS NULL AND seq >= ? AND seq < ? ORDER BY seq
"""
_ALL: Final = f"""
SELECT seq, {PART_COLUMNS}, place FROM log
WHERE seq >= ? AND seq < ? ORDER BY seq, ordinal NULLS FIRST
"""  # noqa: S608 - our own names
#: A bit for each record of the batch says whether it is wanted: a list of positions costs more to
#: hand over than the parts cost to read.
_WANTED_PARTS: Final = f"""
SELECT seq, {PART_COLUMNS} FROM log
WHERE ordinal IS NOT NULL AND seq >= ? AND seq < ? AND get_bit(?::BIT, (seq - ?)::INTEGER) = 1
ORDER BY seq, ordinal
"""  # noqa: S608 - our own names
#: Records asked for with one query, which passes over all rows of its part of the table: as many as
#: the bytes of the batch before allow.
_BATCH_MIN: Final = 256
_BATCH_MAX: Final = 8192
_BATCH_BYTES: Final = 8 << 20
#: Bytes read after which the database lets go of what it read.
_SHED_BYTES: Final = 16 << 20
#: Rows made into objects at once, and lines handed out at once: what a processor's cache holds.
_AT_ONCE: Final = 256
_WANTED: Final = ord("1")


@dataclass(slots=True, eq=False)
class LogCursor:
    """A cursor of a log, exchanged between two queries for one that remembers nothing.

    Attributes:
        now: the cursor to ask.
        forget: closes a cursor, or keeps it, and returns the one to go on with.
    """

    now: duckdb.DuckDBPyConnection
    forget: Callable[[duckdb.DuckDBPyConnection], duckdb.DuckDBPyConnection]


def read_entries(
    held: LogCursor,
    refs: RefsDecoder,
    tail: Tail,
    first: int,
    last: int,
    decode: DecodeHeader,
) -> Iterator[Entry]:
    """Yield the records in [first, last), whole.

    Args:
        held: of the log; nothing else uses it meanwhile.
        refs: the decoder of part lists, as of ``first``.
        tail: what the database does not hold.
        first: position of the first record.
        last: position after the last one.
        decode: decodes header bytes; called once for each record.

    Raises:
        IntegrityError: a record or part is missing, twice there or malformed.
    """
    # The first part to come; unknown unless the reading starts at the start.
    ordinal = 0 if first == 0 else -1
    kept = 0
    seq, batch = first, _BATCH_MIN
    while seq < last:
        start, size = seq, 1
        pieces: Iterable[Sequence[_Row]]
        if start < tail.stored:
            stop = min(start + batch, last, tail.stored)
            pieces = _fetched(held.now.execute(_ALL, [start, stop]))
        else:
            stop = last
            pieces = [tail.between(start, stop)]
        # The record whose parts may still come; this loop runs for every record that is checked.
        here: _Row | None = None
        brought: list[Part] = []
        for rows in pieces:
            for row in rows:
                if row[1] is None:
                    if here is not None:
                        yield _entry(here, refs, brought, decode)
                        brought = []
                        seq += 1
                    if row[0] != seq:
                        raise _missing(seq)
                    here = row
                    continue
                part = part_of(row[1], row[2], row[3])
                if row[0] != seq or here is None or part.ordinal != ordinal >= 0:
                    raise _out_of_order(part.ordinal)
                ordinal = part.ordinal + 1
                size += part.size
                brought.append(part)
        if here is not None:
            yield _entry(here, refs, brought, decode)
            seq += 1
        if seq != stop:
            raise _missing(seq)
        batch = _next_batch(stop - start, size)
        kept += size
        if kept > _SHED_BYTES:
            kept = 0
            held.now = held.forget(held.now)


def _fetched(cursor: duckdb.DuckDBPyConnection) -> Iterator[Sequence[Any]]:
    while rows := cursor.fetchmany(_AT_ONCE):
        yield rows


def _entry(row: _Row, refs: RefsDecoder, brought: list[Part], decode: DecodeHeader) -> Entry:
    seq, _, raw, stored, place = row
    if type(raw) is not bytes or type(stored) is not bytes:
        raise _no_bytes(seq)
    header = decode(raw, seq)
    listed = refs.decode(header, stored)
    return Entry(header=header, raw=raw, parts=listed, brought=tuple(brought), place=place)


def read_lines(
    held: LogCursor, tail: Tail, last: int, wanted: frozenset[str], decode: DecodeHeader
) -> Iterator[Sequence[Line]]:
    """Yield the records before ``last``; see :meth:`replay.log.port.LogReader.lean`.

    Raises:
        IntegrityError: a record is missing, or a wanted one is malformed.
    """
    refs = RefsDecoder()
    start, batch, kept = 0, _BATCH_MIN, 0
    while start < last:
        size = 1
        rows: Sequence[_Head]
        pieces: Iterator[Sequence[_PartRow]]
        if start < tail.stored:
            stop = min(start + batch, last, tail.stored)
            rows = held.now.execute(_HEADERS, [start, stop]).fetchall()
            mask = _mask(rows, wanted, start, stop)
            pieces = iter(())
            if _WANTED in mask:
                among = [start, stop, mask.decode(), start]
                pieces = _fetched(held.now.execute(_WANTED_PARTS, among))
        else:
            stop = last
            rows = [(raw, stored) for _, _, raw, stored, _ in tail.headers(start, stop)]
            mask = _mask(rows, wanted, start, stop)
            behind = tail.between(start, stop)
            pieces = iter(
                [[r[:4] for r in behind if r[1] is not None and mask[r[0] - start] == _WANTED]]
            )
        parts = _Parts(pieces)
        for first in range(0, len(rows), _AT_ONCE):
            lines: list[Line] = [row[0] for row in rows[first : first + _AT_ONCE]]
            size += sum(map(len, lines))  # type: ignore[arg-type]  # bytes, all of them so far
            end = first + len(lines)
            place = mask.find(_WANTED, first, end)
            while place >= 0:
                seq = start + place
                entry = _entry((seq, None, *rows[place], None), refs, parts.take(seq), decode)
                for part in entry.brought:
                    size += part.size
                lines[place - first] = entry
                place = mask.find(_WANTED, place + 1, end)
            yield lines
        parts.finish()
        batch = _next_batch(stop - start, size)
        start = stop
        kept += size
        if kept > _SHED_BYTES:
            kept = 0
            held.now = held.forget(held.now)


def _next_batch(records: int, size_bytes: int) -> int:
    return max(_BATCH_MIN, min(_BATCH_MAX, _BATCH_BYTES * records // size_bytes))


def _mask(rows: Sequence[_Head], wanted: frozenset[str], start: int, stop: int) -> bytearray:
    """Check that there are enough; return a binary digit for each: whether it is wanted."""
    mask = bytearray(b"0") * len(rows)
    known: dict[bytes, bool] = {}
    for place, (raw, _) in enumerate(rows):
        if type(raw) is not bytes:
            raise _no_bytes(start + place)
        kind = kind_in(raw)
        if kind not in known:
            known[kind] = not kind or kind.decode("ascii", "replace") in wanted
        if known[kind]:
            mask[place] = _WANTED
    if len(rows) != stop - start:
        raise _missing(start + len(rows))
    return mask


class _Parts:
    """The parts that the records of a batch bring, in order of position."""

    def __init__(self, pieces: Iterator[Sequence[_PartRow]]) -> None:
        self._pieces = pieces
        self._rows: Sequence[_PartRow] = ()
        self._next = self._count = 0
        self._fetch()

    def take(self, seq: int) -> list[Part]:
        """Return the parts of a record, ascending ordinals; records in order of position."""
        parts: list[Part] = []
        while self._next < self._count:
            of, ordinal, data, about = self._rows[self._next]
            if of != seq:
                break
            if parts and ordinal != parts[-1].ordinal + 1:
                raise _out_of_order(ordinal)
            parts.append(part_of(ordinal, data, about))
            self._next += 1
            if self._next == self._count:
                self._fetch()
        return parts

    def finish(self) -> None:
        """Check that every part was taken.

        Raises:
            IntegrityError: one belongs to no record.
        """
        if self._next < self._count:
            raise _out_of_order(self._rows[self._next][1])

    def _fetch(self) -> None:
        self._rows = next(self._pieces, ())
        self._next, self._count = 0, len(self._rows)


def _missing(seq: int) -> IntegrityError:
    return IntegrityError("record is missing or stands twice", where=f"event {seq}")


def _no_bytes(seq: int) -> IntegrityError:
    return IntegrityError("record has no bytes", where=f"event {seq}")


def _out_of_order(ordinal: object) -> IntegrityError:
    return IntegrityError("parts are out of order", where=f"part {ordinal}")
