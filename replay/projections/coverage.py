"""How much of what a program read from outside is in the record, and what is not.

The one invariant: a gap that the recording named is always in the state, so that nobody takes a
share of one for more than it is. What nobody saw is in neither number.
"""

from __future__ import annotations

import msgspec

from replay.events.header import Header
from replay.events.kinds import (
    CaptureGap,
    EffectStarted,
    FileRead,
    Payload,
    ProcessStarted,
    ReadingsTaken,
    RequestSent,
)
from replay.projections import fold

__all__ = ["Captured", "Coverage", "CoverageState", "Gap"]

#: Kinds of questions to the outside that are one record each.
_QUESTIONS = {
    EffectStarted: "effect",
    FileRead: "file",
    ProcessStarted: "process",
    RequestSent: "request",
}


class Captured(msgspec.Struct, frozen=True, kw_only=True):
    """What was captured of one source.

    Attributes:
        source: such as ``time_ns``, ``env``, ``file`` or ``request``.
        count: how often the program asked it.
    """

    source: str
    count: int


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the record does not hold.

    Attributes:
        seq: the record that says so.
        what, name, site: see :class:`replay.events.kinds.CaptureGap`.
        loaded: whether it is a library that was merely loaded; nobody saw it being used.
    """

    seq: int
    what: str
    name: str
    site: str
    loaded: bool


class CoverageState(msgspec.Struct, frozen=True, kw_only=True):
    """The coverage of a run.

    Attributes:
        captured: by source, in order of first use.
        gaps: what was not captured, in order.
    """

    captured: tuple[Captured, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def reads(self) -> int:
        """How often the program asked the outside anything that was seen."""
        return self.answered + sum(not gap.loaded for gap in self.gaps)

    @property
    def answered(self) -> int:
        """How often it was answered on record."""
        return sum(each.count for each in self.captured)


class Coverage:
    """The projection; see :class:`CoverageState`."""

    def initial(self) -> CoverageState:
        """Return the state before the first record."""
        return CoverageState()

    def builder(self, state: CoverageState) -> _Builder:
        """Return a builder that goes on from a state."""
        return _Builder(state)

    def apply(self, state: CoverageState, header: Header, payload: Payload) -> CoverageState:
        """Return the state after one more record."""
        return fold.apply(self, state, header, payload)


class _Builder:
    def __init__(self, state: CoverageState) -> None:
        self._captured = {each.source: each.count for each in state.captured}
        self._gaps = list(state.gaps)

    def add(self, header: Header, payload: Payload) -> None:
        if isinstance(payload, ReadingsTaken):
            for reading in payload.readings:
                self._count(reading.source)
        elif isinstance(payload, CaptureGap):
            self._gaps.append(
                Gap(
                    seq=header.seq,
                    what=payload.what,
                    name=payload.name,
                    site=payload.site,
                    loaded=payload.what.startswith("own-"),
                )
            )
        elif type(payload) in _QUESTIONS:
            self._count(_QUESTIONS[type(payload)])

    def state(self) -> CoverageState:
        captured = tuple(Captured(source=s, count=c) for s, c in self._captured.items())
        return CoverageState(captured=captured, gaps=tuple(self._gaps))

    def _count(self, source: str) -> None:
        self._captured[source] = self._captured.get(source, 0) + 1
