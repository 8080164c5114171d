"""What a recording adds to one call of a provider's SDK, in processor time.

Workload: the Anthropic SDK, not streaming, one call after another over one connection, to a
scripted provider in another process on the loopback interface; warm. Processor time of all threads
of this process, recorded and on stock asyncio in turn.

Expectation, before the number, on a 2 GHz core: six records (request, wire, prompt, response) at
about 20 us each to make and 10 to write, two commits of DuckDB at 0.5 ms, two thread hand-overs at
50 us, the dialect's readings 100 us: 1.5 ms.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.measuring import Figure, at_most, in_turn
from benchmarks.programs import work_directory
from orchestrator.dialects.anthropic import dialect
from replay.session.record import record_program

__all__ = ["TINY", "figures"]

TINY = {"calls": 2, "rounds": 1}


def figures(calls: int = 100, rounds: int = 7) -> list[Figure]:
    """Measure the processor time of one call, recorded and bare."""
    with _provider() as base_url, work_directory() as directory:
        program = _calling(base_url, calls)

        def recorded() -> float:
            run = record_program(
                program, entry="benchmark", workspace=directory, dialects=(dialect,)
            )
            return run.result()

        with_record, bare = in_turn(rounds, recorded, program)
    return [
        Figure(
            what="one SDK call, processor time added by recording",
            unit="ms",
            samples=[a - b for a, b in zip(with_record, bare, strict=True)],
            target=at_most(2),
        ),
        Figure(
            what="one SDK call, processor time recorded, against bare",
            unit="ms",
            samples=with_record,
            bare=bare,
        ),
    ]


def _calling(base_url: str, calls: int) -> Callable[[], float]:
    """Return a program that gives the milliseconds of processor time of one call."""
    import anthropic

    async def main() -> float:
        async with anthropic.AsyncAnthropic(
            base_url=base_url, api_key="none", max_retries=0
        ) as client:

            async def call() -> None:
                await client.messages.create(
                    model="m", max_tokens=64, messages=[{"role": "user", "content": "Hello?"}]
                )

            for _ in range(5):
                await call()
            # In a recorded run this is a reading: answered with the real clock, and recorded.
            begin = time.process_time_ns()
            for _ in range(calls):
                await call()
            return (time.process_time_ns() - begin) / calls / 1e6

    return lambda: asyncio.run(main())


@contextmanager
def _provider() -> Iterator[str]:
    command = [sys.executable, "-m", "orchestrator.testing.provider", "--mode", "wild"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
