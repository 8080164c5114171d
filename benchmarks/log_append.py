"""What a durable append costs, as a ratio to the disk's own price of the same bytes.

Three figures, medians of runs taken in turn so that a busy disk weighs on both sides: one effect
(ask, wait until durable, answer), the same on a store that only writes and flushes a flat file,
and 64 producers that each wait for their own record. Prints machine-independent ratios; run it as
``python -m benchmarks.log_append``.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from replay.events.entry import Entry
from replay.log.duckdb_store import DuckDBStore
from replay.log.head import head_writer
from replay.log.writer import Writer
from tests.contract.entries import Chain

EFFECTS = 300
PRODUCERS = 64
RECORDS_PER_PRODUCER = 40


def flat(entries: list[Entry]) -> bytes:
    """Return the bytes that these records are at least."""
    return b"".join(
        entry.raw + b"".join(part.salt + (part.data or b"") for part in entry.brought)
        for entry in entries
    )


def floor_s(descriptor: int, data: bytes) -> float:
    """Return the seconds that writing and flushing these bytes takes."""
    begin = time.perf_counter()
    os.write(descriptor, data)
    os.fdatasync(descriptor)
    return time.perf_counter() - begin


def wait_durable(writer: Writer, seq: int) -> None:
    """Wait as a gate does."""
    gate = threading.Lock()
    gate.acquire()
    writer.after(seq, gate.release)
    gate.acquire()


def effects(directory: Path, *, with_head: bool) -> tuple[float, float]:
    """Return median seconds of an effect and of its floor."""
    store = DuckDBStore.create(directory)
    head = head_writer(directory, "01J0000000000000000000000") if with_head else None
    writer = Writer(store, on_commit=head)
    run = Chain()
    writer.submit(run.next())
    writer.flush()
    descriptor = os.open(directory / "floor", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    taken: list[float] = []
    floors: list[float] = []
    for _ in range(EFFECTS):
        pair = [run.next(size=600), run.next(size=600)]
        floors.append(floor_s(descriptor, flat(pair)))
        begin = time.perf_counter()
        writer.submit(pair[0])
        wait_durable(writer, pair[0].header.seq)
        writer.submit(pair[1])
        taken.append(time.perf_counter() - begin)
    os.close(descriptor)
    # Without pauses between effects, when nothing is hidden behind the program's own time.
    chains = [[run.next(size=600), run.next(size=600)] for _ in range(EFFECTS)]
    begin = time.perf_counter()
    cpu = time.process_time()
    for first, second in chains:
        writer.submit(first)
        wait_durable(writer, first.header.seq)
        writer.submit(second)
    writer.flush()
    each = (time.perf_counter() - begin) / EFFECTS
    used = (time.process_time() - cpu) / EFFECTS
    writer.close()
    store.close()
    floor = statistics.median(floors)
    print(
        f"  back to back: {each * 1e3:.2f} ms = {each / floor:.1f} floors, {used * 1e3:.2f} ms CPU"
    )
    return statistics.median(taken), floor


def producers(directory: Path) -> None:
    """Print what a crowd pays for each record."""
    store = DuckDBStore.create(directory)
    commits = 0
    append = store.append

    def counted(entries: object) -> None:
        nonlocal commits
        commits += 1
        append(entries)  # type: ignore[arg-type]  # passes through what it was given

    store.append = counted  # type: ignore[method-assign]  # counts, changes nothing
    writer = Writer(store)
    run = Chain()
    lock = threading.Lock()

    def produce() -> None:
        for _ in range(RECORDS_PER_PRODUCER):
            with lock:
                entry = run.next(size=200)
                writer.submit(entry)
            wait_durable(writer, entry.header.seq)

    threads = [threading.Thread(target=produce) for _ in range(PRODUCERS)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    records = PRODUCERS * RECORDS_PER_PRODUCER
    writer.close()
    store.close()
    print(
        f"{PRODUCERS} producers: {commits / records:.3f} commits (one fdatasync each) a record, "
        f"{records / seconds:,.0f} records/s"
    )


def measure(name: str, work: Callable[[], tuple[float, float]]) -> None:
    """Print one ratio."""
    taken, floor = work()
    print(f"{name}: {taken * 1e3:.2f} ms = {taken / floor:.1f} floors of {floor * 1e3:.2f} ms")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        root = Path(name)
        measure("one effect", lambda: effects(root / "a", with_head=False))
        measure("one effect, with head", lambda: effects(root / "b", with_head=True))
        producers(root / "c")


if __name__ == "__main__":
    main()
