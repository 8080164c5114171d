"""Readings of the clock in a recorded run.

Workload: ``time.time()`` in a loop inside a run that records, each answered from the real clock and
put on record; the loop's own cost is in the figure.

Expectation, before the number, on a 2 GHz core: through the exchanged C definition into Python
0.3 us, three Python calls and one real clock 0.6, the reading itself 0.2, and its share of a
record of 1,024 readings (encode, hash, write: 60 bytes each) 0.2: 1.3 us.
"""

from __future__ import annotations

import time

from benchmarks.measuring import Figure, at_most, in_turn
from benchmarks.programs import work_directory
from replay.session.record import record_program

__all__ = ["TINY", "figures"]

TINY = {"readings": 100, "rounds": 1}


def figures(readings: int = 200_000, rounds: int = 7) -> list[Figure]:
    """Measure one reading, recorded and bare."""

    def program() -> float:
        read = time.time
        # In a recorded run this too is a reading: answered with the real clock. Processor time, of
        # all threads: what the reading costs the writer is in it, what other programs do is not.
        begin = time.process_time_ns()
        for _ in range(readings):
            read()
        return (time.process_time_ns() - begin) / readings / 1e3

    with work_directory() as directory:
        recorded, bare = in_turn(
            rounds,
            lambda: record_program(
                program, entry="benchmark", workspace=directory, dialects=()
            ).result(),
            program,
        )
    return [
        Figure(
            what="one clock reading in a recorded run",
            unit="us",
            samples=recorded,
            bare=bare,
            target=at_most(2),
        )
    ]
