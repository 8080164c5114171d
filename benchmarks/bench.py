"""The one entry of the benchmarks: measures every topic and prints a table.

``python -m benchmarks.bench [--json] [--tiny] [--large] [TOPIC ...]``; each module states its
workload and what was expected before measuring.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

from benchmarks.measuring import Bound, Figure, machine

__all__ = ["TOPICS", "main", "measure"]

TOPICS = (
    "replaying",
    "verifying",
    "appending",
    "calling",
    "frameworks",
    "reading",
    "starting",
    "growing",
    "growth",
    "sizing",
)


def measure(topic: str, *, tiny: bool, large: bool = False) -> list[Figure]:
    """Measure one topic, or only run it with next to nothing to do, or with what takes long."""
    module = import_module(f"benchmarks.{topic}")
    options: Mapping[str, Any] = getattr(module, "LARGE", {}) if large else {}
    if tiny:
        options = module.TINY
    figures: Callable[..., list[Figure]] = module.figures
    return figures(**options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print.

    Returns:
        The exit code: 0 if every target is met, 1 if one is missed.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench")
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=", ".join(TOPICS))
    parser.add_argument("--json", action="store_true", help="figures with all samples, as JSON")
    parser.add_argument(
        "--tiny", action="store_true", help="run each once; the figures mean nothing"
    )
    parser.add_argument("--large", action="store_true", help="growth: up to 1,000,000 records")
    options = parser.parse_args(arguments)
    unknown = set(options.topics) - set(TOPICS)
    if unknown:
        parser.error(f"no such topic: {', '.join(sorted(unknown))}")
    here = machine()
    if not options.json:
        print(", ".join(f"{name} {value}" for name, value in here.items()))
    figures: list[Figure] = []
    for topic in options.topics or TOPICS:
        sys.stderr.write(f"measuring: {topic}\n")
        figures += measure(topic, tiny=options.tiny, large=options.large)
    if options.json:
        document = {"machine": here, "figures": [_plain(figure) for figure in figures]}
        print(json.dumps(document, indent=2))
    else:
        print(_table([_HEAD, *(_row(figure) for figure in figures)]))
    return 1 if any(figure.verdict == "MISSED" for figure in figures) else 0


_HEAD = ("what", "median", "best", "target", "ratio", "best", "target", "")


def _row(figure: Figure) -> tuple[str, ...]:
    unit = figure.unit
    return (
        figure.what,
        _number(figure.median, unit),
        _number(figure.best, unit),
        _bound(figure.target, unit),
        _number(figure.ratio),
        _number(figure.best_ratio),
        _bound(figure.ratio_target),
        figure.verdict,
    )


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return ""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text + unit if unit.startswith("/") or not unit else f"{text} {unit}"


def _bound(bound: Bound | None, unit: str = "") -> str:
    if bound is None:
        return ""
    return f"{'>=' if bound.is_floor else '<='} {_number(bound.limit, unit)}"


def _table(rows: Iterable[Sequence[str]]) -> str:
    listed = list(rows)
    widths = [max(len(row[column]) for row in listed) for column in range(len(_HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in listed
    ]
    return "\n".join(lines)


def _plain(figure: Figure) -> dict[str, object]:
    return {
        "what": figure.what,
        "unit": figure.unit,
        "median": figure.median,
        "best": figure.best,
        "target": _bound(figure.target, figure.unit),
        "ratio": figure.ratio,
        "best_ratio": figure.best_ratio,
        "ratio_target": _bound(figure.ratio_target),
        "verdict": figure.verdict,
        "samples": list(figure.samples),
        "bare": list(figure.bare),
    }


if __name__ == "__main__":
    sys.exit(main())
