"""Synchronous questions of a fork behind its position: as its task was told once, or the world's.

A task of which nothing went live reads the wall clock, chance and the environment as recorded, so
that it asks what it asked. Elapsed time and the disk are the world's: they are what they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replay.doors.streams.standard_input import SOURCE as STANDARD_INPUT
from replay.doors.surroundings.clocks import CLOCK_SOURCES
from replay.scheduler.ports import Halted
from replay.session.answers import decoded
from replay.session.resuming.answers import WALL, ResumedAnswers
from replay.sources.forked import EnoughSeen

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.doors.surroundings.answering import Value
    from replay.sources.recollection import Recollection

__all__ = ["ForkedAnswers"]

_DISK: Final = ("disk.", "file.")
_CHANGE: Final = "disk."


class ForkedAnswers(ResumedAnswers):
    """See the module docstring.

    Attributes:
        recollection: the recorded run; set before the first question.
        is_dry: whether nothing may happen, and nobody is asked to type something.
    """

    recollection: Recollection
    is_dry = False

    def _adapted(
        self, source: str, argument: str, live: Callable[[], Value]
    ) -> Callable[[], Value]:
        """Return what recalls the answer, or asks the world."""
        ask = super()._adapted(source, argument, live)
        if source.startswith(_DISK):
            return (lambda: ["ok"]) if self.is_dry and source.startswith(_CHANGE) else ask
        if source in CLOCK_SOURCES and source != WALL:
            return ask

        def recalled() -> Value:
            path = self._scheduler.actor().path()
            reading = self.recollection.reading(path, source, argument)
            if reading is not None:
                return decoded(reading)
            if self.is_dry and source == STANDARD_INPUT:
                reason = EnoughSeen()
                self._scheduler.halt(reason)
                raise Halted from reason
            return ask()

        return recalled
