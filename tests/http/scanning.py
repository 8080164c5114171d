"""Looks for a key in bytes, in every spelling; used only after it has found a planted one."""

from __future__ import annotations

import base64
import functools
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from replay.bundle.writer import write_bundle
from replay.events.payload import decode_payload
from replay.log.duckdb_store import DuckDBStore
from replay.log.fsck import check
from replay.tree.note import Checkpoint

#: So many characters of a key in a row are no accident.
WINDOW = 8


@functools.cache
def needles(key: str, public: int) -> frozenset[bytes]:
    """Every window of the key beyond its public prefix, in every spelling."""
    starts = range(public, len(key) - WINDOW + 1)
    return frozenset().union(*(spellings_of(key[at : at + WINDOW]) for at in starts))


def spellings_of(window: str) -> set[bytes]:
    """All the ways to write a few characters."""
    data = window.encode()
    return {
        data,
        data.hex().encode(),
        data.hex().upper().encode(),
        "".join(f"%{ord(letter):02X}" for letter in window).encode(),
        "".join(f"%{ord(letter):02x}" for letter in window).encode(),
        "".join(f"\\u{ord(letter):04x}" for letter in window).encode(),
        # Six of them make whole base64 groups, whichever of three begins a group.
        *(base64.b64encode(data[shift : shift + 6]) for shift in range(3)),
    }


def hits(data: bytes, key: str, public: int = 0) -> list[bytes]:
    return [needle for needle in needles(key, public) if needle in data]


def log_bytes(directory: str) -> Iterator[tuple[str, bytes]]:
    """All that a log holds, by name: headers, parts, places, and its records as a dump."""
    store = DuckDBStore.open(Path(directory), read_only=True)
    known: dict[int, bytes] = {}
    for entry in store.entries():
        seq = f"{entry.header.seq} {entry.header.kind}"
        yield f"header {seq}", entry.raw
        yield f"place {seq}", (entry.place or "").encode()
        for part in entry.brought:
            known[part.ordinal] = part.data or b""
            yield f"part {seq}", part.data or b""
        whole = b"".join(known[ordinal] for ordinal in entry.parts)
        payload, body = decode_payload(entry.header.media, whole)
        yield f"dump {seq}", msgspec.json.encode([payload, body.decode("latin-1")])
    store.close()
    workspace = Path(directory).parents[1] / "workspace.log"
    yield "workspace log", workspace.read_bytes()


def bundle_bytes(directory: str, target: Path) -> Iterator[tuple[str, bytes]]:
    """All that a bundle of a run holds, by name and decompressed."""
    store = DuckDBStore.open(Path(directory), read_only=True)
    checked = check(store)
    checkpoint = Checkpoint(
        origin=f"ritornello/run/{checked.run}",
        size=checked.events,
        root=bytes.fromhex(checked.root),
    )
    write_bundle(store, target, checkpoint=checkpoint, sealed=True, engine="test")
    store.close()
    with zipfile.ZipFile(target) as members:
        for name in members.namelist():
            yield f"member {name}", members.read(name)
    yield "bundle", target.read_bytes()
