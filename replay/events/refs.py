"""Lists of parts as deltas: how a payload's part list is stored beside the record.

A chat sends its whole history with every request, so its part lists would grow with the square of
the turns. Each list is stored as what changed against the previous list of the same path (task
and kind): so many parts kept at the front, so many at the back, and the new ones between. The end
of a task forgets its lists, so that a run of many tasks keeps few. This is a container's affair: a
wrong list gives a wrong commitment.
"""

from __future__ import annotations

from typing import Final

from replay.errors import IntegrityError
from replay.events.header import Header

__all__ = ["PARTS_PER_PAYLOAD_MAX", "RefsDecoder", "RefsEncoder"]

PARTS_PER_PAYLOAD_MAX: Final = 1 << 20

#: Ordinals stay below 2**53.
_SHIFT_MAX: Final = 49

# What single parts are stored as: the one before again, or one new ordinal.
_SAME_ONE: Final = bytes((1, 0, 0))
_ONE_NEW: Final = bytes((0, 0, 1))

#: The kind of a task's or thread's last record.
_LAST_KIND: Final = "TaskEnded"

#: Last lists by task and kind.
_Lists = dict[int, dict[str, tuple[int, ...]]]


class RefsEncoder:
    """Encodes part lists in log order. One encoder for each log, from its first record on."""

    def __init__(self) -> None:
        self._previous: _Lists = {}

    def encode(self, header: Header, refs: tuple[int, ...]) -> bytes:
        """Return the stored form: unsigned LEB128 of (front, back, new count, new ordinals)."""
        previous = _lists_of(self._previous, header)
        before = previous.get(header.kind, ())
        previous[header.kind] = refs
        front = 0
        limit = min(len(before), len(refs))
        while front < limit and before[front] == refs[front]:
            front += 1
        back = 0
        limit -= front
        while back < limit and before[-1 - back] == refs[-1 - back]:
            back += 1
        fresh = refs[front : len(refs) - back]
        out = bytearray()
        for number in (front, back, len(fresh), *fresh):
            _write(out, number)
        return bytes(out)


class RefsDecoder:
    """Decodes part lists in log order; the inverse of :class:`RefsEncoder`."""

    def __init__(self) -> None:
        self._previous: _Lists = {}

    def decode(self, header: Header, stored: bytes) -> tuple[int, ...]:
        """Return the ordinals of the payload's parts.

        Raises:
            IntegrityError: the stored form is malformed, over the limit or refers to nothing.
        """
        kind = header.kind
        previous = _lists_of(self._previous, header)
        if stored.startswith(_ONE_NEW):
            one = _single(stored)
            if one is not None:
                previous[kind] = single = (one,)
                return single
        before = previous.get(kind, ())
        if stored == _SAME_ONE and len(before) == 1:
            return before
        where = f"event {header.seq}"
        numbers = _read_all(stored, where)
        if len(numbers) < 3:
            raise IntegrityError("part list is cut short", where=where)
        front, back, count, *fresh = numbers
        if count != len(fresh) or front + back > len(before):
            raise IntegrityError("part list does not fit the one before it", where=where)
        refs = before[:front] + tuple(fresh) + before[len(before) - back :]
        if len(refs) > PARTS_PER_PAYLOAD_MAX:
            raise IntegrityError("part list is over the limit", where=where)
        previous[kind] = refs
        return refs


def _lists_of(lists: _Lists, header: Header) -> dict[str, tuple[int, ...]]:
    """Return the last lists of a record's task; at its end, for the last time."""
    task = header.task
    if header.kind == _LAST_KIND:
        return lists.pop(task, {})
    of_task = lists.get(task)
    if of_task is None:
        of_task = lists[task] = {}
    return of_task


def _write(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _single(stored: bytes) -> int | None:
    """Return the ordinal where exactly one new part is stored, the most frequent form."""
    # Written out for the usual lengths: ordinals up to 2**14 and up to 2**21.
    length = len(stored)
    if length == 6:
        _, _, _, low, middle, high = stored
        if low > 0x7F and middle > 0x7F and high <= 0x7F:
            return (low & 0x7F) | (middle & 0x7F) << 7 | high << 14
    elif length == 5:
        _, _, _, low, high = stored
        if low > 0x7F and high <= 0x7F:
            return (low & 0x7F) | high << 7
    value = shift = 0
    last = length - 1
    for position in range(len(_ONE_NEW), length):
        byte = stored[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value if position == last and shift <= _SHIFT_MAX else None
        shift += 7
    return None


def _read_all(stored: bytes, where: str) -> list[int]:
    if stored and stored[-1] & 0x80:
        raise IntegrityError("part list is cut short", where=where)
    numbers: list[int] = []
    value = shift = 0
    for byte in stored:
        value |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            if shift > _SHIFT_MAX:
                raise IntegrityError("part list holds an oversized number", where=where)
        else:
            numbers.append(value)
            value = shift = 0
    return numbers
