"""What a recording adds to a program of three agent frameworks, from its first import to its end.

Workload: ``examples/frameworks/newsroom.py`` (LangGraph, pydantic-ai, raw streams; 57 requests, up
to six at once) in a process of its own, recorded and bare in turn. The provider answers on the
loopback interface, 50 ms after each request, then a chunk each 5 ms; the same words get the same
answer. Wall time, and processor time of all threads, from before the program's first import to its
seal; what the engine itself needs to start is the topic ``starting``. The least of all rounds of
the one stands against the least of the other. As a script it is such a process.

Expectation, before the number, on a 2 GHz core: bare, 2.7 s of processor, most of it imports, and
4.5 s of wall time. 57 exchanges at 1.5 ms and 2500 records at 100 us are 0.33 s of processor, 12 %;
most of it lies behind latencies, so half of that in wall time, 4 %.
"""

from __future__ import annotations

import importlib.util
import os
import runpy
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measuring import Figure, at_most, in_turn
from benchmarks.programs import work_directory
from orchestrator.testing import Answer, Delivery, Script, ScriptedProvider
from replay.session.extensions import load_dialects
from replay.session.record import record_program

__all__ = ["TINY", "figures"]

TINY = {"rounds": 1, "program": "examples/frameworks/desk.py"}

_ROOT = Path(__file__).parents[1]
_NEEDED = ("langgraph", "langchain_anthropic", "pydantic_ai")
_SCRIPT = Script(default=Answer(delivery=Delivery(latency_ms=50, chunk_latency_ms=5)))


def figures(rounds: int = 7, program: str = "examples/frameworks/newsroom.py") -> list[Figure]:
    """Measure the program, recorded and bare; nothing where the frameworks are not installed."""
    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        sys.stderr.write("the frameworks are not installed: not measured\n")
        return []
    with ScriptedProvider(mode="pure", script=_SCRIPT) as provider, work_directory() as directory:
        variables = {"ANTHROPIC_BASE_URL": provider.base_url, "ANTHROPIC_API_KEY": "sk-ant-none"}
        walls: dict[str, list[float]] = {"record": [], "bare": []}

        def running(how: str) -> Callable[[], float]:
            def run() -> float:
                wall, processor = _run(how, program, variables, directory)
                walls[how].append(wall)
                return processor

            return run

        recorded, bare = in_turn(rounds, running("record"), running("bare"))
    return [
        Figure(
            what="three frameworks, wall time recorded, best against best bare",
            unit="ms",
            samples=[min(walls["record"])],
            bare=[min(walls["bare"])],
            ratio_target=at_most(1.10),
        ),
        Figure(
            what="three frameworks, processor time recorded, best against best bare",
            unit="ms",
            samples=[min(recorded)],
            bare=[min(bare)],
            ratio_target=at_most(1.15),
        ),
    ]


def _run(how: str, program: str, variables: dict[str, str], directory: Path) -> tuple[float, float]:
    """Run the program in a process; return its milliseconds of wall and of processor time."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.frameworks", how, str(_ROOT / program)],
        env={**os.environ, **variables, "PYTHONPATH": str(_ROOT), "PYTHONHASHSEED": "0"},
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    wall, processor = done.stderr.splitlines()[-1].split()
    return float(wall), float(processor)


def main() -> None:
    """Run a program, recorded or bare, and write what it took to standard error."""
    how, program = sys.argv[1:]
    sys.argv = [program]
    # Not what a recorded program would be told: these are taken before and after the run.
    read = time.clock_gettime_ns
    wall, processor = read(time.CLOCK_MONOTONIC), read(time.CLOCK_PROCESS_CPUTIME_ID)
    if how == "record":
        record_program(
            lambda: runpy.run_path(program, run_name="__main__"),
            entry="benchmark",
            workspace=Path.cwd() / "workspace",
            dialects=load_dialects(),
        ).result()
    else:
        runpy.run_path(program, run_name="__main__")
    processor = read(time.CLOCK_PROCESS_CPUTIME_ID) - processor
    wall = read(time.CLOCK_MONOTONIC) - wall
    sys.stdout.flush()
    sys.stderr.write(f"\n{wall / 1e6} {processor / 1e6}\n")


if __name__ == "__main__":
    main()
