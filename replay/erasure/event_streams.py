"""Texts that a stream of JSON objects spreads over many of them, put together.

A stream is lines: ``data:`` lines of server-sent events, or one object a line. What stands at the
same place of one object after the other (and under the same ``index``) is one text. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

__all__ = ["Joined", "joined_texts"]

#: A text, and (start in it, start and end in the bytes) of each object that gave a piece of it.
Joined = tuple[bytes, list[tuple[int, int, int]]]

_LINE: Final = re.compile(rb"(?:^|[\r\n])(?:data:[ ]?)?(\{[^\r\n]*\})(?=[\r\n]|$)")
_DEPTH_MAX: Final = 32
_DECODER: Final = msgspec.json.Decoder()


def joined_texts(data: bytes) -> Iterator[Joined]:
    """Yield the texts that at least two objects of a stream share; nothing if it is no stream."""
    if not (data[:1] == b"{" or b"data:" in data) or b"\n" not in data:
        return
    texts: dict[tuple[str, ...], tuple[list[bytes], list[tuple[int, int, int]], int]] = {}
    for match in _LINE.finditer(data):
        try:
            value = _DECODER.decode(match.group(1))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            continue
        for place, text in _leaves(value, (), _DEPTH_MAX):
            piece = text.encode("utf-8", "replace")
            pieces, spans, size = texts.get(place, ([], [], 0))
            pieces.append(piece)
            spans.append((size, *match.span(1)))
            texts[place] = pieces, spans, size + len(piece)
    for pieces, spans, _ in texts.values():
        if len(pieces) > 1:
            yield b"".join(pieces), spans


def _leaves(
    value: object, place: tuple[str, ...], depth: int
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the place and the text of each string in a value that is not empty."""
    if isinstance(value, str):
        if value:
            yield place, value
    elif depth and isinstance(value, dict):
        numbers = [f"{key}={n}" for key, n in value.items() if key.endswith("index")]
        for key, item in value.items():
            yield from _leaves(item, (*place, *numbers, key), depth - 1)
    elif depth and isinstance(value, list):
        for n, item in enumerate(value):
            yield from _leaves(item, (*place, str(n)), depth - 1)
