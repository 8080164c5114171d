"""How headers, part lists, parts and workspace records lie in a member's plaintext.

The one invariant: a member is a whole number of frames, as many as its name's range says; every
length is read before the bytes it covers, and compared with what is left. All integers are
unsigned and little-endian.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from replay.errors import BundleError
from replay.events.digest import COMMITMENT_BYTES, SALT_BYTES
from replay.events.entry import Part, PartState

__all__ = [
    "WorkspaceRecord",
    "header_frame",
    "iter_headers",
    "iter_parts",
    "iter_refs",
    "iter_workspace",
    "part_frame",
    "refs_frame",
    "workspace_frame",
]

_STATES: Final[tuple[PartState, ...]] = ("present", "erased", "withheld", "missing")
_KIND: Final = re.compile(rb"[A-Za-z]{1,40}")
_U32: Final = struct.Struct("<I")
_SIZE_AND_FIRST: Final = struct.Struct("<QQ")


class WorkspaceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record of the workspace log about the run: its kind and its exact bytes."""

    kind: str
    data: bytes


def header_frame(raw: bytes) -> bytes:
    """Frame header bytes: a line. Canonical JSON has no line feed of its own."""
    return raw + b"\n"


def refs_frame(stored: bytes) -> bytes:
    """Frame a stored part list: its length, then its bytes."""
    return _U32.pack(len(stored)) + stored


def part_frame(part: Part, event: int) -> bytes:
    """Frame a part: state, salt, commitment, size, who brought it first, and data if any."""
    return b"".join(
        (
            bytes((_STATES.index(part.state), len(part.salt))),
            part.salt,
            part.commitment,
            _SIZE_AND_FIRST.pack(part.size, event),
            part.data or b"",
        )
    )


def workspace_frame(record: WorkspaceRecord) -> bytes:
    """Frame a workspace record: length and name of its kind, length and bytes.

    Raises:
        BundleError: the kind is not 1 to 40 ASCII letters.
    """
    kind = record.kind.encode()
    if _KIND.fullmatch(kind) is None:
        raise BundleError("kind of a workspace record is not 1 to 40 letters", member="workspace")
    return bytes((len(kind),)) + kind + _U32.pack(len(record.data)) + record.data


class _Cursor:
    """Takes bytes off a member's plaintext and refuses to take more than there is."""

    def __init__(self, plain: bytes, member: str) -> None:
        self.plain = plain
        self.member = member
        self.at = 0
        self.event: int | None = None

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.plain):
            raise BundleError("frame is cut short", member=self.member, event=self.event)
        piece = self.plain[self.at : end]
        self.at = end
        return piece

    def finish(self) -> None:
        if self.at != len(self.plain):
            raise BundleError("bytes are left after the last frame", member=self.member)


def iter_headers(plain: bytes, member: str, first: int, last: int) -> Iterator[tuple[int, bytes]]:
    """Yield position and header bytes of each line.

    Raises:
        BundleError: the lines are not as many as the range.
    """
    lines = plain.split(b"\n")
    if lines.pop() or len(lines) != last - first + 1:
        raise BundleError(f"holds other lines than {last - first + 1} headers", member=member)
    yield from enumerate(lines, first)


def iter_refs(plain: bytes, member: str, first: int, last: int) -> Iterator[tuple[int, bytes]]:
    """Yield position and stored part list of each frame.

    Raises:
        BundleError: a frame is cut short, or bytes are left.
    """
    cursor = _Cursor(plain, member)
    for seq in range(first, last + 1):
        cursor.event = seq
        (size,) = _U32.unpack(cursor.take(4))
        yield seq, cursor.take(size)
    cursor.finish()


def iter_parts(plain: bytes, member: str, first: int, last: int) -> Iterator[tuple[Part, int]]:
    """Yield each part with the seq of the record that is said to have brought it.

    Raises:
        BundleError: a frame is malformed or cut short, or bytes are left.
    """
    cursor = _Cursor(plain, member)
    for ordinal in range(first, last + 1):
        code, salt_size = cursor.take(2)
        if code >= len(_STATES) or salt_size not in {0, SALT_BYTES}:
            raise BundleError(f"part {ordinal} has an unknown state or salt", member=member)
        state = _STATES[code]
        if state == "erased" and salt_size:
            raise BundleError(f"part {ordinal} is erased but has a salt", member=member)
        salt = cursor.take(salt_size)
        commitment = cursor.take(COMMITMENT_BYTES)
        size, event = _SIZE_AND_FIRST.unpack(cursor.take(_SIZE_AND_FIRST.size))
        cursor.event = event
        data = cursor.take(size) if state == "present" else None
        part = Part(
            ordinal=ordinal, salt=salt, commitment=commitment, size=size, data=data, state=state
        )
        yield part, event
    cursor.finish()


def iter_workspace(plain: bytes, member: str, first: int, last: int) -> Iterator[WorkspaceRecord]:
    """Yield the workspace records.

    Raises:
        BundleError: a frame is malformed or cut short, or bytes are left.
    """
    cursor = _Cursor(plain, member)
    for ordinal in range(first, last + 1):
        kind = cursor.take(cursor.take(1)[0])
        if _KIND.fullmatch(kind) is None:
            raise BundleError(f"workspace record {ordinal} has no kind", member=member)
        (size,) = _U32.unpack(cursor.take(4))
        yield WorkspaceRecord(kind=kind.decode(), data=cursor.take(size))
    cursor.finish()
