"""Field-level difference of two payloads, and the nearest of several candidates."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from replay.recording.divergence import FieldChange

__all__ = ["changed_fields", "nearest"]

FIELDS_MAX: Final = 20
VALUE_LENGTH_MAX: Final = 400
_CANDIDATES_MAX: Final = 20
_DEPTH_MAX: Final = 32

Leaf = tuple[str, str]


def changed_fields(recorded: bytes | None, replayed: bytes | None) -> tuple[FieldChange, ...]:
    """Return what differs between two payloads, in order of the path; at most 20 fields.

    Args:
        recorded: exact payload bytes, head first; None where there is no record.
        replayed: the same of the replay.
    """
    before = dict(_leaves_of(recorded))
    after = dict(_leaves_of(replayed))
    changes = [
        FieldChange(
            path,
            _around(before.get(path), after.get(path)),
            _around(after.get(path), before.get(path)),
        )
        for path in dict.fromkeys([*before, *after])
        if before.get(path) != after.get(path)
    ]
    return tuple(changes[:FIELDS_MAX])


def nearest(candidates: Sequence[tuple[int, bytes]], data: bytes) -> int | None:
    """Return the key of the candidate most like the data, or None if none is alike."""
    wanted = data[:4096].decode("utf-8", "replace")
    best: tuple[float, int] | None = None
    for key, candidate in candidates[:_CANDIDATES_MAX]:
        if candidate == data:
            return key
        matcher = difflib.SequenceMatcher(None, candidate[:4096].decode("utf-8", "replace"), wanted)
        ratio = matcher.quick_ratio()
        if ratio > 0.6 and (best is None or ratio > best[0]):
            best = (ratio, key)
    return None if best is None else best[1]


def _leaves_of(payload: bytes | None) -> Iterator[Leaf]:
    if payload is None:
        return
    head, separator, body = payload.partition(b"\n")
    yield from _json_leaves(head, "")
    if separator:
        leaves = list(_json_leaves(body, "body"))
        if leaves:
            yield from leaves
        else:
            yield "body", body.decode("utf-8", "backslashreplace")


def _json_leaves(data: bytes, prefix: str) -> Iterable[Leaf]:
    try:
        value: object = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ()
    return _walk(value, prefix, 0)


def _walk(value: object, path: str, depth: int) -> Iterator[Leaf]:
    if isinstance(value, dict) and value and depth < _DEPTH_MAX:
        for key in value:
            yield from _walk(value[key], f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, list) and value and depth < _DEPTH_MAX:
        for index, item in enumerate(value):
            yield from _walk(item, f"{path}[{index}]", depth + 1)
    elif isinstance(value, str):
        yield path, value
    else:
        yield path, msgspec.json.encode(value).decode()


def _around(value: str | None, other: str | None) -> str | None:
    """Shorten a value to the neighbourhood of its first difference."""
    if value is None or len(value) <= VALUE_LENGTH_MAX:
        return value
    start = 0
    if other is not None:
        limit = min(len(value), len(other))
        while start < limit and value[start] == other[start]:
            start += 1
    first = max(0, start - VALUE_LENGTH_MAX // 4)
    cut = value[first : first + VALUE_LENGTH_MAX]
    return ("…" if first else "") + cut + ("…" if first + len(cut) < len(value) else "")
