"""Replay with full comparison, against a bare loop of asyncio.

Workload: a program that awaits effects one after another; argument and answer of 300 bytes or
4 KiB, no two payloads alike. Its log is read from DuckDB, every record is computed again and
compared byte for byte, and the tree is built over it. The bare loop makes a future, has it set by
``call_soon`` and awaits it, as often. Nothing waits, so processor time is measured.

Expectation, before the number, on a 2 GHz core: a bare round is 4 us. A replayed effect is one
such round (4), two records computed (encode the head, commit to a part and to the payload, encode
the header: 4 each), compared and hashed into the tree (1 each), and read (row, decode, list of
parts: 4 each), the answer decoded: 24 us, hence 40,000/s and 0.17 of the bare loop. Each record of
4 KiB hashes 4 KiB twice and brings it out of DuckDB: 8 us more each, 40 us.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from functools import partial

from benchmarks.measuring import Figure, at_least, at_most, in_turn, processor_seconds_of
from benchmarks.programs import PAYLOADS, awaiting, recorded
from replay.log.fsck import RunCheck, check
from replay.log.port import LogReader
from replay.session.replay import replay_log

__all__ = ["TINY", "figures"]

TINY = {"effects": 20, "rounds": 1, "sizes": (20, 40)}

_RATES = {300: 30_000, 4096: 15_000}
#: Recording waits for the disk; many workers share its commits, and replay the same.
_WORKERS = 50


def figures(
    effects: int = 10_000, rounds: int = 7, sizes: Sequence[int] = (1_000, 10_000, 100_000)
) -> list[Figure]:
    """Measure replay at both payload sizes, and how its time grows."""
    return [
        *(_rate(effects, size_bytes, rounds) for size_bytes in PAYLOADS),
        _growth(sizes, max(1, rounds // 2)),
    ]


def _rate(effects: int, size_bytes: int, rounds: int) -> Figure:
    program = awaiting(effects, size_bytes)
    with recorded(program) as (log, _):
        checked = check(log)
        replays, bare = in_turn(
            rounds,
            lambda: effects / processor_seconds_of(lambda: _replay(log, program, checked)),
            lambda: effects / processor_seconds_of(lambda: asyncio.run(_bare(effects))),
        )
    return Figure(
        what=f"replay, payload {size_bytes} B: awaited effects",
        unit="/s",
        samples=replays,
        bare=bare,
        more_is_better=True,
        target=at_least(_RATES[size_bytes]),
        ratio_target=at_least(0.12) if size_bytes == PAYLOADS[0] else None,
    )


async def _bare(effects: int) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(effects):
        future = loop.create_future()
        loop.call_soon(future.set_result, None)
        await future


def _replay(log: LogReader, program: Callable[[], object], checked: RunCheck) -> None:
    report = replay_log(log, program, dialects=(), verified=checked)
    if report.verdict != "identical":
        raise SystemExit(f"the run to measure with came out {report.verdict}")


def _growth(sizes: Sequence[int], rounds: int) -> Figure:
    """Return the exponent of time over number of effects: the slope between logarithms."""
    seconds: list[list[float]] = []
    for effects in sizes:
        program = awaiting(effects, PAYLOADS[0], workers=_WORKERS)
        with recorded(program) as (log, _):
            checked = check(log)
            once = partial(_replay, log, program, checked)
            once()
            seconds.append([processor_seconds_of(once) for _ in range(rounds)])
    return Figure(
        what=f"replay, exponent of time from {sizes[0]:,} to {sizes[-1]:,} effects",
        unit="",
        samples=[_slope(sizes, each) for each in zip(*seconds, strict=True)],
        target=at_most(1.05),
    )


def _slope(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Return the slope of the line of least squares through the logarithms."""
    x, y = [math.log(n) for n in sizes], [math.log(s) for s in seconds]
    middle_x, middle_y = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - middle_x) * (b - middle_y) for a, b in zip(x, y, strict=True))
    return above / sum((a - middle_x) ** 2 for a in x)
