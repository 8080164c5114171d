"""Where computed records go: to the writer while recording, to the comparer while replaying."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from replay.events.entry import Entry
from replay.log.writer import Writer
from replay.recording.divergence import Divergence

__all__ = ["LiveTape", "Tape"]


class Tape(Protocol):
    """Takes records in order of their seq."""

    @property
    def wants_places(self) -> bool:
        """Whether places in the user's program are wanted with the records."""
        ...

    def take(self, kind: str, raw: bytes) -> bool:
        """Take the next record by its header bytes alone; False asks for the whole record."""
        ...

    def put(self, entry: Entry) -> Divergence | None:
        """Take the next record; return how it differs from the recorded one, if it does."""
        ...

    def after(self, seq: int, action: Callable[[], None]) -> None:
        """Run an action once the record ``seq`` and all before it are durable."""
        ...


class LiveTape:
    """Hands records to the group-commit writer; what leaves the process waits for the disk."""

    wants_places = True

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def take(self, kind: str, raw: bytes) -> bool:
        """Ask for the whole record: it is to be stored."""
        return False

    def put(self, entry: Entry) -> Divergence | None:
        """Submit the record; it is durable later."""
        self._writer.submit(entry)
        return None

    def after(self, seq: int, action: Callable[[], None]) -> None:
        """Run an action once everything up to ``seq`` is durable."""
        self._writer.after(seq, action)
