"""Texts that a stream of JSON objects spreads over many of them, put together.

A stream is lines: ``data:`` lines of server-sent events, or one object a line; or it is one array.
What stands at the same place of one object after the other is one text, and so is what stands there
under the same ``index``: to some a number tells texts apart, others count the events by it. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

import msgspec

__all__ = ["Joined", "joined_texts"]

#: A text, and (start in it, start and end in the bytes) of each object that gave a piece of it.
Joined = tuple[bytes, list[tuple[int, int, int]]]

#: A place within an object, and the numbers beside it; pieces of text, where they came from, size.
_Place = tuple[tuple[str, ...], tuple[str, ...]]
_Text = tuple[list[bytes], list[tuple[int, int, int]], int]

_LINE: Final = re.compile(rb"(?:^|[\r\n])(?:data:[ ]?)?(\{[^\r\n]*\})(?=[\r\n]|$)")
_DEPTH_MAX: Final = 32
#: White space that an array may begin with.
_SPACE_MAX: Final = 64
_DECODER: Final = msgspec.json.Decoder()
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])


def joined_texts(data: bytes) -> Iterator[Joined]:
    """Yield the texts that at least two objects of a stream share; nothing if it is no stream."""
    texts: dict[_Place, _Text] = {}
    for first, end in _objects(data):
        for place, numbers, text in _leaves(_value(data[first:end]), (), (), _DEPTH_MAX):
            piece = text.encode("utf-8", "replace")
            for key in dict.fromkeys(((place, numbers), (place, ()))):
                pieces, spans, size = texts.get(key, ([], [], 0))
                pieces.append(piece)
                spans.append((size, first, end))
                texts[key] = pieces, spans, size + len(piece)
    for (place, numbers), (pieces, spans, _) in texts.items():
        alone = numbers and len(spans) == len(texts[place, ()][1])
        if len(pieces) > 1 and not alone:
            yield b"".join(pieces), spans


def _objects(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the objects of a stream begin and end."""
    if data[:_SPACE_MAX].lstrip()[:1] == b"[":
        try:
            items = _ARRAY.decode(data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return
        at = 0
        for item in items:
            raw = bytes(item)
            at = data.index(raw, at)
            yield at, at + len(raw)
            at += len(raw)
    elif (data[:1] == b"{" or b"data:" in data) and b"\n" in data:
        for match in _LINE.finditer(data):
            yield match.span(1)


def _value(data: bytes) -> object:
    """Return what an object of JSON holds; also one with half of a pair, which is no Unicode."""
    try:
        return _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _leaves(
    value: object, place: tuple[str, ...], numbers: tuple[str, ...], depth: int
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], str]]:
    """Yield the place, the numbers beside it and the text of each string that is not empty."""
    if isinstance(value, str):
        if value:
            yield place, numbers, value
    elif depth and isinstance(value, dict):
        beside = (
            *numbers,
            *(f"{len(place)}{key}={n}" for key, n in value.items() if key.endswith("index")),
        )
        for key, item in value.items():
            yield from _leaves(item, (*place, key), beside, depth - 1)
    elif depth and isinstance(value, list):
        for n, item in enumerate(value):
            yield from _leaves(item, (*place, str(n)), numbers, depth - 1)
