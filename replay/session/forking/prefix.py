"""What a fork has in common with the run it is made from, and the log that it begins with it.

All records but the first keep their bytes: the first names another run, and where this one is from.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec

from replay.errors import ForkError, UsageError
from replay.events.code_kinds import AdmissionDecided
from replay.events.entry import Entry
from replay.events.header import decode_header, encode_header
from replay.events.kinds import ForkOrigin
from replay.events.parts import PartTable
from replay.events.payload import encode_head, split
from replay.log.duckdb_store import DuckDBStore
from replay.log.head import head_writer
from replay.log.port import lean_of
from replay.log.run_id import new_run_id
from replay.log.writer import Writer
from replay.session.record_start import is_at_start, started_in
from replay.sources.history import History
from replay.sources.live import LiveClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from replay.events.entry import Part
    from replay.events.kinds import RunStarted
    from replay.log.port import DecodeHeader, Line, LogReader
    from replay.log.workspace import Workspace

__all__ = ["ForkLog", "Prefix", "first_position"]

_NO_SALT: Final = bytes(16)


def first_position(reader: LogReader) -> int:
    """Return how many records stand at the start of a run, about the run itself."""
    history = History(reader)
    seq = 0
    while (entry := history.input(seq)) is not None and is_at_start(history.payload(entry)[0]):
        seq += 1
    return seq


class Prefix:
    """The first records of a run, as those of a fork of it.

    Args:
        reader: the recorded run.
        position: how many records.
        root: hex root over all records of the recorded run.

    Raises:
        UsageError: there is no such position, or a payload before it is gone.
        ForkError: the first record cannot be another.
    """

    def __init__(self, reader: LogReader, position: int, root: str) -> None:
        first = first_position(reader)
        if not first <= position <= reader.size():
            raise UsageError(
                f"a fork begins behind one of the events {first - 1} to {reader.size() - 1}",
                where=f"--at {position - 1}",
            )
        self._reader = reader
        self._size = position
        before = started_in(History(reader))
        run = new_run_id(LiveClock().start // 1000, os.urandom(10))
        self.parent = before.run
        origin = ForkOrigin(run=before.run, root=root, position=position)
        self.started: RunStarted = msgspec.structs.replace(before, run=run, forked_from=origin)
        entry = next(iter(reader.entries(0, 1)))
        salts = dict(enumerate(part.salt for part in entry.brought))
        table = PartTable(lambda ordinal: salts.get(ordinal, _NO_SALT))
        refs, brought, commitment, size = table.commit(split(encode_head(self.started), None))
        if len(brought) != len(salts):
            # One part more would move the numbers of all parts behind it.
            raise ForkError("the run's command is too long for a fork of it", where="event 0")
        old = [part.data for part in entry.brought]
        #: Parts of the first record that are others now; no other record may hold them.
        self.changed = frozenset(n for n, part in enumerate(brought) if part.data != old[n])
        header = msgspec.structs.replace(entry.header, commitment=commitment, size=size)
        self._first = Entry(
            header=header,
            raw=encode_header(header),
            parts=refs,
            brought=brought,
            place=entry.place,
        )

    def size(self) -> int:
        """Return the number of records."""
        return self._size

    def entries(
        self, first: int = 0, last: int | None = None, *, decode: DecodeHeader = decode_header
    ) -> Iterator[Entry]:
        """Yield records; see :class:`replay.log.port.LogReader`."""
        end = self._size if last is None else min(last, self._size)
        if first <= 0 < end:
            yield self._first
        if end > max(first, 1):
            yield from self._reader.entries(max(first, 1), end, decode=decode)

    def lean(
        self, wanted: frozenset[str], *, decode: DecodeHeader = decode_header
    ) -> Iterator[Sequence[Line]]:
        """Yield all records in order, a batch at a time."""
        return lean_of(self.entries(decode=decode), wanted)

    def parts(self, ordinals: Sequence[int]) -> dict[int, Part]:
        """Return the parts with these ordinals."""
        own = {part.ordinal: part for part in self._first.brought}
        others = [ordinal for ordinal in ordinals if ordinal not in own]
        found = self._reader.parts(others) if others else {}
        return {**found, **{n: own[n] for n in ordinals if n in own}}

    def salts(self, first: int, last: int) -> list[bytes]:
        """Return the salts of the parts with ordinals in [first, last)."""
        return self._reader.salts(first, last)


class ForkLog:
    """The log of a fork: it is there once the fork is live, and begins with the common records.

    Args:
        prefix: those.
        place: the workspace that takes the fork.
        decided: what policies said about it.
    """

    def __init__(
        self, prefix: Prefix, place: Workspace, decided: tuple[AdmissionDecided, ...] = ()
    ) -> None:
        self._decided = decided
        self._prefix = prefix
        self._place = place
        self.directory: Path = place.path / "runs" / prefix.started.run
        self._store: DuckDBStore | None = None
        self._writer: Writer | None = None

    def take_up(self, on_failure: Callable[[], None]) -> Writer:
        """Enter the fork in the workspace, durably, and write the common records.

        Raises:
            LogError: the disk refuses; nothing live has happened.
            ForkError: the common records cannot follow another first one.
            UsageError: a payload of a common record is gone.
        """
        for entry in self._prefix.entries():
            if entry.header.seq and not self._prefix.changed.isdisjoint(entry.parts):
                raise ForkError(
                    "a record shares a part with the start of the run",
                    where=f"event {entry.header.seq}",
                )
            if any(part.data is None for part in entry.brought):
                raise UsageError(
                    "a payload of the common records is gone, and cannot be written again",
                    where=f"event {entry.header.seq}",
                )
        started = self._prefix.started
        now_us = LiveClock().start
        self._place.register(started.run, started.entry, now_us)
        self._place.admitted(started.run, "fork", self._decided, now_us)
        self._store = store = DuckDBStore.create(self.directory)
        self._writer = writer = Writer(
            store,
            on_commit=head_writer(self.directory, started.run),
            on_failure=lambda _: on_failure(),
        )
        for entry in self._prefix.entries():
            writer.submit(entry)
        writer.flush()
        return writer

    def durable(self) -> LogReader:
        """Return what reads all that is on record by now.

        Raises:
            LogError: the last of it could not be made durable.
        """
        return self._prefix if self._writer is None else self._writer.reader()

    def finish(self) -> tuple[int, bytes]:
        """Make everything durable and close the log; return its size and root."""
        assert self._writer is not None, "a log that was not taken up"
        self._writer.flush()
        end = self._writer.root()
        self.close()
        return end

    def close(self) -> None:
        """Close the log; closing twice is harmless."""
        if self._writer is not None:
            self._writer.close()
        if self._store is not None:
            self._store.close()
