"""Bytes as they read once decoded, and where in the bytes each piece of that came from.

The one invariant: whatever is found in a view is traced to the range of the given bytes that holds
it, never to less. Escapes of JSON, percent signs, base64, gzip and zip members are undone, streams
of JSON (server-sent events, one object a line) are put together by the place that each text has in
its object. No vendor's format is known here, and what an encoding hides beyond these is not seen.

Complexity: linear in the bytes for each kind of encoding and depth; what comes out is bounded.
"""

from __future__ import annotations

import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from replay.erasure.event_streams import joined_texts
from replay.erasure.packed import inflated, size_in_words

__all__ = ["VIEW_BYTES_MAX", "View", "unescaped", "views_of"]

#: Bytes that the decodings of one piece of data may come to, all together.
VIEW_BYTES_MAX: Final = 128 << 20
_DEPTH_MAX: Final = 5

#: Of JSON, and the bytes of Python's `repr`.
_ESCAPE: Final = re.compile(
    rb'\\(?:u[0-9a-fA-F]{4}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2})?|x[0-9a-fA-F]{2}|["\\/bfnrt])'
)
_SHORT: Final = {b'"': b'"', b"\\": b"\\", b"/": b"/", b"b": b"\b", b"f": b"\f"} | {
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
}
_PERCENT: Final = re.compile(rb"%[0-9a-fA-F]{2}|\+")
_BASE64: Final = re.compile(
    rb"[A-Za-z0-9+/]{12,}(?:\r?\n[ \t]{0,16}[A-Za-z0-9+/]{12,})*"
    rb"(?:\r?\n[ \t]{0,16}[A-Za-z0-9+/]{1,11})?={0,2}"
)
_BASE64_URL: Final = re.compile(rb"[A-Za-z0-9_-]{12,}={0,2}")
_LINE_ENDS: Final = re.compile(rb"\r?\n[ \t]*")
#: Of a run that is as long at most, what stands before the base64 (a path's `/`) may be part.
_SHIFTED_MAX: Final = 4096
_WORD_MAX: Final = 32
_NAMED_WITH: Final = b"-_/"
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
#: Between pieces that do not belong together; no text has it.
_GAP: Final = b"\0"


class View:
    """Decoded bytes.

    Args:
        data: what the bytes read as.
        how: the decodings on the way here, such as ``json``.
        parent: the view that it was decoded from, None for the given bytes themselves.
        pieces: (start in ``data``, start and end in the parent's data, whether byte stands for
            byte), ascending.
    """

    __slots__ = ("_parent", "_pieces", "_starts", "data", "how")

    def __init__(
        self,
        data: bytes,
        how: tuple[str, ...] = (),
        parent: View | None = None,
        pieces: list[tuple[int, int, int, bool]] | None = None,
    ) -> None:
        self.data = data
        self.how = how
        self._parent = parent
        self._pieces = pieces or []
        self._starts = [piece[0] for piece in self._pieces]

    def source(self, start: int, stop: int) -> tuple[int, int]:
        """Return the range of the given bytes that [start, stop) of this view came from."""
        if self._parent is None or start >= stop:
            return start, stop
        at, first, last, linear = self._piece(start)
        begin = first + start - at if linear else first
        at, first, last, linear = self._piece(stop - 1)
        end = first + stop - at if linear else last
        return self._parent.source(begin, end)

    def target(self, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return the ranges of this view that came, at least in part, from some of the bytes."""
        if self._parent is None:
            return list(ranges)
        found: dict[tuple[int, int], None] = {}
        for start, stop in self._parent.target(ranges):
            for n, (at, first, last, linear) in enumerate(self._pieces):
                if first >= stop or last <= start:
                    continue
                after = self._starts[n + 1] if n + 1 < len(self._starts) else len(self.data)
                if linear:
                    found[at + max(start - first, 0), min(after, at + stop - first)] = None
                else:
                    found[at, after] = None
        return _merged(sorted(found))

    def _piece(self, position: int) -> tuple[int, int, int, bool]:
        return self._pieces[bisect_right(self._starts, position) - 1]


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Put ranges together that touch."""
    merged: list[tuple[int, int]] = []
    for start, stop in ranges:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def _ignored(_why: str) -> None:
    """Take no notice of a limit."""


def views_of(
    data: bytes,
    size_max: int = VIEW_BYTES_MAX,
    *,
    stopped: Callable[[str], None] = _ignored,
    goes_on: bool = False,
) -> Iterator[View]:
    """Yield the bytes themselves and every decoding of them, and of those in turn.

    Args:
        data: any bytes.
        size_max: bytes that all decodings may come to; what is beyond is not decoded.
        stopped: told in words whenever a limit kept something from being decoded.
        goes_on: the bytes are only the beginning of what belongs together.
    """
    left = size_max
    pending = [View(data)]
    while pending:
        view = pending.pop()
        yield view
        if len(view.how) == _DEPTH_MAX:
            if any(True for _ in inflated(view.data, 1, _ignored, goes_on=False)):
                stopped(f"what is packed more than {_DEPTH_MAX} times")
            continue
        for found in _decodings(view, left, stopped, goes_on=goes_on):
            left -= len(found.data)
            if left < 0:
                stopped(f"what decodes to more than {size_in_words(size_max)} together")
                return
            pending.append(found)


def _decodings(
    view: View, left: int, stopped: Callable[[str], None], *, goes_on: bool
) -> Iterator[View]:
    """Yield what a view reads as, one decoding further."""
    data, last = view.data, view.how[-1] if view.how else ""
    if b"\\" in data:
        yield from _replaced(view, "json", _ESCAPE, _unescaped)
    if b"%" in data and last != "percent":
        yield from _replaced(view, "percent", _PERCENT, _unquoted)
    yield from _base64(view)
    for how, start, stop, content in inflated(data, left, stopped, goes_on=goes_on):
        yield View(content, (*view.how, how), view, [(0, start, stop, False)])
    if last != "stream":
        for text, spans in joined_texts(data):
            pieces = [(at, first, end, False) for at, first, end in spans]
            yield View(text, (*view.how, "stream"), view, pieces)


def _replaced(
    view: View, how: str, pattern: re.Pattern[bytes], meaning: Callable[[bytes], bytes]
) -> Iterator[View]:
    """Yield the view with each match of a pattern replaced by what it stands for."""
    data = view.data
    out: list[bytes] = []
    pieces: list[tuple[int, int, int, bool]] = []
    at = position = 0
    for match in pattern.finditer(data):
        start, stop = match.span()
        if start > position:
            out.append(data[position:start])
            pieces.append((at, position, start, True))
            at += start - position
        spelled = meaning(match.group())
        out.append(spelled)
        pieces.append((at, start, stop, False))
        at += len(spelled)
        position = stop
    if not out:
        return
    if position < len(data):
        out.append(data[position:])
        pieces.append((at, position, len(data), True))
    yield View(b"".join(out), (*view.how, how), view, pieces)


def _unescaped(escape: bytes) -> bytes:
    if escape[1:2] == b"x":
        return bytes.fromhex(escape[2:].decode())
    if escape[1:2] != b"u":
        return _SHORT[escape[1:2]]
    units = [int(escape[n : n + 4], 16) for n in range(2, len(escape), 6)]
    packed = b"".join(unit.to_bytes(2, "big") for unit in units)
    return packed.decode("utf-16-be", "replace").encode()


def unescaped(literal: bytes) -> bytes:
    """Return what stands in a JSON string, given without its quotation marks."""
    return _ESCAPE.sub(lambda match: _unescaped(match.group()), literal)


def _unquoted(escape: bytes) -> bytes:
    return b" " if escape == b"+" else bytes((int(escape[1:], 16),))


def _base64(view: View) -> Iterator[View]:
    """Yield one view with what every run of base64 stands for."""
    out: list[bytes] = []
    pieces: list[tuple[int, int, int, bool]] = []
    at = 0
    for pattern, url_safe in ((_BASE64, False), (_BASE64_URL, True)):
        for match in pattern.finditer(view.data):
            text = match.group()
            if len(text) <= _WORD_MAX and _is_word(text):
                continue
            text = _LINE_ENDS.sub(b"", text).rstrip(b"=")
            if url_safe:
                if b"-" not in text and b"_" not in text:
                    continue  # the first pattern found it
                text = text.translate(_URL_SAFE)
            shifted = url_safe or b"/" in text
            shifts = 4 if match.start() == 0 or (shifted and len(text) <= _SHIFTED_MAX) else 1
            for content in _unpacked64(text, shifts):
                out += [content, _GAP]
                pieces.append((at, *match.span(), False))
                at += len(content) + 1
    if out:
        yield View(b"".join(out), (*view.how, "base64"), view, pieces)


def _is_word(text: bytes) -> bool:
    """Whether digits of base64 are a word or a name; of text there is one in 10,000 that is."""
    return text.islower() and text.translate(None, _NAMED_WITH).isalpha()


def _unpacked64(text: bytes, shifts: int) -> Iterator[bytes]:
    """Yield what digits of base64 stand for, from each of the places at which they may begin."""
    for shift in range(shifts):
        digits = text[shift : len(text) - ((len(text) - shift) % 4 == 1)]
        try:
            yield binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))
        except binascii.Error:
            continue
