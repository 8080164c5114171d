"""What is packed inside of bytes with deflate: zlib streams, gzip and zip members.

The one invariant: what a limit or the end of a piece kept from being unpacked is said. A member
that is damaged is read up to the damage.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

__all__ = ["inflated", "size_in_words"]

_GZIP: Final = b"\x1f\x8b\x08"
_ZIP: Final = b"PK\x03\x04"
_ZIP_HEAD_BYTES: Final = 30
#: RFC 1950: method 8, a window of 32 KiB at most, and a multiple of 31.
_ZLIB_HEAD_BYTES: Final = 2
_ZLIB_METHOD: Final = 8
_ZLIB_WINDOW_MAX: Final = 7
_ZLIB_CHECK: Final = 31
#: Compressed members of one view that are read.
_MEMBERS_MAX: Final = 4096
#: Packed bytes that are unpacked at once, and by how much fewer they are where one is damaged.
_FED_BYTES: Final = 1 << 16
_FED_LESS: Final = 1 << 8


def inflated(
    data: bytes, size_max: int, stopped: Callable[[str], None], *, goes_on: bool
) -> Iterator[tuple[str, int, int, bytes]]:
    """Yield how, range and content of everything in the bytes that is compressed in a known way.

    Args:
        data: any bytes.
        size_max: bytes of a member that are unpacked.
        stopped: told in words whenever a limit kept something from being unpacked.
        goes_on: the bytes are only the beginning of what belongs together.
    """
    inflate = partial(_inflate, size_max=max(size_max, 1), stopped=stopped, goes_on=goes_on)
    if _is_zlib(data[:_ZLIB_HEAD_BYTES]):
        yield from inflate("deflate", data, 0, 0, zlib.MAX_WBITS)
    for start in _places(data, _GZIP, stopped):
        yield from inflate("gzip", data, start, start, zlib.MAX_WBITS | 16)
    for start in _places(data, _ZIP, stopped):
        head = data[start : start + _ZIP_HEAD_BYTES]
        if len(head) == _ZIP_HEAD_BYTES and head[8:10] == b"\x08\x00":  # else stored as it is
            names = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
            begin = start + _ZIP_HEAD_BYTES + names
            yield from inflate("zip", data, start, begin, -zlib.MAX_WBITS)


def size_in_words(count: int) -> str:
    """Return a number of bytes as a person reads it."""
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count} bytes"


def _is_zlib(head: bytes) -> bool:
    """Whether two bytes are the head of a zlib stream."""
    return (
        len(head) == _ZLIB_HEAD_BYTES
        and head[0] & 15 == _ZLIB_METHOD
        and head[0] >> 4 <= _ZLIB_WINDOW_MAX
        and int.from_bytes(head, "big") % _ZLIB_CHECK == 0
    )


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
    *,
    size_max: int,
    stopped: Callable[[str], None],
    goes_on: bool,
) -> Iterator[tuple[str, int, int, bytes]]:
    content, stop, ended = _content(data, begin, window_bits, size_max)
    if not ended and len(content) >= size_max:
        stopped(f"a packed member behind its first {size_in_words(len(content))}")
    elif not ended and goes_on and stop == len(data):
        stopped("a packed member behind its first piece")
    if content:
        yield how, start, stop, content


def _content(data: bytes, begin: int, window_bits: int, size_max: int) -> tuple[bytes, int, bool]:
    """Unpack a member as far as it can be read and is no longer than that.

    Returns:
        What is in it, where in the data it ended, and whether that is its own end.
    """
    inflater = zlib.decompressobj(window_bits)
    packed, out, at, step = memoryview(data), bytearray(), begin, _FED_BYTES
    while at < len(data) and len(out) < size_max and not inflater.eof:
        before = inflater.copy()
        try:
            out += inflater.decompress(packed[at : at + step], size_max - len(out))
        except zlib.error:
            if step == 1:
                break
            # What came before the fault is lost with it: up to there by smaller steps.
            inflater, step = before, step // _FED_LESS
            continue
        at = min(at + step, len(data))
    return bytes(out), at - len(inflater.unused_data), inflater.eof
