"""The fixed form of the zip records that a bundle consists of.

The one invariant: name, method, checksum, sizes and offset decide every byte of a zip record, so
a reader parses those few, builds the record again and compares. No flag, date, attribute, extra
field, comment or zip64 record has room.

Source: APPNOTE.TXT 6.3.10, sections 4.3.7 (local), 4.3.12 (central), 4.3.16 (end).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

__all__ = [
    "CENTRAL_SIZE",
    "DEFLATED",
    "END_SIZE",
    "GUARD_NAME",
    "LOCAL_SIZE",
    "STORED",
    "Slot",
    "central_entry",
    "end_record",
    "local_header",
    "parse_central",
    "parse_end",
]

STORED: Final = 0
DEFLATED: Final = 8
#: The last member: for each member before it, the SHA-256 of local header and compressed bytes.
GUARD_NAME: Final = "zip.sha256"

_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_END: Final = struct.Struct("<4s4H2IH")
LOCAL_SIZE: Final = _LOCAL.size
CENTRAL_SIZE: Final = _CENTRAL.size
END_SIZE: Final = _END.size

_NEEDED: Final = 20  # "version 2.0": DEFLATE
_MADE_BY: Final = 3 << 8 | _NEEDED  # on Unix, so that the mode below is read as one
_DATE: Final = 1 << 5 | 1  # 1980-01-01, the first day that a zip can name
_MODE: Final = 0o100600 << 16  # a regular file of its owner; no link, no device


@dataclass(frozen=True, slots=True)
class Slot:
    """One member as the central directory tells it.

    Attributes:
        name: ASCII.
        method: `STORED` or `DEFLATED`.
        crc: CRC-32 of the plaintext.
        packed: bytes as they lie in the file.
        length: bytes of the plaintext.
        offset: where the local header begins.
    """

    name: str
    method: int
    crc: int
    packed: int
    length: int
    offset: int

    @property
    def end(self) -> int:
        """The offset behind the member's last byte."""
        return self.offset + LOCAL_SIZE + len(self.name) + self.packed


def local_header(slot: Slot) -> bytes:
    """Build the local header with its name."""
    name = slot.name.encode("ascii")
    sizes = (slot.crc, slot.packed, slot.length, len(name), 0)
    return _LOCAL.pack(b"PK\x03\x04", _NEEDED, 0, slot.method, 0, _DATE, *sizes) + name


def central_entry(slot: Slot) -> bytes:
    """Build the central directory's entry with its name."""
    name = slot.name.encode("ascii")
    fixed = (b"PK\x01\x02", _MADE_BY, _NEEDED, 0, slot.method, 0, _DATE)
    sizes = (slot.crc, slot.packed, slot.length, len(name), 0, 0)
    return _CENTRAL.pack(*fixed, *sizes, 0, 0, _MODE, slot.offset) + name


def end_record(count: int, size: int, offset: int) -> bytes:
    """Build the end record for a central directory of ``count`` entries and ``size`` bytes."""
    return _END.pack(b"PK\x05\x06", 0, 0, count, count, size, offset, 0)


def parse_end(raw: bytes) -> tuple[int, int, int]:
    """Read count, size and offset of the central directory; the caller compares the bytes."""
    fields = _END.unpack(raw)
    return int(fields[4]), int(fields[5]), int(fields[6])


def parse_central(raw: bytes, at: int) -> tuple[Slot, bytes] | None:
    """Read an entry's deciding fields and its bytes, or None if they run out.

    Raises:
        UnicodeDecodeError: the name is not ASCII.
    """
    if at + CENTRAL_SIZE > len(raw):
        return None
    fields = _CENTRAL.unpack_from(raw, at)
    end = at + CENTRAL_SIZE + int(fields[10])
    if end > len(raw):
        return None
    slot = Slot(
        name=raw[at + CENTRAL_SIZE : end].decode("ascii"),
        method=int(fields[4]),
        crc=int(fields[7]),
        packed=int(fields[8]),
        length=int(fields[9]),
        offset=int(fields[16]),
    )
    return slot, raw[at:end]
