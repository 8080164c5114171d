"""What every store demands of records handed to it: that they follow what is there.

The one invariant: positions and part ordinals of a log run from 0 without gaps or repeats, so a
store may find a record by counting. Knows no file.
"""

from __future__ import annotations

from collections.abc import Sequence

from replay.errors import LogError
from replay.events.entry import Entry

__all__ = ["batch_size_bytes", "check_batch", "entry_size_bytes"]


def check_batch(entries: Sequence[Entry], *, records: int, parts: int) -> int:
    """Check that records continue a log, and return its number of parts afterwards.

    Args:
        entries: records about to be appended.
        records: number of records in the log.
        parts: number of parts in the log.

    Raises:
        LogError: a record or a part is out of order, or a part comes without its bytes.
    """
    for seq, entry in enumerate(entries, records):
        if entry.header.seq != seq:
            raise LogError(
                f"record {entry.header.seq} was handed over where record {seq} comes next",
                where=f"event {seq}",
            )
        for part in entry.brought:
            if part.ordinal != parts:
                raise LogError(
                    f"part {part.ordinal} was handed over where part {parts} comes next",
                    where=f"event {seq}",
                )
            if part.data is None and part.state == "present":
                raise LogError(f"part {parts} comes without its bytes", where=f"event {seq}")
            parts += 1
    return parts


def entry_size_bytes(entry: Entry) -> int:
    """Return how many bytes a record brings: its header and its new parts."""
    size = len(entry.raw)
    for part in entry.brought:
        size += part.size
    return size


def batch_size_bytes(entries: Sequence[Entry]) -> int:
    """Return how many bytes several records bring."""
    return sum(map(entry_size_bytes, entries))
