"""How time and memory grow with the length of a run.

Workload: a program of 50 tasks that await effects of 300 bytes: two records an effect. Each verb
runs in a process of its own at each length: ``record``, ``replay``, ``verify``, ``read`` (every
record with its payload, as ``events`` does), ``show`` (status and spend), and ``bare``, the program
on stock asyncio. Time is processor time of all threads, without the start of the interpreter.
Memory is the peak of the process less the peak of the bare program of that length. As a script it
is such a process.

Expectation, before the number: every step looks at a fixed number of things, so an exponent of 1.
What is kept: the table of the last parts (at most 131,072 of them, 180 bytes each: 24 MB), the
batch in flight, DuckDB's buffers (which fill up to their limit), so flat from 100,000 records on.
"""

from __future__ import annotations

import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Figure, at_most
from benchmarks.programs import PAYLOADS, awaiting, work_directory
from orchestrator.cli.reading.records import iter_events
from replay.log.duckdb_store import DuckDBStore
from replay.log.fsck import check
from replay.projections.fold import Record, fold
from replay.projections.spend import Spend
from replay.projections.status import Status
from replay.session.record import record_program
from replay.session.replay import replay_log

__all__ = ["LARGE", "TINY", "figures"]

TINY = {"sizes": (40, 80), "verbs": ("record", "read")}
LARGE = {"sizes": (1_000, 10_000, 100_000, 1_000_000)}

VERBS = ("record", "replay", "verify", "read", "show")
_ROOT = Path(__file__).parents[1]
_RECORDS_AN_EFFECT = 2
_WORKERS = 50
#: What a run ten times as long may take more.
_MORE_MIB = 32


@dataclass(frozen=True, slots=True)
class _Used:
    seconds: float
    peak_mib: float


def figures(
    sizes: Sequence[int] = (1_000, 10_000, 100_000), verbs: Sequence[str] = VERBS
) -> list[Figure]:
    """Measure each verb at each length; ``record`` is the first, the others read what it made."""
    bare = [_child("bare", size, Path.cwd()) for size in sizes]
    found: list[Figure] = []
    with work_directory() as directory:
        for verb in verbs:
            used = [_child(verb, size, directory / str(size)) for size in sizes]
            found += _of(verb, sizes, used, bare)
    return found


def _of(verb: str, sizes: Sequence[int], used: list[_Used], bare: list[_Used]) -> list[Figure]:
    seconds = [each.seconds for each in used]
    memory = [each.peak_mib - base.peak_mib for each, base in zip(used, bare, strict=True)]
    last = (math.log(seconds[-1]) - math.log(seconds[-2])) / math.log(sizes[-1] / sizes[-2])
    shown = ", ".join(f"{size:,}: {mib:.0f}" for size, mib in zip(sizes, memory, strict=True))
    return [
        Figure(
            what=f"{verb}, exponent of time up to {sizes[-1]:,} records ({seconds[-1]:.1f} s)",
            unit="",
            samples=[last],
            target=at_most(1.05),
        ),
        Figure(
            what=f"{verb}, memory above the program's ({shown}), last less the one before",
            unit="MiB",
            samples=[memory[-1] - memory[-2]],
            target=at_most(_MORE_MIB),
        ),
    ]


def _child(verb: str, records: int, directory: Path) -> _Used:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.growth", verb, str(records), str(directory)],
        env={**os.environ, "PYTHONPATH": str(_ROOT), "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    seconds, peak = done.stdout.split()
    return _Used(float(seconds), float(peak))


def _program(records: int) -> Callable[[], object]:
    return awaiting(max(1, records // _RECORDS_AN_EFFECT), PAYLOADS[0], workers=_WORKERS)


def _run(verb: str, records: int, directory: Path) -> None:
    program = _program(records)
    if verb == "bare":
        program()
        return
    if verb == "record":
        run = record_program(program, entry="benchmark", workspace=directory, dialects=())
        run.result()
        return
    (log,) = (directory / "runs").iterdir()
    store = DuckDBStore.open(log, read_only=True)
    try:
        if verb == "replay":
            report = replay_log(store, program, dialects=())
            if report.verdict != "identical":
                raise SystemExit(f"the run to measure with came out {report.verdict}")
        elif verb == "verify":
            check(store)
        elif verb == "show":
            for projection in (Status(), Spend()):
                fold(projection, _records(store))
        else:
            for _ in iter_events(store):
                pass
    finally:
        store.close()


def _records(store: DuckDBStore) -> Iterator[Record]:
    for event in iter_events(store):
        assert event.payload is not None
        yield event.header, event.payload


def main() -> None:
    """Do one thing, and print its processor seconds and the peak of memory in MiB."""
    verb, records, directory = sys.argv[1:]
    # Not what a recorded program would be told: taken before and after the run.
    begin = time.process_time()
    _run(verb, int(records), Path(directory))
    seconds = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"{seconds} {peak}\n")


if __name__ == "__main__":
    main()
