"""How fast a run is verified, as a share of what its hashes and its decoder cost alone.

Expectation before the number: a record of about 230 header bytes with one part of 300 bytes costs
1.8 us to decode and encode again, 1.1 us for its leaf and its node of the tree, 0.8 us for the part
and 0.6 us for the payload commitment, on a 2 GHz core with SHA extensions. The bare loop does just
that, with no rule checked. Target: the check keeps at least 0.7 of its rate.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from replay.events.digest import part_commitment, payload_commitment
from replay.events.entry import Entry
from replay.events.header import decode_header
from replay.log.fsck import check
from replay.log.memory import MemoryStore
from replay.tree import Frontier, event_leaf
from tests.support.recordings import Recording, effects


def bare_loop(entries: Iterable[Entry]) -> bytes:
    """Decode, encode, compare and hash; return the root."""
    frontier = Frontier()
    for entry in entries:
        header = decode_header(entry.raw)
        listed = []
        for part in entry.brought:
            if part_commitment(part.salt, part.data or b"") != part.commitment:
                raise SystemExit("the run to measure with is damaged")
            listed.append((part.size, part.commitment))
        if listed and payload_commitment(listed) != header.commitment:
            raise SystemExit("the run to measure with is damaged")
        frontier.append(event_leaf(entry.raw))
    return frontier.root()


def measure(pairs: int = 20_000, rounds: int = 7) -> None:
    """Print microseconds for each event and the ratio, each the best of several rounds."""
    store = MemoryStore()
    store.append(effects(Recording(), pairs, size=250).seal().entries)
    events = store.size()
    bare = full = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        root = bare_loop(store.entries())
        bare = min(bare, time.perf_counter() - start)
        start = time.perf_counter()
        result = check(store)
        full = min(full, time.perf_counter() - start)
        if result.integrity != "ok" or result.root != root.hex():
            raise SystemExit("the two loops disagree")
    print(f"verify: {events} events, memory store, one core")
    print(
        f"  bare loop {bare / events * 1e6:.2f} us/event, check {full / events * 1e6:.2f} us/event"
    )
    print(f"  ratio {bare / full:.2f} (target 0.70)")


if __name__ == "__main__":
    measure()
