"""The tape of a run that goes on: compared as far as the record reaches, and written behind it.

Behind the record's end the program may go on for a while before it needs something from outside.
What it does then is computed, not yet written: it is held here, since until the run goes live not
one byte of its log may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.compare.comparer import Comparer
    from replay.events.entry import Entry
    from replay.recording.divergence import Divergence
    from replay.recording.tape import Tape

__all__ = ["ResumedTape"]


class ResumedTape:
    """The comparer first, then the writer.

    Args:
        comparer: of the recorded part.
        recorded: the number of records in it.
    """

    def __init__(self, comparer: Comparer, recorded: int) -> None:
        self._comparer = comparer
        self._recorded = recorded
        self._live: Tape | None = None
        #: Records behind the recorded part, and actions that wait for one; until the run is live.
        self._held: list[Entry] = []
        self._actions: list[tuple[int, Callable[[], None]]] = []

    @property
    def is_behind(self) -> bool:
        """Whether the next record is one that the recorded part does not have."""
        return self._comparer.size >= self._recorded

    @property
    def wants_places(self) -> bool:
        """Whether places are wanted: with what is to be written."""
        return self.is_behind

    def take(self, kind: str, raw: bytes) -> bool:
        """Compare the next record by its header bytes; ask for the whole of what is written."""
        if self.is_behind:
            return False
        return self._comparer.take(kind, raw)

    def put(self, entry: Entry) -> Divergence | None:
        """Say how the next record differs, or keep it."""
        if not self.is_behind:
            return self._comparer.put(entry)
        if self._live is None:
            self._held.append(entry)
            return None
        return self._live.put(entry)

    def after(self, seq: int, action: Callable[[], None]) -> None:
        """Run an action once the run is live and the record durable."""
        if self._live is None:
            self._actions.append((seq, action))
        else:
            self._live.after(seq, action)

    def go_live(self, tape: Tape) -> None:
        """Hand what was held to the writer's tape, and all that follows."""
        self._live = tape
        held, self._held = self._held, []
        for entry in held:
            tape.put(entry)
        actions, self._actions = self._actions, []
        for seq, action in actions:
            tape.after(seq, action)
