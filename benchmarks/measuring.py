"""Figures: what was measured, against what, and whether that is enough.

The one invariant: a ratio is made of two measurements that stood next to each other in time, so a
busy machine weighs on both sides. The median of the ratios is judged; the best is shown beside it.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "Bound",
    "Figure",
    "at_least",
    "at_most",
    "in_turn",
    "machine",
    "processor_seconds_of",
    "seconds_of",
]


@dataclass(frozen=True, slots=True)
class Bound:
    """A target: a limit, and on which side of it is good."""

    limit: float
    is_floor: bool

    def holds(self, value: float) -> bool:
        """Return whether a value is good enough."""
        return value >= self.limit if self.is_floor else value <= self.limit


def at_least(limit: float) -> Bound:
    """Return a target that more is better than."""
    return Bound(limit, is_floor=True)


def at_most(limit: float) -> Bound:
    """Return a target that less is better than."""
    return Bound(limit, is_floor=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table.

    Attributes:
        what: what was measured.
        unit: of the samples, such as ``us`` or ``/s``.
        samples: one value for each round.
        bare: the baseline in the same unit, one for each round; empty if there is none.
        more_is_better: of the samples.
        target: for the median of the samples.
        ratio_target: for the median of sample to baseline.
    """

    what: str
    unit: str
    samples: Sequence[float]
    bare: Sequence[float] = ()
    more_is_better: bool = False
    target: Bound | None = None
    ratio_target: Bound | None = None

    @property
    def median(self) -> float:
        """The middle sample."""
        return statistics.median(self.samples)

    @property
    def best(self) -> float:
        """The sample least disturbed."""
        return max(self.samples) if self.more_is_better else min(self.samples)

    @property
    def ratios(self) -> list[float]:
        """Sample to baseline, round by round."""
        return [each / bare for each, bare in zip(self.samples, self.bare, strict=False)]

    @property
    def ratio(self) -> float | None:
        """The middle ratio, if there is a baseline."""
        return statistics.median(self.ratios) if self.bare else None

    @property
    def best_ratio(self) -> float | None:
        """The best ratio, if there is a baseline."""
        if not self.bare:
            return None
        return max(self.ratios) if self.more_is_better else min(self.ratios)

    @property
    def verdict(self) -> str:
        """``ok``, ``MISSED``, or nothing where there is no target."""
        if self.target is None and self.ratio_target is None:
            return ""
        holds = self.target is None or self.target.holds(self.median)
        if self.ratio_target is not None:
            holds = holds and self.ratio is not None and self.ratio_target.holds(self.ratio)
        return "ok" if holds else "MISSED"


def in_turn(rounds: int, *works: Callable[[], float]) -> list[list[float]]:
    """Call each work once a round, one after the other; return the samples of each.

    The order turns with each round, so that none always comes first.
    """
    samples: list[list[float]] = [[] for _ in works]
    for number in range(rounds):
        for place in range(len(works)):
            which = (place + number) % len(works)
            samples[which].append(works[which]())
    return samples


def processor_seconds_of(work: Callable[[], object]) -> float:
    """Return the processor seconds, of all threads, that a piece of work takes.

    For work that waits for nothing: the wall seconds of an idle machine, also on a busy one.
    """
    begin = time.process_time()
    work()
    return time.process_time() - begin


def seconds_of(work: Callable[[], object]) -> float:
    """Return the wall seconds that a piece of work takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def machine() -> dict[str, str]:
    """Return what the figures were measured on. Names no host, no user and no path."""
    model = platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        lines = information.read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    load = f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"
    return {
        "processor": model,
        "cores": str(os.cpu_count()),
        "load": load,
        "system": platform.system(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
