"""Records as rows of the one table, and back.

The one invariant: what comes out of the table is checked for shape before it is believed; whether
the bytes are the recorded ones is for the check of the run to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType
from typing import Final, cast

from replay.errors import IntegrityError
from replay.events.digest import COMMITMENT_BYTES, SALT_BYTES
from replay.events.entry import Entry, Part, PartState
from replay.events.header import Header
from replay.events.refs import RefsEncoder
from replay.log.journal import Row

__all__ = ["PART_COLUMNS", "PART_STATES", "column_values", "part_of", "rows_of", "salts_of"]

PART_COLUMNS: Final = "ordinal, data, about"
#: States of a part by the byte that stands for them.
PART_STATES: Final[tuple[PartState, ...]] = ("present", "erased", "withheld", "missing")

# What is written of a part: state in one byte, size in eight, big-endian, commitment, salt.
_SIZE_AT: Final = 1
_COMMITMENT_AT: Final = _SIZE_AT + 8
_SALT_AT: Final = _COMMITMENT_AT + COMMITMENT_BYTES
_SALTED: Final = _SALT_AT + SALT_BYTES
_CODES: Final = {state: bytes((code,)) for code, state in enumerate(PART_STATES)}
_PRESENT: Final = PART_STATES.index("present")


def rows_of(entries: Sequence[Entry], encoder: RefsEncoder) -> list[Row]:
    """Return the rows of a batch in the table's own order of columns: records, their parts after.

    Args:
        entries: records that follow the ones encoded before.
        encoder: the log's encoder of part lists, which moves on.
    """
    rows: list[Row] = []
    for entry in entries:
        header = entry.header
        seq = header.seq
        refs = encoder.encode(header, entry.parts)
        rows.append((seq, None, entry.raw, refs, entry.place))
        rows.extend([(seq, part.ordinal, part.data, _about(part), None) for part in entry.brought])
    return rows


def _about(part: Part) -> bytes:
    return _CODES[part.state] + part.size.to_bytes(8, "big") + part.commitment + part.salt


def salts_of(rows: Sequence[tuple[object]]) -> list[bytes] | None:
    """Return the salts of parts from what is written of each; None if one is malformed."""
    for (about,) in rows:
        if type(about) is not bytes or len(about) < _SALT_AT:
            return None
    return [about[_SALT_AT:] for (about,) in cast("Sequence[tuple[bytes]]", rows)]


def part_of(ordinal: object, data: object, about: object) -> Part:
    """Return the part in ``PART_COLUMNS`` of a row.

    Raises:
        IntegrityError: a column holds what no part has.
    """
    # The usual case first, in few steps: this runs for every part that is read.
    if (
        type(data) is not bytes
        or type(about) is not bytes
        or len(about) != _SALTED
        or about[0] != _PRESENT
        or type(ordinal) is not int
    ):
        return _other_part_of(ordinal, data, about)
    return Part(
        ordinal=ordinal,
        salt=about[_SALT_AT:],
        commitment=about[_COMMITMENT_AT:_SALT_AT],
        size=int.from_bytes(about[_SIZE_AT:_COMMITMENT_AT], "big"),
        data=data,
    )


def _other_part_of(ordinal: object, data: object, about: object) -> Part:
    """Return a part whose bytes are gone, or that is public."""
    if (
        not isinstance(ordinal, int)
        or not isinstance(about, bytes)
        or len(about) not in {_SALT_AT, _SALTED}
        or about[0] >= len(PART_STATES)
        or not isinstance(data, bytes if about[0] == _PRESENT else NoneType)
    ):
        raise IntegrityError("part is malformed", where=f"part {ordinal}")
    return Part(
        ordinal=ordinal,
        salt=about[_SALT_AT:],
        commitment=about[_COMMITMENT_AT:_SALT_AT],
        size=int.from_bytes(about[_SIZE_AT:_COMMITMENT_AT], "big"),
        data=data,
        state=PART_STATES[about[0]],
    )


def column_values(header: Header) -> dict[str, object]:
    """Return what the typed columns of a record's row must hold, by column name."""
    values: dict[str, object] = {name: getattr(header, name) for name in Header.__struct_fields__}
    values["causes"] = list(header.causes)
    values["commitment"] = bytes.fromhex(header.commitment)
    return values
