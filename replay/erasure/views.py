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
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from replay.erasure.event_streams import joined_texts

__all__ = ["VIEW_BYTES_MAX", "View", "unescaped", "views_of"]

#: Bytes that the decodings of one piece of data may come to, all together.
VIEW_BYTES_MAX: Final = 128 << 20
_DEPTH_MAX: Final = 5

_ESCAPE: Final = re.compile(rb'\\(?:u[0-9a-fA-F]{4}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2})?|["\\/bfnrt])')
_SHORT: Final = {b'"': b'"', b"\\": b"\\", b"/": b"/", b"b": b"\b", b"f": b"\f"} | {
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
}
_PERCENT: Final = re.compile(rb"%[0-9a-fA-F]{2}|\+")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]{20,}(?:\r?\n[A-Za-z0-9+/]{20,})*={0,2}")
_BASE64_URL: Final = re.compile(rb"[A-Za-z0-9_-]{20,}={0,2}")
_LINE_ENDS: Final = re.compile(rb"\r?\n")
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_GZIP: Final = b"\x1f\x8b\x08"
_ZIP: Final = b"PK\x03\x04"
_ZLIB: Final = (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")
_ZIP_HEAD_BYTES: Final = 30
#: Compressed members of one view that are read.
_MEMBERS_MAX: Final = 4096
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
    data: bytes, size_max: int = VIEW_BYTES_MAX, *, stopped: Callable[[str], None] = _ignored
) -> Iterator[View]:
    """Yield the bytes themselves and every decoding of them, and of those in turn.

    Args:
        data: any bytes.
        size_max: bytes that all decodings may come to; what is beyond is not decoded.
        stopped: told in words whenever a limit kept something from being decoded.
    """
    left = size_max
    pending = [View(data)]
    while pending:
        view = pending.pop()
        yield view
        if len(view.how) == _DEPTH_MAX:
            if any(True for _ in _inflated(view.data, 1, _ignored)):
                stopped(f"what is packed more than {_DEPTH_MAX} times")
            continue
        for found in _decodings(view, left, stopped):
            left -= len(found.data)
            if left < 0:
                stopped(f"what decodes to more than {_size(size_max)} together")
                return
            pending.append(found)


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count} bytes"


def _decodings(view: View, left: int, stopped: Callable[[str], None]) -> Iterator[View]:
    """Yield what a view reads as, one decoding further."""
    data, last = view.data, view.how[-1] if view.how else ""
    if b"\\" in data:
        yield from _replaced(view, "json", _ESCAPE, _unescaped)
    if b"%" in data and last != "percent":
        yield from _replaced(view, "percent", _PERCENT, _unquoted)
    yield from _base64(view)
    for how, start, stop, content in _inflated(data, left, stopped):
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
            text = _LINE_ENDS.sub(b"", match.group()).rstrip(b"=")
            if url_safe:
                if b"-" not in text and b"_" not in text:
                    continue  # the first pattern found it
                text = text.translate(_URL_SAFE)
            text = text[: len(text) - (len(text) % 4 == 1)]
            try:
                content = binascii.a2b_base64(text + b"=" * (-len(text) % 4))
            except binascii.Error:
                continue
            out += [content, _GAP]
            pieces.append((at, *match.span(), False))
            at += len(content) + 1
    if out:
        yield View(b"".join(out), (*view.how, "base64"), view, pieces)


def _inflated(
    data: bytes, size_max: int, stopped: Callable[[str], None]
) -> Iterator[tuple[str, int, int, bytes]]:
    """Yield how, range and content of everything in the bytes that is compressed in a known way."""
    if data[:2] in _ZLIB:
        yield from _inflate("deflate", data, 0, 0, zlib.MAX_WBITS, size_max, stopped)
    for start in _places(data, _GZIP, stopped):
        yield from _inflate("gzip", data, start, start, zlib.MAX_WBITS | 16, size_max, stopped)
    for start in _places(data, _ZIP, stopped):
        head = data[start : start + _ZIP_HEAD_BYTES]
        if len(head) == _ZIP_HEAD_BYTES and head[8:10] == b"\x08\x00":  # else stored as it is
            names = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
            begin = start + _ZIP_HEAD_BYTES + names
            yield from _inflate("zip", data, start, begin, -zlib.MAX_WBITS, size_max, stopped)


def _places(data: bytes, mark: bytes, stopped: Callable[[str], None]) -> Iterator[int]:
    """Yield where a mark stands, as often as anything honest has it."""
    start = -1
    for _ in range(_MEMBERS_MAX):
        start = data.find(mark, start + 1)
        if start < 0:
            return
        yield start
    if data.find(mark, start + 1) >= 0:
        stopped(f"packed members behind the first {_MEMBERS_MAX}")


def _inflate(
    how: str,
    data: bytes,
    start: int,
    begin: int,
    window_bits: int,
    size_max: int,
    stopped: Callable[[str], None],
) -> Iterator[tuple[str, int, int, bytes]]:
    inflater = zlib.decompressobj(window_bits)
    try:
        content = inflater.decompress(memoryview(data)[begin:], max(size_max, 1))
    except zlib.error:
        return
    if inflater.unconsumed_tail and not inflater.eof:
        stopped(f"a packed member behind its first {_size(len(content))}")
    if content:
        yield how, start, len(data) - len(inflater.unused_data), content
