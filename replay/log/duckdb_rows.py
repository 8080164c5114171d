"""Records as rows of the one table, and back.

The one invariant: what comes out of the table is checked for shape before it is believed; whether
the bytes are the recorded ones is for the check of the run to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, cast, get_args

from replay.errors import IntegrityError
from replay.events.digest import COMMITMENT_BYTES
from replay.events.entry import Entry, Part, PartState
from replay.events.header import Header, decode_header
from replay.events.refs import RefsDecoder, RefsEncoder

__all__ = ["PART_COLUMNS", "ROW_COLUMNS", "RowReader", "column_values", "part_of", "rows_of"]

PART_COLUMNS: Final = "ordinal, salt, commitment, size, state, data"
ROW_COLUMNS: Final = f"seq, raw, refs, place, {PART_COLUMNS}"

_STATES: Final = frozenset(get_args(PartState))

_Column = int | str | bytes | None


def rows_of(entries: Sequence[Entry], encoder: RefsEncoder) -> list[tuple[_Column, ...]]:
    """Return the rows of a batch in the table's own order of columns: records, their parts after.

    Args:
        entries: records that follow the ones encoded before.
        encoder: the log's encoder of part lists, which moves on.
    """
    rows: list[tuple[_Column, ...]] = []
    for entry in entries:
        header = entry.header
        seq = header.seq
        refs = encoder.encode(header, entry.parts)
        rows.append((seq, None, entry.raw, refs, entry.place, None, None, None, None, None))
        rows.extend(
            (seq, p.ordinal, None, None, None, p.salt, p.commitment, p.size, p.state, p.data)
            for p in entry.brought
        )
    return rows


class RowReader:
    """Puts records together again from rows in order of position, record before parts.

    Args:
        decoder: the decoder of part lists, as of ``first``.
        first: position of the first record to come.
    """

    def __init__(self, decoder: RefsDecoder, first: int) -> None:
        self._decoder = decoder
        self._next = first
        # The first part to come; unknown unless the reading starts at the start.
        self._ordinal = 0 if first == 0 else None

    def entries(self, rows: Iterable[tuple[object, ...]], last: int) -> Iterator[Entry]:
        """Yield the records of these rows, which end before position ``last``.

        Raises:
            IntegrityError: a record is missing, twice there or malformed.
        """
        record: tuple[object, ...] | None = None
        parts: list[tuple[object, ...]] = []
        for row in rows:
            if record is not None and row[4] is not None:
                parts.append(row)
                continue
            if record is not None:
                yield self._entry(record, parts)
                parts = []
            record = row
        if record is not None:
            yield self._entry(record, parts)
        if self._next != last:
            raise _missing(self._next)

    def _entry(self, record: tuple[object, ...], parts: Sequence[tuple[object, ...]]) -> Entry:
        seq, raw, refs, place, ordinal, *_ = record
        if ordinal is not None or seq != self._next:
            raise _missing(self._next)
        if not isinstance(raw, bytes) or not isinstance(refs, bytes):
            raise IntegrityError("record has no bytes", where=f"event {seq}")
        header = decode_header(raw, self._next)
        brought: list[Part] = []
        for row in parts:
            part = part_of(row[4:])
            expected = part.ordinal if self._ordinal is None else self._ordinal
            if row[0] != seq or part.ordinal != expected:
                raise IntegrityError("parts are out of order", where=f"part {part.ordinal}")
            self._ordinal = part.ordinal + 1
            brought.append(part)
        self._next += 1
        return Entry(
            header=header,
            raw=raw,
            parts=self._decoder.decode(header, refs),
            brought=tuple(brought),
            place=place if isinstance(place, str) else None,
        )


def part_of(row: Sequence[object]) -> Part:
    """Return the part in a row of ``PART_COLUMNS``.

    Raises:
        IntegrityError: a column holds what no part has.
    """
    ordinal, salt, commitment, size, state, data = row
    if (
        not isinstance(ordinal, int)
        or not isinstance(salt, bytes)
        or not isinstance(commitment, bytes)
        or len(commitment) != COMMITMENT_BYTES
        or not isinstance(size, int)
        or size < 0
        or state not in _STATES
        or not isinstance(data, bytes | None)
        or (data is not None) != (state == "present")
    ):
        raise IntegrityError("part is malformed", where=f"part {ordinal}")
    return Part(
        ordinal=ordinal,
        salt=salt,
        commitment=commitment,
        size=size,
        data=data,
        state=cast("PartState", state),
    )


def column_values(header: Header) -> dict[str, object]:
    """Return what the typed columns of a record's row must hold, by column name."""
    values: dict[str, object] = {name: getattr(header, name) for name in Header.__struct_fields__}
    values["causes"] = list(header.causes)
    values["commitment"] = bytes.fromhex(header.commitment)
    return values


def _missing(seq: int) -> IntegrityError:
    return IntegrityError("record is missing or stands twice", where=f"event {seq}")
