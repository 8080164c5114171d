"""Which captured values the text of a changed field came from.

Found by content: a stretch of the changed text that stands in an input which causally precedes the
record. That is no proof of where it came from, only where the same words are on record. What stands
in the program's own source is left out, since it needs no input.

Complexity: bounded by the records looked at, the bytes of inputs searched, and 400 characters for
each side of a field; see the constants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from replay.forensics.fed_texts import Text, texts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from replay.events.entry import Entry
    from replay.log.port import LogReader
    from replay.recording.divergence import FieldChange

__all__ = ["FED_MAX", "Fed", "fed_by"]

FED_MAX: Final = 8
_RECORDS_MAX: Final = 20_000
_FIELDS_MAX: Final = 4
_BYTES_MAX: Final = 2 << 20
_SEED: Final = 8
#: A stretch of a longer text is at least so long, so that one of its seeds is found.
_STRETCH_MIN: Final = 2 * _SEED
_WHOLE_MIN: Final = 6
_WHOLE_MAX: Final = 400
_EXCERPT_MAX: Final = 120


class Fed(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a changed field that an earlier input holds.

    Attributes:
        event, kind: the record that holds it.
        what: what that is, such as ``answer text``, ``reading time_ns`` or ``file notes.txt``.
        path: where in the record.
        offset: characters before it in that text.
        excerpt: the stretch, shortened.
        length: characters of the stretch.
        field: path of the changed field.
        side: in which of its two values.
    """

    event: int
    kind: str
    what: str
    path: str
    offset: int
    excerpt: str
    length: int
    field: str
    side: Literal["recorded", "replayed", "both"]


class _Found(msgspec.Struct, frozen=True):
    """A stretch of a needle, and the text that holds it."""

    start: int
    end: int
    text: Text
    offset: int


def fed_by(
    reader: LogReader, seq: int, fields: Sequence[FieldChange], source: bytes = b""
) -> tuple[Fed, ...]:
    """Return where the values of changed fields stand in earlier inputs, longest stretch first.

    Args:
        reader: the recorded run.
        seq: position of the record that differs.
        fields: what differs.
        source: text of the program's own source.
    """
    wanted = [each for each in fields if not each.path.startswith(("header.", "marks"))]
    if not wanted:
        return ()
    texts = list(_bounded(texts_of(reader, _before(reader, seq))))
    own = source.decode("utf-8", "replace")
    found: dict[tuple[int, str, int, str], Fed] = {}
    for field in wanted[:_FIELDS_MAX]:
        sides: tuple[tuple[Literal["recorded", "replayed"], str | None], ...] = (
            ("recorded", field.recorded),
            ("replayed", field.replayed),
        )
        for side, value in sides:
            if not value:
                continue
            needle = value.strip("…")
            for each in _stretches(needle, texts, own):
                fed = _fed(each, needle, field.path, side)
                key = (fed.event, fed.path, fed.offset, fed.excerpt)
                if key in found and found[key].side != side:
                    fed = msgspec.structs.replace(fed, side="both")
                found[key] = fed
    ranked = sorted(found.values(), key=lambda fed: (-fed.length, fed.event, fed.path))
    return tuple(ranked[:FED_MAX])


def _before(reader: LogReader, seq: int) -> list[Entry]:
    """Return the records that causally precede one, nearest first."""
    size = reader.size()
    first = max(0, min(seq, size) - _RECORDS_MAX)
    entries = list(reader.entries(first, min(seq + 1, size)))
    if not entries:
        return []
    # Behind the end of a record nothing says what it would have followed: all of it, then.
    needed = {entries[-1].header.seq} if seq < size else {each.header.seq for each in entries}
    before: list[Entry] = []
    for entry in reversed(entries):
        header = entry.header
        if header.seq not in needed:
            continue
        needed.update(header.causes)
        if header.seq != seq:
            before.append(entry)
    return before


def _bounded(texts: Iterator[Text]) -> Iterator[Text]:
    size = 0
    for text in texts:
        size += len(text.text)
        if size > _BYTES_MAX:
            return
        yield text


def _stretches(needle: str, texts: Sequence[Text], own: str) -> list[_Found]:
    """Return stretches of a needle that stand in the texts; none overlaps another."""
    candidates: list[_Found] = []
    for text in texts:
        whole = text.text.strip()
        least = min(_WHOLE_MIN, text.least)
        if least <= len(whole) <= _WHOLE_MAX and (start := needle.find(whole)) >= 0:
            offset = text.text.find(whole)
            candidates.append(_Found(start, start + len(whole), text, offset))
        elif (longest := _longest(needle, text)) is not None:
            candidates.append(longest)
    # The decoded form goes before the raw one, and of equals the first to hold it is the origin.
    candidates.sort(
        key=lambda each: (each.start - each.end, each.text.is_raw, each.text.event, each.offset)
    )
    chosen: list[_Found] = []
    for each in candidates:
        clear = all(each.end <= other.start or each.start >= other.end for other in chosen)
        if clear and not _is_own(needle[each.start : each.end], own):
            chosen.append(each)
    return chosen[:FED_MAX]


def _longest(needle: str, text: Text) -> _Found | None:
    """Return the longest stretch that needle and text share, if it is long enough."""
    hay = text.text
    best: _Found | None = None
    position = 0
    while position + _SEED <= len(needle):
        at = hay.find(needle[position : position + _SEED])
        if at < 0:
            position += _SEED
            continue
        start, offset = position, at
        while start > 0 and offset > 0 and needle[start - 1] == hay[offset - 1]:
            start, offset = start - 1, offset - 1
        end, after = position + _SEED, at + _SEED
        while end < len(needle) and after < len(hay) and needle[end] == hay[after]:
            end, after = end + 1, after + 1
        if best is None or end - start > best.end - best.start:
            best = _Found(start, end, text, offset)
        position = max(end, position + _SEED)
    return best if best is not None and best.end - best.start >= _STRETCH_MIN else None


def _is_own(stretch: str, source: str) -> bool:
    """Return whether a stretch says nothing: white space, or words of the program's own."""
    words = stretch.strip()
    return not any(c.isalnum() for c in words) or words in source


def _fed(found: _Found, needle: str, path: str, side: Literal["recorded", "replayed"]) -> Fed:
    stretch = needle[found.start : found.end]
    shown = stretch if len(stretch) <= _EXCERPT_MAX else stretch[: _EXCERPT_MAX - 1] + "…"
    return Fed(
        event=found.text.event,
        kind=found.text.kind,
        what=found.text.what,
        path=found.text.path,
        offset=found.offset,
        excerpt=shown,
        length=len(stretch),
        field=path,
        side=side,
    )
