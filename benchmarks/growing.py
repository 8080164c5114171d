"""What a record costs in the tree, as a multiple of hashing its bytes once.

Workload: 200-byte headers, ``event_leaf`` and ``Frontier.append`` for each, against a bare SHA-256
of the same bytes in the same loop.

Expectation, before the number: the leaf is one hash, the append one more on average (over 65
bytes), so a ratio between 2 and 4.
"""

from __future__ import annotations

from hashlib import sha256

from benchmarks.measuring import Figure, in_turn, processor_seconds_of
from replay.tree import Frontier, event_leaf

__all__ = ["TINY", "figures"]

TINY = {"records": 100, "rounds": 1}

_HEADER_BYTES = 200


def figures(records: int = 100_000, rounds: int = 7) -> list[Figure]:
    """Measure leaf and append for each record."""
    headers = [number.to_bytes(8, "big") * (_HEADER_BYTES // 8) for number in range(records)]

    def grow() -> None:
        frontier = Frontier()
        for header in headers:
            frontier.append(event_leaf(header))

    def hash_only() -> None:
        for header in headers:
            sha256(header).digest()

    grown, hashed = in_turn(
        rounds, lambda: processor_seconds_of(grow), lambda: processor_seconds_of(hash_only)
    )
    return [
        Figure(
            what="one record in the tree, in hashes of its bytes",
            unit="us",
            samples=[seconds / records * 1e6 for seconds in grown],
            bare=[seconds / records * 1e6 for seconds in hashed],
        )
    ]
