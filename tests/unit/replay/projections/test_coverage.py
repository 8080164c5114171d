"""A share of what was read is never shown without the gaps."""

from __future__ import annotations

import msgspec

from replay.events.kinds import CaptureGap, EffectStarted, Reading, ReadingsTaken
from replay.projections.coverage import Captured, Coverage
from replay.projections.fold import fold
from tests.support.conversations import records
from tests.support.recordings import Recording


def test_reads_and_gaps_are_counted_by_source():
    run = Recording()
    value = msgspec.Raw(b"1")
    readings = tuple(Reading(source, "", value, 0) for source in ("env", "env", "t"))
    run.add(ReadingsTaken(readings=readings), task=0)
    run.add(EffectStarted(name="look", arguments=msgspec.Raw(b"{}")), task=0)
    run.add(CaptureGap(what="sqlite3", name="data.db", site="sqlite3 at a.py:1 main"), task=0)
    run.add(CaptureGap(what="own-entropy", name="numpy.random"), task=0)

    state = fold(Coverage(), records(run))

    assert state.captured == (
        Captured(source="env", count=2),
        Captured(source="t", count=1),
        Captured(source="effect", count=1),
    )
    assert (state.answered, state.reads) == (4, 5)
    assert [(gap.name, gap.loaded) for gap in state.gaps] == [
        ("data.db", False),
        ("numpy.random", True),
    ]
