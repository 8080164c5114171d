"""Durable appends, against writing the same bytes and flushing them.

Workload: a run's log with its head beside it. One effect is what a recording does for it: submit
the question, wait until it is durable, submit the answer, 600 bytes each. The floor is one
``write`` and ``fdatasync`` of the question's bytes to a file in the same directory, just before.
The crowd is 64 threads that each wait for every record of their own; the records were made before,
as for the one effect.

Expectation, before the number: a commit to the journal is one write and flush, so one floor, and
two hand-overs between threads of 50 us: 1.5 floors on a disk that flushes in 0.15 ms, 1.1 on one
that takes 4 ms. A crowd of 64 shares each commit: 1/64 at best, and while one commit runs the next
gathers, so about 1/32 of a commit each, and two hand-overs of the interpreter, 20 us.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from benchmarks.measuring import Figure, at_most
from benchmarks.programs import work_directory
from replay.events.entry import Entry
from replay.log.duckdb_store import DuckDBStore
from replay.log.head import head_writer
from replay.log.writer import Writer
from tests.contract.entries import Chain

__all__ = ["TINY", "figures"]

TINY = {"effects": 3, "producers": 2, "each": 2, "rounds": 1}

_RUN = "01J0000000000000000000000"


def figures(
    effects: int = 300, producers: int = 64, each: int = 20, rounds: int = 5
) -> list[Figure]:
    """Measure one durable effect, and a crowd."""
    with work_directory() as directory:
        taken, floors = _effects(directory / "one", effects)
        crowd: list[float] = []
        crowd_floors: list[float] = []
        for number in range(rounds):
            share, floor = _crowd(directory / f"crowd{number}", producers, each)
            crowd.append(share)
            crowd_floors.append(floor)
    return [
        Figure(
            what="one durable effect, in write+fdatasync of its bytes",
            unit="ms",
            samples=taken,
            bare=floors,
            ratio_target=at_most(8),
        ),
        Figure(
            what=f"{producers} producers, each durable record, in the same",
            unit="ms",
            samples=crowd,
            bare=crowd_floors,
            ratio_target=at_most(0.5),
        ),
    ]


def _effects(directory: Path, effects: int) -> tuple[list[float], list[float]]:
    store = DuckDBStore.create(directory)
    writer = Writer(store, on_commit=head_writer(directory, _RUN))
    run = Chain()
    writer.submit(run.next())
    writer.flush()
    floor = _Floor(directory)
    taken: list[float] = []
    floors: list[float] = []
    for _ in range(effects):
        asked, answered = run.next(size=600), run.next(size=600)
        floors.append(floor.ms(asked))
        begin = time.perf_counter()
        writer.submit(asked)
        _wait_durable(writer, asked.header.seq)
        writer.submit(answered)
        taken.append((time.perf_counter() - begin) * 1e3)
    floor.close()
    writer.close()
    store.close()
    return taken, floors


def _crowd(directory: Path, producers: int, each: int) -> tuple[float, float]:
    """Return milliseconds for each record of a crowd, and the median floor around it."""
    store = DuckDBStore.create(directory)
    writer = Writer(store, on_commit=head_writer(directory, _RUN))
    run = Chain()
    entries = iter([run.next(size=200) for _ in range(producers * each)])
    floor = _Floor(directory)
    lock = threading.Lock()

    def produce() -> None:
        for _ in range(each):
            with lock:
                entry = next(entries)
                writer.submit(entry)
            _wait_durable(writer, entry.header.seq)

    sample = Chain(1).next(size=200)
    floors = [floor.ms(sample) for _ in range(20)]
    threads = [threading.Thread(target=produce) for _ in range(producers)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    floors += [floor.ms(sample) for _ in range(20)]
    floor.close()
    writer.close()
    store.close()
    return seconds * 1e3 / (producers * each), sorted(floors)[len(floors) // 2]


class _Floor:
    """A file in the same directory, written and flushed."""

    def __init__(self, directory: Path) -> None:
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND
        self._descriptor = os.open(directory / "floor", flags, 0o600)

    def ms(self, entry: Entry) -> float:
        """Write a record's bytes and flush them; return the milliseconds."""
        data = entry.raw + b"".join(part.salt + (part.data or b"") for part in entry.brought)
        begin = time.perf_counter()
        os.write(self._descriptor, data)
        os.fdatasync(self._descriptor)
        return (time.perf_counter() - begin) * 1e3

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _wait_durable(writer: Writer, seq: int) -> None:
    """Wait as a gate does."""
    gate = threading.Lock()
    gate.acquire()
    writer.after(seq, gate.release)
    gate.acquire()
