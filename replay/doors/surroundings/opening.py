"""One place where the program reads the outside world, with what is needed to answer there.

The one invariant: an opening can be checked by calling `early`, bound before any exchange.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from replay.doors.exchanging.callbacks import Door
from replay.doors.exchanging.functions import Exchange
from replay.doors.surroundings.answering import Value

__all__ = ["Opening"]


@dataclass(frozen=True, slots=True)
class Opening:
    """A function that is answered.

    Args:
        name: The function, as a reader knows it.
        exchange: What exchanges it; None if it follows from another opening.
        door: What is called instead; None together with `exchange`.
        early: Calls the function through a binding older than the exchange; None if a check would
            not come back.
        source: The source that such a call must ask.
        probe: What that source answers then.
    """

    name: str
    exchange: Exchange | None
    door: Door | None
    early: Callable[[], object] | None
    source: str
    probe: Value = 1_234_567_890_123_456_789

    def open(self) -> None:
        """Puts the door in."""
        if self.exchange is not None and self.door is not None:
            self.exchange.put(self.door)

    def close(self) -> None:
        """Takes the door out."""
        if self.exchange is not None:
            self.exchange.take_back()
