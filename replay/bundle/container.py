"""The zip as a whole: every byte belongs to a member or to the directory, and is checked.

The one invariant: from offset 0 local headers and compressed bytes follow one another without a
gap, then the central directory, then the end record, then nothing; all but the compressed bytes
are what :mod:`replay.bundle.layout` builds, and those have the digest that the guard lists. So a
file that opens has no byte that could be another one, also where DEFLATE has several spellings.
"""

from __future__ import annotations

import os
import stat
import zlib
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final, Self

from replay.bundle.layout import (
    CENTRAL_SIZE,
    DEFLATED,
    END_SIZE,
    GUARD_NAME,
    STORED,
    Slot,
    central_entry,
    end_record,
    local_header,
    parse_central,
    parse_end,
)
from replay.bundle.limits import (
    EXPANSION_MAX,
    FILE_SIZE_MAX,
    FRAME_SIZE_MAX,
    MEMBERS_MAX,
    NAME_LENGTH_MAX,
    PACKED_OVERHEAD,
)
from replay.bundle.manifest import check_name
from replay.errors import BundleError

__all__ = ["Container"]

_DIGEST_SIZE: Final = 32
_OPEN_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_DIRECTORY: Final = "central directory"


class Container:
    """An opened bundle file whose structure holds. One thread at a time.

    Attributes:
        slots: all members but the guard, by name, ascending.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        listed = _read_directory(file, size)
        guard = listed.pop()
        self.slots: dict[str, Slot] = {slot.name: slot for slot in listed}
        self._guards = self._read_guard(guard)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a file and check its structure; the members' bytes are checked when read.

        Raises:
            BundleError: the file is not in the fixed form; names the member or the structure.
            OSError: the file cannot be opened.
        """
        # Not to hang on a FIFO: open without blocking, then ask what was opened.
        descriptor = os.open(path, _OPEN_FLAGS)
        file = os.fdopen(descriptor, "rb")
        try:
            return cls(file, _size_of(descriptor))
        except BaseException:
            file.close()
            raise

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        self._file.close()

    def read(self, name: str) -> bytes:
        """Read a member's plaintext; memory is bounded by its stated, limited length.

        Raises:
            BundleError: the bytes are not those that were written, or there is no such member.
        """
        slot = self.slots.get(name)
        if slot is None:
            raise BundleError("not in the file", member=name)
        packed, digest = self._packed(slot)
        plain = _inflate(slot, packed)
        # Last, so that damage that shows in the plaintext is not put down to the container.
        if digest != self._guards[name]:
            raise BundleError("compressed bytes are not those that were written", member=name)
        return plain

    def _packed(self, slot: Slot) -> tuple[bytes, bytes]:
        """Read a member's compressed bytes and digest them with the local header."""
        start = slot.end - slot.packed
        packed = _read_at(self._file, start, slot.packed, slot.name)
        return packed, sha256(local_header(slot) + packed).digest()

    def _read_guard(self, guard: Slot) -> dict[str, bytes]:
        expected = _DIGEST_SIZE * len(self.slots)
        if guard.method != STORED or guard.length != expected:
            raise BundleError("does not list the members before it", member=GUARD_NAME)
        raw = _inflate(guard, self._packed(guard)[0])
        return {
            name: raw[at : at + _DIGEST_SIZE]
            for name, at in zip(self.slots, range(0, expected, _DIGEST_SIZE), strict=True)
        }


def _size_of(descriptor: int) -> int:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise BundleError("not a regular file", member="file")
    return status.st_size


def _read_directory(file: BinaryIO, size: int) -> list[Slot]:
    """Check end record, central directory and local headers; return all members in order."""
    if not END_SIZE <= size <= FILE_SIZE_MAX:
        raise BundleError(f"file of {size} bytes cannot be a bundle", member="file")
    end = _read_at(file, size - END_SIZE, END_SIZE, "end record")
    count, length, offset = parse_end(end)
    if end != end_record(count, length, offset):
        raise BundleError("not in the fixed form", member="end record")
    if offset + length + END_SIZE != size:
        raise BundleError("does not stand right behind its directory", member="end record")
    if not 2 <= count <= MEMBERS_MAX + 2:
        raise BundleError(f"{count} members are none or over the limit", member="end record")
    if length > count * (CENTRAL_SIZE + NAME_LENGTH_MAX):
        raise BundleError(f"{length} bytes are over the limit", member=_DIRECTORY)
    slots = _parse_directory(_read_at(file, offset, length, _DIRECTORY), count)
    position = 0
    for slot in slots:
        if slot.offset != position or slot.end > offset:
            raise BundleError("members overlap or leave a gap", member=slot.name)
        expected = local_header(slot)
        if _read_at(file, position, len(expected), slot.name) != expected:
            raise BundleError("local header differs from the central directory", member=slot.name)
        position = slot.end
    if position != offset:
        raise BundleError("does not follow the last member", member=_DIRECTORY)
    return slots


def _parse_directory(raw: bytes, count: int) -> list[Slot]:
    slots: list[Slot] = []
    before = ""
    position = 0
    for _ in range(count):
        try:
            found = parse_central(raw, position)
        except UnicodeDecodeError:
            raise BundleError("a member's name is not ASCII", member=_DIRECTORY) from None
        if found is None:
            raise BundleError("cut short", member=_DIRECTORY)
        slot, entry = found
        if slot.name != GUARD_NAME:
            check_name(slot.name)
        if entry != central_entry(slot):
            raise BundleError("entry is not in the fixed form", member=slot.name)
        if slot.name <= before:
            raise BundleError("member is repeated or out of order", member=slot.name)
        _check_sizes(slot)
        before = slot.name
        position += len(entry)
        slots.append(slot)
    if position != len(raw):
        raise BundleError("longer than its entries", member=_DIRECTORY)
    if before != GUARD_NAME:
        raise BundleError("not the last member", member=GUARD_NAME)
    return slots


def _check_sizes(slot: Slot) -> None:
    """Bound what reading the member will take, before anything is read."""
    if slot.method not in {STORED, DEFLATED}:
        raise BundleError(f"compression method {slot.method} is not known", member=slot.name)
    if slot.length > FRAME_SIZE_MAX:
        raise BundleError(f"{slot.length} bytes are over the limit", member=slot.name)
    if slot.method == STORED and slot.packed != slot.length:
        raise BundleError("stored with another length than its own", member=slot.name)
    if slot.packed > slot.length + (slot.length >> 10) + PACKED_OVERHEAD:
        raise BundleError("compressed bytes are longer than they can be", member=slot.name)
    if slot.length > slot.packed * EXPANSION_MAX:
        raise BundleError("expands by more than the limit", member=slot.name)


def _inflate(slot: Slot, packed: bytes) -> bytes:
    """Return the plaintext; asks for one byte more than stated, so that a lie shows."""
    plain = packed
    if slot.method == DEFLATED:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            plain = inflater.decompress(packed, slot.length + 1)
        except zlib.error as error:
            raise BundleError(f"cannot be decompressed: {error}", member=slot.name) from None
        if not inflater.eof or inflater.unused_data or inflater.unconsumed_tail:
            raise BundleError("compressed bytes do not end where they should", member=slot.name)
    if len(plain) != slot.length:
        raise BundleError("has another length than stated", member=slot.name)
    if zlib.crc32(plain) != slot.crc:
        raise BundleError("does not match its checksum", member=slot.name)
    return plain


def _read_at(file: BinaryIO, offset: int, length: int, member: str) -> bytes:
    file.seek(offset)
    raw = file.read(length)
    if len(raw) != length:
        raise BundleError("file was cut short while it was read", member=member)
    return raw
