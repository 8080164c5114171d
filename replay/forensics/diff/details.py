"""A closer look at one difference: the fields that differ, and where in the program it came from.

The one invariant: what no rule ignores and differs is shown, or counted; what is too large is said
to be so and not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from replay.events.kinds import ReadingsTaken
from replay.events.payload import decode_payload
from replay.forensics.diff.fields import different_fields
from replay.forensics.diff.index import HOLE
from replay.forensics.diff.values import FieldDifference

if TYPE_CHECKING:
    from replay.events.entry import Entry
    from replay.forensics.diff.index import RunIndex
    from replay.forensics.diff.names import Identity

__all__ = ["Detail", "Details"]

_PAYLOAD_MAX: Final = 4 << 20
_GROUP_MAX: Final = 1 << 20
_EMPTY: Final = (None, "", "null", "[]", "{}", "false")


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """What a closer look showed."""

    fields: tuple[FieldDifference, ...]
    omitted: int
    place_a: str | None
    place_b: str | None


class Details:
    """Looks into differences of two runs, one at a time."""

    def __init__(self, a: RunIndex, b: RunIndex) -> None:
        self._a, self._b = a, b

    def of(self, key: Identity, a: int | None, b: int | None) -> Detail:
        """Look into one difference.

        Args:
            key: its identity.
            a: its item in the first run, None where there is none.
            b: its item in the second.
        """
        one = None if a is None else _entry(self._a, self._a.seqs[a])
        other = None if b is None else _entry(self._b, self._b.seqs[b])
        before = None if a is None or one is None else _values(self._a, key, a, one)
        after = None if b is None or other is None else _values(self._b, key, b, other)
        fields, omitted = different_fields(before, after)
        if one is None or other is None:
            fields = tuple(field for field in fields if _tells(field))
        outcomes = tuple(None if each is None else each.header.outcome for each in (one, other))
        if one is not None and other is not None and outcomes[0] != outcomes[1]:
            found = FieldDifference(path="header.outcome", a=outcomes[0], b=outcomes[1])
            fields = (found, *fields)
        if not fields and a is not None and b is not None:
            heard = _heard(self._a, a), _heard(self._b, b)
            if heard[0] != heard[1]:
                fields = (FieldDifference(path="header.heard", a=heard[0], b=heard[1]),)
        return Detail(
            fields=fields,
            omitted=omitted,
            place_a=None if one is None else one.place,
            place_b=None if other is None else other.place,
        )


def _tells(field: FieldDifference) -> bool:
    """Return whether a field of a record without a partner says anything."""
    empty = field.a in _EMPTY and field.b in _EMPTY
    return field.path != "kind" and not empty


def _entry(run: RunIndex, seq: int) -> Entry:
    (entry,) = run.reader.entries(seq, seq + 1)
    return entry


def _heard(run: RunIndex, item: int) -> str:
    """Return the tasks that a record heard from."""
    seq = run.seqs[item]
    causes = run.causes[run.causes_from[seq] : run.causes_from[seq + 1]]
    tasks = sorted({run.names.path_text(run.path_of[cause]) for cause in causes})
    return ", ".join(tasks[:20])


def _values(run: RunIndex, key: Identity, item: int, entry: Entry) -> tuple[object, object]:
    """Return head and body of an item as they are compared."""
    if item in run.facts:
        # The raw answer holds ids and the like; what was read in it is what was compared.
        item = run.facts[item]
        key, entry = run.keys[item], _entry(run, run.seqs[item])
    path, kind, _, _ = run.names.parts(key)
    name, _, source = run.names.kind_text(kind).partition(" ")
    if run.flags[item] & HOLE:
        return {"": "not here: erased, withheld or missing"}, None
    if entry.header.size > _PAYLOAD_MAX:
        return {"": f"{entry.header.size} bytes, too many to look into"}, None
    _, paths = run.rules.fields(name, run.names.path_text(path))
    data = run.contents.data(entry)
    if name == "ReadingsTaken":
        return _readings(run, entry, data, source)
    if run.more.get(item):
        data = _joined(run, item, data)
    return run.contents.values(entry, data, paths)


def _readings(run: RunIndex, entry: Entry, data: bytes, source: str) -> tuple[object, object]:
    payload, _ = decode_payload(entry.header.media, data, entry.header.seq)
    assert isinstance(payload, ReadingsTaken)  # its kind is the key's
    found = [
        run.contents.plain(bytes(each.value)).decode("utf-8", "replace")
        for each in payload.readings
        if source in {each.source, f"{each.source} {each.argument}"}
    ]
    return {source or "readings": ", ".join(found)}, None


def _joined(run: RunIndex, item: int, data: bytes) -> bytes:
    """Return the payload of the first record of an item with the bodies of all."""
    pieces, size = [data], len(data)
    for seq in run.more[item]:
        entry = _entry(run, seq)
        if size > _GROUP_MAX:
            pieces.append("…".encode())
            break
        body = run.contents.data(entry).partition(b"\n")[2]
        pieces.append(body)
        size += len(body)
    return b"".join(pieces)
