"""How much of a run's reads is on record, for people and for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from orchestrator.cli.reading.records import iter_events, opened
from orchestrator.cli.terminal import inert
from replay.projections.coverage import Coverage, CoverageState
from replay.projections.fold import fold

__all__ = ["EVENTS_MAX", "coverage_fields", "coverage_lines", "coverage_of"]

#: Above this a recording does not read its own log again to say so.
EVENTS_MAX: Final = 100_000
_SHOWN_MAX: Final = 200


def coverage_of(run: str, workspace: Path) -> CoverageState:
    """Return the coverage of a run."""
    with opened(run, workspace) as reader:
        events = [(e.header, e.payload) for e in iter_events(reader) if e.payload is not None]
    return fold(Coverage(), events)


def coverage_fields(coverage: CoverageState) -> dict[str, object]:
    """Return the coverage of a run as JSON fields."""
    return {
        "captured": {each.source: each.count for each in coverage.captured},
        "answered": coverage.answered,
        "reads": coverage.reads,
        "gaps": coverage.gaps,
    }


def coverage_lines(coverage: CoverageState) -> list[str]:
    """Return the coverage of a run for people: the share first, then each gap by call site."""
    share = f"{coverage.answered} of the {coverage.reads} reads that were seen are on record"
    lines = [f"coverage   {share if coverage.reads else 'no read of the outside was seen'}"]
    for gap in coverage.gaps:
        what = f"{gap.what}: {inert(gap.name, _SHOWN_MAX)}"
        where = f" ({inert(gap.site, _SHOWN_MAX)})" if gap.site else ""
        note = ", loaded; whether it was used is not seen" if gap.loaded else ""
        lines.append(f"  not captured: {what}{where}{note}")
    return lines
