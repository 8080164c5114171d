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
_REFUSED: Final = "a replay is refused there; wrap it in an @replay.effect, whose answer is kept"
_INCOMPLETE: Final = "a replay stops there, incomplete; read it in an @replay.effect"
_UNANSWERED: Final = (
    "a replay does not answer what such a library draws or fetches by itself;"
    " `record --prove` shows whether that matters"
)
#: What a gap is about: what a replay does about it, and what to do.
_CONSEQUENCES: Final = {
    "dbm": _REFUSED,
    "duplicated-descriptor": _REFUSED,
    "mmap": _REFUSED,
    "open": _REFUSED,
    "sqlite3": _REFUSED,
    "file-too-large": _INCOMPLETE,
    "special-file": _INCOMPLETE,
    "unreadable-file": _INCOMPLETE,
    "own-connections": _UNANSWERED,
    "own-entropy": _UNANSWERED,
}


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
    """Return the coverage of a run for people: the share first, then each gap by call site.

    What a replay does about gaps stands once behind those that it is about.
    """
    share = f"{coverage.answered} of the {coverage.reads} reads that were seen are on record"
    if coverage.reads == 1:
        share = f"the one read that was seen is {'' if coverage.answered else 'not '}on record"
    lines = [f"coverage   {share if coverage.reads else 'no read of the outside was seen'}"]
    found: dict[str, list[str]] = {}
    for gap in coverage.gaps:
        what = f"{inert(gap.what, _SHOWN_MAX)}: {inert(gap.name, _SHOWN_MAX)}"
        where = f" ({inert(gap.site, _SHOWN_MAX)})" if gap.site else ""
        note = ", loaded; whether it was used is not seen" if gap.loaded else ""
        gaps = found.setdefault(_CONSEQUENCES.get(gap.what, ""), [])
        gaps.append(f"  not captured: {what}{where}{note}")
    for consequence, gaps in found.items():
        lines += gaps
        lines += [f"    {consequence}"] if consequence else []
    return lines
