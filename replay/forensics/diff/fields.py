"""What differs in two values field by field, and in two long texts word by word.

The one invariant: time and result are bounded whatever the values are; what is cut is marked with
an ellipsis.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Final

import msgspec

from replay.forensics.diff.values import FieldDifference, Segment

__all__ = ["FIELDS_MAX", "different_fields", "different_text", "shortened", "word_segments"]

FIELDS_MAX: Final = 20
VALUE_LENGTH_MAX: Final = 400
_WORDS_FROM: Final = 30
_WORDS_MAX: Final = 400
_TEXT_MAX: Final = 32_768
_ALIKE: Final = 0.6
_SEGMENTS_MAX: Final = 120
_SAME_SHOWN: Final = 80
_CHANGED_SHOWN: Final = 2_000
_LEAVES_MAX: Final = 50_000
_DEPTH_MAX: Final = 32
_WORD: Final = re.compile(r"\s+|\w+|[^\w\s]")
_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
_PLAIN_NAME: Final = re.compile(r"[^.\[\]\s\"*]+")


def different_fields(
    a: tuple[object, object] | None, b: tuple[object, object] | None
) -> tuple[tuple[FieldDifference, ...], int]:
    """Return what differs in two payloads, and how many more fields differ.

    Args:
        a: head and body of one, as JSON values or text; None where there is none.
        b: the same of the other.
    """
    before, after = dict(_leaves(a)), dict(_leaves(b))
    found: list[FieldDifference] = []
    omitted = 0
    for path in _in_order(before, after):
        one, other = before.get(path), after.get(path)
        if one == other:
            continue
        if len(found) < FIELDS_MAX:
            found.append(different_text(path, one, other))
        else:
            omitted += 1
    return tuple(found), omitted


def _in_order(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return the paths of both as they come, whichever of the two is the first."""
    places: dict[str, list[int]] = {}
    for side in (before, after):
        for place, path in enumerate(side):
            places.setdefault(path, []).append(place)
    return sorted(places, key=lambda path: (min(places[path]), max(places[path]), path))


def different_text(
    path: str, a: str | None, b: str | None, *, lines: bool = False
) -> FieldDifference:
    """Return the difference of two texts under a path, word by word or line by line."""
    words: tuple[Segment, ...] = ()
    if a is not None and b is not None and max(len(a), len(b)) >= _WORDS_FROM:
        words = word_segments(a, b, lines=lines)
    return FieldDifference(path=path, a=shortened(a, b), b=shortened(b, a), words=words)


def word_segments(a: str, b: str, *, lines: bool = False) -> tuple[Segment, ...]:
    """Return two texts word by word or line by line: what both have, and what only one has."""
    start = _common(a, b)
    # Back to the beginning of a word, and a little of what is the same before it.
    cut = max(0, start - _SAME_SHOWN)
    if lines:
        cut = a.rfind("\n", 0, start) + 1
    lead = "…" if cut else ""
    ended = len(a) - cut <= _TEXT_MAX and len(b) - cut <= _TEXT_MAX
    unit = _LINE if lines else _WORD
    one = unit.findall(a[cut : cut + _TEXT_MAX])
    other = unit.findall(b[cut : cut + _TEXT_MAX])
    first, last = _same_ends(one, other)
    segments: list[Segment] = []
    _add(segments, "both", lead + "".join(one[:first]))
    middle_a, middle_b = one[first : len(one) - last], other[first : len(other) - last]
    for gone, come in _changes(middle_a, middle_b, alike=0.0 if lines else _ALIKE):
        if gone == come:
            _add(segments, "both", gone)
        else:
            _add(segments, "a", gone)
            _add(segments, "b", come)
    _add(segments, "both", "".join(one[len(one) - last :]) if last else "")
    if not ended:
        _add(segments, "both", "…")
    if len(segments) > _SEGMENTS_MAX:
        segments = [*segments[:_SEGMENTS_MAX], Segment(of="both", text="…")]
    return tuple(segments)


def shortened(value: str | None, other: str | None) -> str | None:
    """Shorten a value to the neighbourhood of its first difference from another."""
    if value is None or len(value) <= VALUE_LENGTH_MAX:
        return value
    first = 0 if other is None else max(0, _common(value, other) - VALUE_LENGTH_MAX // 4)
    cut = value[first : first + VALUE_LENGTH_MAX]
    return ("…" if first else "") + cut + ("…" if first + len(cut) < len(value) else "")


def _changes(a: list[str], b: list[str], *, alike: float) -> Iterator[tuple[str, str]]:
    """Yield pairs of stretches of two texts, equal ones and others, in order."""
    # Exchanged texts must give exchanged pairs, so one of the two goes first always.
    swapped = b < a
    one, other = (b, a) if swapped else (a, b)
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    if max(len(a), len(b)) > _WORDS_MAX or matcher.ratio() < alike:
        # Words that two other texts share by chance say nothing.
        yield "".join(a), "".join(b)
        return
    for _, i, j, k, m in matcher.get_opcodes():
        pair = "".join(one[i:j]), "".join(other[k:m])
        yield (pair[1], pair[0]) if swapped else pair


def _add(segments: list[Segment], of: str, text: str) -> None:
    if not text:
        return
    if of == "both":
        if len(text) > 2 * _SAME_SHOWN:
            text = f"{text[:_SAME_SHOWN]} … {text[-_SAME_SHOWN:]}"
        segments.append(Segment(of="both", text=text))
    else:
        cut = text if len(text) <= _CHANGED_SHOWN else text[:_CHANGED_SHOWN] + "…"
        segments.append(Segment(of="a" if of == "a" else "b", text=cut))


def _same_ends(one: list[str], other: list[str]) -> tuple[int, int]:
    """Return how many words are the same at the beginning and, of the rest, at the end."""
    limit = min(len(one), len(other))
    first = 0
    while first < limit and one[first] == other[first]:
        first += 1
    last = 0
    while last < limit - first and one[-1 - last] == other[-1 - last]:
        last += 1
    return first, last


def _common(one: str, other: str) -> int:
    """Return how many leading characters are the same, by halving."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _leaves(payload: tuple[object, object] | None) -> Iterator[tuple[str, str]]:
    if payload is None:
        return
    count = 0
    for value, prefix in zip(payload, ("", "body"), strict=True):
        for leaf in _walk(value, prefix, 0):
            count += 1
            if count > _LEAVES_MAX:
                yield "…", "more fields than are looked at"
                return
            yield leaf


def _walk(value: object, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value and depth < _DEPTH_MAX:
        for key, item in value.items():
            yield from _walk(item, _below(path, str(key)), depth + 1)
    elif isinstance(value, list) and value and depth < _DEPTH_MAX:
        for index, item in enumerate(value):
            yield from _walk(item, f"{path}[{index}]", depth + 1)
    elif isinstance(value, str):
        yield path or "text", value
    elif value is not None or path != "body":
        yield path, msgspec.json.encode(value).decode()


def _below(path: str, name: str) -> str:
    """Return a path one name further, as a rule would spell it."""
    name = name if len(name) <= VALUE_LENGTH_MAX else name[:VALUE_LENGTH_MAX] + "…"
    if _PLAIN_NAME.fullmatch(name):
        return f"{path}.{name}" if path else name
    return f"{path}[{msgspec.json.encode(name).decode()}]"
