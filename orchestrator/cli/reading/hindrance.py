"""A divergence that keeps a run from going on or from being forked, for people.

A replay says more of one (:mod:`orchestrator.cli.reading.explanation`); here there is no replay
to explain.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.cli.terminal import inert
from replay.session.forking.report import Beginning, Estimate, ForkReport
from replay.session.resuming.report import ResumptionReport

__all__ = ["hindrance_lines"]

_SHOWN_MAX: Final = 300
_FIELDS_MAX: Final = 4


def hindrance_lines(report: Beginning | Estimate | ForkReport | ResumptionReport) -> Iterator[str]:
    """Yield what differs, field by field, and where; nothing if nothing does."""
    found = report.divergence
    if found is None:
        return
    yield f"  {inert(found.summary())}"
    for change in found.fields[:_FIELDS_MAX]:
        yield f"  field {inert(change.path, _SHOWN_MAX)}"
        yield f"    recorded {inert(change.recorded or '(nothing)', _SHOWN_MAX)}"
        yield f"    now      {inert(change.replayed or '(nothing)', _SHOWN_MAX)}"
    if found.replayed_place is not None:
        yield f"  at {inert(found.replayed_place)}"
    if found.note:
        yield f"  note: {inert(found.note, _SHOWN_MAX)}"
