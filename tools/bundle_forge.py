"""A forger of bundles: takes apart and puts together what the engine's writer would never write.

Guards one invariant: what comes out depends on nothing but this code. Compressed streams are made
by hand, so that another zlib makes the same bytes. It must not use the engine's bundle room: it
shares the format with it, not the code.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

__all__ = [
    "GUARD",
    "Raw",
    "canonical",
    "deflated",
    "listed",
    "manifest_of",
    "raws",
    "repeated",
    "with_manifest",
    "zipped",
]

GUARD = "zip.sha256"
_LONGEST = 258


@dataclass(frozen=True)
class Raw:
    """One zip member with every field that a zip has; None means: as it should be."""

    name: bytes
    plain: bytes
    method: int = 0
    packed: bytes | None = None
    crc: int | None = None
    packed_size: int | None = None
    length: int | None = None
    flags: int = 0
    extra: bytes = b""
    mode: int = 0o100600 << 16
    offset: int | None = None
    local: Mapping[str, int] = field(default_factory=dict)

    def but(self, **changes: object) -> Raw:
        """The same member with other fields."""
        return replace(self, **changes)  # type: ignore[arg-type]


def raws(members: Mapping[str, bytes]) -> list[Raw]:
    """Members in order of their names, stored, without the guard."""
    return [Raw(name.encode(), members[name]) for name in sorted(members)]


def zipped(
    items: Sequence[Raw], *, guard: bytes | None = None, guarded: bool = True, gap: bytes = b""
) -> bytes:
    """A zip of members with a fitting guard.

    Args:
        items: the members.
        guard: other bytes for the guard.
        guarded: whether there is a guard at all.
        gap: bytes between the last member and the central directory.
    """
    out = bytearray()
    directory = b""
    digests = b""
    for item in [*items, None] if guarded else items:
        raw = item or Raw(GUARD.encode(), digests if guard is None else guard)
        packed = raw.plain if raw.packed is None else raw.packed
        fields = {
            "flags": raw.flags,
            "method": raw.method,
            "crc": zlib.crc32(raw.plain) if raw.crc is None else raw.crc,
            "packed": len(packed) if raw.packed_size is None else raw.packed_size,
            "length": len(raw.plain) if raw.length is None else raw.length,
        }
        offset = len(out) if raw.offset is None else raw.offset
        start = _local(raw, {**fields, **raw.local})
        out += start + packed
        digests += hashlib.sha256(start + packed).digest()
        directory += _central(raw, fields, offset)
    out += gap
    count = len(items) + guarded
    end = (b"PK\x05\x06", 0, 0, count, count, len(directory), len(out), 0)
    return bytes(out) + directory + struct.pack("<4s4H2IH", *end)


def _local(raw: Raw, fields: Mapping[str, int]) -> bytes:
    sizes = (fields["crc"], fields["packed"], fields["length"], len(raw.name), len(raw.extra))
    fixed = (b"PK\x03\x04", 20, fields["flags"], fields["method"], 0, 33)
    return struct.pack("<4s5H3I2H", *fixed, *sizes) + raw.name + raw.extra


def _central(raw: Raw, fields: Mapping[str, int], offset: int) -> bytes:
    fixed = (b"PK\x01\x02", 0x314, 20, fields["flags"], fields["method"], 0, 33)
    sizes = (fields["crc"], fields["packed"], fields["length"], len(raw.name), len(raw.extra))
    rest = (0, 0, 0, raw.mode, offset)
    return struct.pack("<4s6H3I5H2I", *fixed, *sizes, *rest) + raw.name + raw.extra


def canonical(value: object) -> bytes:
    """Canonical JSON, on the domain where that is easy."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def listed(name: str, plain: bytes) -> dict[str, object]:
    """A member as a manifest lists it."""
    kind = "checkpoint" if name == "checkpoint.note" else name.partition("/")[0]
    digest = hashlib.sha256(plain).hexdigest()
    return {"digest": digest, "kind": kind, "length": len(plain), "name": name}


def manifest_of(members: Mapping[str, bytes]) -> dict[str, object]:
    """The fields of the manifest among members."""
    fields: dict[str, object] = json.loads(members["manifest.json"])
    return fields


def with_manifest(members: Mapping[str, bytes], **fields: object) -> dict[str, bytes]:
    """Members with a manifest that lists them as they are, and with other fields if wanted."""
    named = sorted(name for name in members if name not in {"manifest.json", GUARD})
    now = {"members": [listed(name, members[name]) for name in named]}
    return {**members, "manifest.json": canonical(manifest_of(members) | now | fields)}


def repeated(byte: int, count: int) -> tuple[int, int]:
    """So many equal bytes, for :func:`deflated`."""
    return byte, count


def deflated(*pieces: bytes | tuple[int, int]) -> bytes:
    """A raw DEFLATE stream: one block of fixed codes, literals and runs (RFC 1951, 3.2.6)."""
    bits = ["110"]  # last block; fixed codes, lowest bit first
    for piece in pieces:
        literals, runs = piece, 0
        if isinstance(piece, tuple):
            byte, count = piece
            runs, rest = divmod(count - 1, _LONGEST)
            literals = bytes((byte,)) * (rest + 1)
        bits += [_literal(byte) for byte in literals]
        bits += ["11000101" + "00000"] * runs  # length 258, distance 1
    bits.append("0000000")
    stream = "".join(bits)
    stream += "0" * (-len(stream) % 8)
    return bytes(int(stream[at : at + 8][::-1], 2) for at in range(0, len(stream), 8))


def _literal(byte: int) -> str:
    return f"{0x30 + byte:08b}" if byte < 144 else f"{0x190 + byte - 144:09b}"
