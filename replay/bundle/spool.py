"""Gathers frames into members, compresses them, and lays them out as one deterministic zip.

The one invariant: what comes out depends on the frames and on zlib alone, not on when or in which
order the kinds were added.
"""

from __future__ import annotations

import zlib
from hashlib import sha256
from typing import BinaryIO, Final

from replay.bundle.layout import (
    DEFLATED,
    END_SIZE,
    GUARD_NAME,
    STORED,
    Slot,
    central_entry,
    end_record,
    local_header,
)
from replay.bundle.limits import (
    EXPANSION_MAX,
    FILE_SIZE_MAX,
    FRAME_SIZE_MAX,
    MEMBER_SIZE_MAX,
    MEMBERS_MAX,
)
from replay.bundle.manifest import Member, MemberKind, member_name
from replay.errors import BundleError

__all__ = ["Frames", "Spool"]

#: Fixed, so that one zlib gives one file.
_LEVEL: Final = 6
_COPY_SIZE: Final = 1 << 20


class Spool:
    """Compressed members in the order they came to be, with what the manifest says of them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._slots: list[Slot] = []
        self.listed: list[Member] = []

    def add(self, kind: MemberKind, name: str, plain: bytes) -> None:
        """Compress a member and list it."""
        if len(self.listed) == MEMBERS_MAX:
            raise BundleError(f"the run needs more than {MEMBERS_MAX} members", member=name)
        self.pack(name, plain)
        digest = sha256(plain).hexdigest()
        self.listed.append(Member(digest=digest, kind=kind, length=len(plain), name=name))

    def members(self) -> tuple[Member, ...]:
        """Return the members so far as the manifest lists them: ascending names."""
        return tuple(sorted(self.listed, key=lambda member: member.name))

    def pack(self, name: str, plain: bytes) -> None:
        """Compress a member, unless it would shrink by more than a reader allows."""
        deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = deflater.compress(plain) + deflater.flush()
        method = DEFLATED
        if len(plain) > len(packed) * EXPANSION_MAX:
            packed, method = plain, STORED
        offset = self._file.tell()
        self._file.write(packed)
        crc = zlib.crc32(plain)
        self._slots.append(Slot(name, method, crc, len(packed), len(plain), offset))

    def assemble(self, out: BinaryIO) -> None:
        """Write the zip: members in order of their names, guard, directory, end record."""
        slots: list[Slot] = []
        guard = bytearray()
        for spooled in sorted(self._slots, key=lambda slot: slot.name):
            guard += self._copy(spooled, out, slots)
        raw = bytes(guard)
        slot = Slot(GUARD_NAME, STORED, zlib.crc32(raw), len(raw), len(raw), out.tell())
        out.write(local_header(slot) + raw)
        directory = b"".join(central_entry(each) for each in [*slots, slot])
        offset = out.tell()
        if offset + len(directory) > FILE_SIZE_MAX - END_SIZE:
            raise BundleError("the run needs more than 4 GiB", member="file")
        out.write(directory + end_record(len(slots) + 1, len(directory), offset))

    def _copy(self, spooled: Slot, out: BinaryIO, slots: list[Slot]) -> bytes:
        """Copy a member behind the others and return its digest for the guard."""
        if out.tell() > FILE_SIZE_MAX:
            raise BundleError("the run needs more than 4 GiB", member="file")
        slot = Slot(
            spooled.name,
            spooled.method,
            spooled.crc,
            spooled.packed,
            spooled.length,
            out.tell(),
        )
        header = local_header(slot)
        digest = sha256(header)
        out.write(header)
        self._file.seek(spooled.offset)
        left = spooled.packed
        while left:
            piece = self._file.read(min(left, _COPY_SIZE))
            if not piece:
                raise OSError("the temporary file was cut short while a bundle was written")
            digest.update(piece)
            out.write(piece)
            left -= len(piece)
        slots.append(slot)
        return digest.digest()


class Frames:
    """Gathers frames of one kind into members of at most 1 MiB; a larger frame stands alone."""

    def __init__(self, spool: Spool, kind: MemberKind) -> None:
        self._spool = spool
        self._kind: MemberKind = kind
        self._plain = bytearray()
        self._first = 0
        self._next = 0

    def push(self, frame: bytes) -> None:
        """Add the next frame."""
        if len(frame) > FRAME_SIZE_MAX:
            what = f"{self._kind} {self._next}"
            raise BundleError(f"{what}: {len(frame)} bytes are over the limit", member=self._kind)
        if self._plain and len(self._plain) + len(frame) > MEMBER_SIZE_MAX:
            self.flush()
        self._plain += frame
        self._next += 1

    def flush(self) -> None:
        """Close the member begun, if there is one."""
        if self._next > self._first:
            name = member_name(self._kind, self._first, self._next - 1)
            self._spool.add(self._kind, name, bytes(self._plain))
        self._plain = bytearray()
        self._first = self._next
