"""How headers, part lists and parts lie in a member's plaintext.

The one invariant: a member is a whole number of frames, as many as its name's range says; every
length is read before the bytes it covers, and compared with what is left. All integers are
unsigned and little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from replay.errors import BundleError
from replay.events.digest import COMMITMENT_BYTES, SALT_BYTES
from replay.events.entry import Part, PartState

__all__ = [
    "Cursor",
    "header_frame",
    "iter_headers",
    "iter_parts",
    "iter_refs",
    "part_frame",
    "part_start",
    "refs_frame",
    "take_part",
]

_STATES: Final[tuple[PartState, ...]] = ("present", "erased", "withheld", "missing")
_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")


def header_frame(raw: bytes) -> bytes:
    """Frame header bytes: a line. Canonical JSON has no line feed of its own."""
    return raw + b"\n"


def refs_frame(stored: bytes) -> bytes:
    """Frame a stored part list: its length, then its bytes."""
    return _U32.pack(len(stored)) + stored


def part_frame(part: Part, event: int) -> bytes:
    """Frame a part: state, salt, commitment, size, who brought it first, and data if any."""
    return part_start(part) + _U64.pack(event) + (part.data or b"")


def part_start(part: Part) -> bytes:
    """Return what all frames of a part begin with: state, salt, commitment, size."""
    codes = bytes((_STATES.index(part.state), len(part.salt)))
    return codes + part.salt + part.commitment + _U64.pack(part.size)


class Cursor:
    """Takes bytes off a member's plaintext and refuses to take more than there is."""

    def __init__(self, plain: bytes, member: str) -> None:
        self.plain = plain
        self.member = member
        self.at = 0
        self.event: int | None = None

    def take(self, size: int) -> bytes:
        """Take the next bytes.

        Raises:
            BundleError: there are not so many.
        """
        end = self.at + size
        if end > len(self.plain):
            raise BundleError("frame is cut short", member=self.member, event=self.event)
        piece = self.plain[self.at : end]
        self.at = end
        return piece

    def u32(self) -> int:
        """Take a 32-bit number."""
        (number,) = _U32.unpack(self.take(4))
        return int(number)

    def u64(self) -> int:
        """Take a 64-bit number."""
        (number,) = _U64.unpack(self.take(8))
        return int(number)

    def finish(self) -> None:
        """Refuse bytes that are left.

        Raises:
            BundleError: there are some.
        """
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
    cursor = Cursor(plain, member)
    for seq in range(first, last + 1):
        cursor.event = seq
        yield seq, cursor.take(cursor.u32())
    cursor.finish()


def iter_parts(plain: bytes, member: str, first: int, last: int) -> Iterator[tuple[Part, int]]:
    """Yield each part with the seq of the record that is said to have brought it.

    Raises:
        BundleError: a frame is malformed or cut short, or bytes are left.
    """
    cursor = Cursor(plain, member)
    for ordinal in range(first, last + 1):
        state, salt, commitment, size = take_part(cursor, ordinal)
        event = cursor.u64()
        cursor.event = event
        data = cursor.take(size) if state == "present" else None
        part = Part(
            ordinal=ordinal, salt=salt, commitment=commitment, size=size, data=data, state=state
        )
        yield part, event
    cursor.finish()


def take_part(cursor: Cursor, ordinal: int) -> tuple[PartState, bytes, bytes, int]:
    """Take what all frames of a part begin with: state, salt, commitment, size.

    Raises:
        BundleError: the frame is malformed or cut short.
    """
    code, salt_size = cursor.take(2)
    if code >= len(_STATES) or salt_size not in {0, SALT_BYTES}:
        raise _refused(cursor, f"part {ordinal} has an unknown state or salt")
    state = _STATES[code]
    if state == "erased" and salt_size:
        raise _refused(cursor, f"part {ordinal} is erased but has a salt")
    salt = cursor.take(salt_size)
    commitment = cursor.take(COMMITMENT_BYTES)
    return state, salt, commitment, cursor.u64()


def _refused(cursor: Cursor, message: str) -> BundleError:
    return BundleError(message, member=cursor.member)
