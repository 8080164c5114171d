"""Statements in a bundle: bytes that somebody said about the run, each under its media type.

The one invariant: statements are a set. They stand in ascending order of their frames, so none
stands twice and who adds two in either order makes the same bundle. Nothing here looks into one:
the bundle's identity binds them, the run's root does not, and a type that is not known is counted.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from replay.bundle.frames import Cursor
from replay.errors import BundleError

__all__ = [
    "DSSE_ENVELOPE",
    "MEDIA_TYPES",
    "SIGSTORE_BUNDLE",
    "TIME_STAMP",
    "Statement",
    "iter_statements",
    "statement_frames",
]

DSSE_ENVELOPE: Final = "application/vnd.dsse.envelope.v1+json"
"""A DSSE envelope, such as one around an in-toto statement."""

SIGSTORE_BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
"""A Sigstore bundle."""

TIME_STAMP: Final = "application/timestamp-reply"
"""An RFC 3161 time-stamp response over the SHA-256 of the checkpoint's three lines."""

MEDIA_TYPES: Final = frozenset({DSSE_ENVELOPE, SIGSTORE_BUNDLE, TIME_STAMP})
"""The media types that this version knows; others are counted as unknown."""

_U32: Final = struct.Struct("<I")
_MEDIA_TYPE: Final = re.compile(rb"[a-z0-9][a-z0-9.+_-]{0,62}/[a-z0-9][a-z0-9.+_-]{0,62}")


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody said about the run; opaque here.

    Attributes:
        media_type: what the bytes are; lower case, without parameters.
        data: the exact bytes, at least one.
    """

    media_type: str
    data: bytes

    @property
    def known(self) -> bool:
        """Whether this version knows the media type."""
        return self.media_type in MEDIA_TYPES


def statement_frames(statements: Iterable[Statement]) -> list[bytes]:
    """Return the frames of statements in the order of a bundle, each once.

    Raises:
        BundleError: a media type is not of the form, or a statement is empty.
    """
    return sorted({_frame(statement) for statement in statements})


def _frame(statement: Statement) -> bytes:
    name = statement.media_type.encode()
    if _MEDIA_TYPE.fullmatch(name) is None or not statement.data:
        raise BundleError("statement without a media type or bytes", member="statements")
    return bytes((len(name),)) + name + _U32.pack(len(statement.data)) + statement.data


def iter_statements(plains: Iterable[tuple[bytes, str, int]]) -> Iterator[Statement]:
    """Yield the statements of members, in order.

    Args:
        plains: plaintext, name and number of frames of each member, in order.

    Raises:
        BundleError: a frame is malformed, repeated or out of order.
    """
    before = b""
    for plain, member, count in plains:
        cursor = Cursor(plain, member)
        for _ in range(count):
            start = cursor.at
            name = cursor.take(cursor.take(1)[0])
            data = cursor.take(cursor.u32())
            if _MEDIA_TYPE.fullmatch(name) is None or not data:
                raise BundleError("statement without a media type or bytes", member=member)
            frame = plain[start : cursor.at]
            if frame <= before:
                raise BundleError("statement is repeated or out of order", member=member)
            before = frame
            yield Statement(media_type=name.decode(), data=data)
        cursor.finish()
