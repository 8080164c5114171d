"""Records as rows of the one table, and back.

The one invariant: what comes out of the table is checked for shape before it is believed; whether
the bytes are the recorded ones is for the check of the run to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast, get_args

from replay.errors import IntegrityError
from replay.events.digest import COMMITMENT_BYTES
from replay.events.entry import Entry, Part, PartState
from replay.events.header import Header
from replay.events.refs import RefsEncoder

__all__ = ["PART_COLUMNS", "column_values", "part_of", "rows_of"]

PART_COLUMNS: Final = "ordinal, salt, commitment, size, state, data"

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


def part_of(row: Sequence[object]) -> Part:
    """Return the part in a row of ``seq`` and ``PART_COLUMNS``.

    Raises:
        IntegrityError: a column holds what no part has.
    """
    _, ordinal, salt, commitment, size, state, data = row
    # The usual case first, in few steps: this runs for every part that is read.
    if (
        type(data) is not bytes
        or state != "present"
        or type(salt) is not bytes
        or type(commitment) is not bytes
        or len(commitment) != COMMITMENT_BYTES
        or type(size) is not int
        or size < 0
        or type(ordinal) is not int
    ):
        return _hole_of(row)
    return Part(ordinal=ordinal, salt=salt, commitment=commitment, size=size, data=data)


def _hole_of(row: Sequence[object]) -> Part:
    """Return a part whose bytes are gone."""
    _, ordinal, salt, commitment, size, state, data = row
    if (
        not isinstance(ordinal, int)
        or not isinstance(salt, bytes)
        or not isinstance(commitment, bytes)
        or len(commitment) != COMMITMENT_BYTES
        or not isinstance(size, int)
        or size < 0
        or state not in _STATES
        or data is not None
        or state == "present"
    ):
        raise IntegrityError("part is malformed", where=f"part {ordinal}")
    return Part(
        ordinal=ordinal,
        salt=salt,
        commitment=commitment,
        size=size,
        data=None,
        state=cast("PartState", state),
    )


def column_values(header: Header) -> dict[str, object]:
    """Return what the typed columns of a record's row must hold, by column name."""
    values: dict[str, object] = {name: getattr(header, name) for name in Header.__struct_fields__}
    values["causes"] = list(header.causes)
    values["commitment"] = bytes.fromhex(header.commitment)
    return values
