"""Undoes the content-encoding of a body, within bounds.

The one invariant: no input makes more than the allowed bytes. Only what the standard library of
every supported Python can undo is read, so that a reading never depends on an optional package.
"""

from __future__ import annotations

import zlib
from typing import Final

from orchestrator.dialects.bounded_json import UnreadableError

__all__ = ["DECODED_SIZE_MAX", "decode_body"]

#: Bytes of a decoded body that are read at most.
DECODED_SIZE_MAX: Final = 64 * 1024 * 1024
_CODINGS_MAX: Final = 4
# Window bits of zlib: 15, plus 16 for a gzip wrapper, negative for no wrapper.
_GZIP: Final = 31
_ZLIB: Final = 15
_RAW: Final = -15


def decode_body(
    body: bytes, headers: tuple[tuple[str, str], ...], *, size_max: int = DECODED_SIZE_MAX
) -> bytes:
    """Return the body with every content-encoding undone, the last applied first.

    A compressed body that stops early gives what it holds; the reader of the content sees the rest
    missing. Bytes behind the end of a compressed body are ignored, as HTTP clients do.

    Raises:
        UnreadableError: An unknown coding, damaged compression, or too many bytes.
    """
    codings = [
        coding.strip().lower()
        for name, value in headers
        if name == "content-encoding"
        for coding in value.split(",")
    ]
    codings = [coding for coding in codings if coding not in {"", "identity"}]
    if len(codings) > _CODINGS_MAX:
        raise UnreadableError("content-encoding")
    for coding in reversed(codings):
        body = _undo(coding, body, size_max)
    if len(body) > size_max:
        raise UnreadableError("too-large")
    return body


def _undo(coding: str, body: bytes, size_max: int) -> bytes:
    if coding in {"gzip", "x-gzip"}:
        return _inflate(body, _GZIP, size_max)
    if coding != "deflate":
        raise UnreadableError("content-encoding")
    try:
        return _inflate(body, _ZLIB, size_max)
    except UnreadableError as error:
        if error.reason == "too-large":
            raise
        # Servers that send the bare stream under this name are common enough to have a rule.
        return _inflate(body, _RAW, size_max)


def _inflate(body: bytes, window_bits: int, size_max: int) -> bytes:
    inflater = zlib.decompressobj(window_bits)
    try:
        content = inflater.decompress(body, size_max + 1)
    except zlib.error:
        raise UnreadableError("content-encoding") from None
    if len(content) > size_max:
        raise UnreadableError("too-large")
    return content
