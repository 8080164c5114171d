"""What a record costs in the tree, as a multiple of hashing its bytes once.

Workload: 200-byte headers, `event_leaf` and `Frontier.append` for each, against a bare SHA-256 of
the same bytes in the same loop. Expectation: the leaf is one hash, the append one more on average
(over 65 bytes), so a ratio between 2 and 4.

Run: `python -m benchmarks.tree_append`.
"""

from hashlib import sha256
from time import perf_counter_ns

from replay.tree import Frontier, event_leaf

HEADER_SIZE_BYTES = 200
RECORDS = 200_000
ROUNDS = 5


def measure() -> tuple[float, float, float]:
    """Gives nanoseconds for each record, best of the rounds: bare hash, leaf, append."""
    headers = [number.to_bytes(8) * (HEADER_SIZE_BYTES // 8) for number in range(RECORDS)]
    bare_ns, leaf_ns, append_ns = [], [], []
    for _ in range(ROUNDS):
        start = perf_counter_ns()
        for header in headers:
            sha256(header).digest()
        bare_ns.append(perf_counter_ns() - start)

        start = perf_counter_ns()
        leaves = [event_leaf(header) for header in headers]
        leaf_ns.append(perf_counter_ns() - start)

        frontier = Frontier()
        start = perf_counter_ns()
        for leaf in leaves:
            frontier.append(leaf)
        append_ns.append(perf_counter_ns() - start)
    return min(bare_ns) / RECORDS, min(leaf_ns) / RECORDS, min(append_ns) / RECORDS


def main() -> None:
    """Prints the figures and the ratio."""
    bare, leaf, append = measure()
    print(f"bare SHA-256 of {HEADER_SIZE_BYTES} B: {bare:.0f} ns")
    print(f"event_leaf: {leaf:.0f} ns")
    print(f"Frontier.append: {append:.0f} ns")
    print(f"ratio (leaf + append) / bare: {(leaf + append) / bare:.2f}")


if __name__ == "__main__":
    main()
