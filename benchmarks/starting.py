"""The time until the command answers, against the bare interpreter.

Workload: ``--help`` of the command, a new process each time, and ``python -c pass``.

Expectation, before the number: help imports the table of verbs and nothing of the engine, so a few
modules at 1 ms each: 10 to 30 ms.
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks.measuring import Figure, at_most, in_turn, seconds_of

__all__ = ["TINY", "figures"]

TINY = {"rounds": 1}


def figures(rounds: int = 15) -> list[Figure]:
    """Measure the start of the command."""
    helped, bare = in_turn(
        rounds, lambda: _start("-m", "orchestrator.cli", "--help"), lambda: _start("-c", "pass")
    )
    return [
        Figure(
            what="`ritornello --help`, above the bare interpreter",
            unit="ms",
            samples=[a - b for a, b in zip(helped, bare, strict=True)],
            target=at_most(150),
        )
    ]


def _start(*arguments: str) -> float:
    """Return the milliseconds that a Python process takes."""
    command = [sys.executable, *arguments]
    return seconds_of(lambda: subprocess.run(command, check=True, capture_output=True)) * 1e3
