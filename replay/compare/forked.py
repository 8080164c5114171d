"""The tape of a fork: compared up to the first difference, and behind it looked up, not judged.

A question that its task asks as it was recorded gets that answer; any other one is new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replay.compare.resumed import ResumedTape
from replay.events.kinds import TaskSpawned, ThreadStarted
from replay.events.payload import decode_payload
from replay.sources.recollection import QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.compare.comparer import Comparer
    from replay.events.entry import Entry
    from replay.log.port import LogReader
    from replay.recording.divergence import Divergence
    from replay.sources.recollection import Recollection

__all__ = ["ForkedTape", "NoTape"]

#: What a program does to a child process is a part of what it asks of it.
_LOOKED_UP: Final = QUESTIONS | {"ProcessFed", "ProcessSignalled"}
_SPAWNS: Final = frozenset({"TaskSpawned", "ThreadStarted"})


class ForkedTape(ResumedTape):
    """See the module docstring; what it looks in is set before the first record.

    Attributes:
        recollection: the recorded run behind the position.
        prefix: the records before it.
        matches: seq of the recorded question, by the seq of the one that was asked now.
    """

    recollection: Recollection
    prefix: LogReader

    def __init__(self, comparer: Comparer, recorded: int) -> None:
        super().__init__(comparer, recorded)
        self._parts: dict[int, bytes] = {}
        self.matches: dict[int, int] = {}

    def put(self, entry: Entry) -> Divergence | None:
        """Compare the record, or look up what it asks."""
        if self.is_behind:
            self._look_up(entry)
        return super().put(entry)

    def _look_up(self, entry: Entry) -> None:
        header = entry.header
        for part in entry.brought:
            self._parts[part.ordinal] = part.data or b""
        if header.kind in _SPAWNS:
            payload, _ = decode_payload(header.media, self._payload(entry), header.seq)
            assert isinstance(payload, TaskSpawned | ThreadStarted)
            self.recollection.spawned(header, payload)
        elif header.kind in _LOOKED_UP:
            data = self._payload(entry)
            path = self.recollection.paths.of(header.task)
            found = self.recollection.find(path, header.kind, header.index, data)
            if found is not None:
                self.matches[header.seq] = found

    def _payload(self, entry: Entry) -> bytes:
        wanted = [ordinal for ordinal in entry.parts if ordinal not in self._parts]
        if wanted:
            for ordinal, part in self.prefix.parts(sorted(set(wanted))).items():
                self._parts[ordinal] = part.data or b""
        return b"".join(self._parts[ordinal] for ordinal in entry.parts)


class NoTape:
    """Takes what a dry pass makes behind the position: nobody reads it."""

    wants_places = False

    def take(self, kind: str, raw: bytes) -> bool:
        """Take the record."""
        return True

    def put(self, entry: Entry) -> Divergence | None:
        """Take the record."""
        return None

    def after(self, seq: int, action: Callable[[], None]) -> None:
        """Do nothing: nothing leaves."""
