"""Makes a recording in which something else came from outside: consistent, sealed, and not true."""

from __future__ import annotations

from pathlib import Path

import msgspec

from replay.events.digest import part_commitment, payload_commitment
from replay.events.header import encode_header
from replay.log.duckdb_store import DuckDBStore


def change_word(source: str, target: Path, kind: str, word: bytes, other: bytes) -> int:
    """Copy a run with one word changed in the first record of a kind that has it; return its seq.

    Both words have one length. Every commitment is made anew, so the copy is as good as any log.
    """
    assert len(word) == len(other)
    reader = DuckDBStore.open(Path(source), read_only=True)
    entries = list(reader.entries())
    reader.close()
    listed: dict[int, tuple[int, bytes]] = {}
    changed: int | None = None
    forged = []
    for entry in entries:
        brought = []
        for part in entry.brought:
            data = part.data or b""
            if changed is None and entry.header.kind == kind and word in data:
                data = data.replace(word, other, 1)
                changed = entry.header.seq
                commitment = part_commitment(part.salt, data)
                part = msgspec.structs.replace(part, data=data, commitment=commitment)
            listed[part.ordinal] = (part.size, part.commitment)
            brought.append(part)
        commitment_hex = payload_commitment(listed[ordinal] for ordinal in entry.parts)
        header = msgspec.structs.replace(entry.header, commitment=commitment_hex)
        forged.append(
            msgspec.structs.replace(
                entry, header=header, raw=encode_header(header), brought=tuple(brought)
            )
        )
    assert changed is not None, f"{word!r} stands in no {kind}"
    target.mkdir(parents=True)
    store = DuckDBStore.create(target)
    store.append(forged)
    store.close()
    return changed
