"""The log of a run that goes on: read until the run is live, written from there on, one lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.errors import LogError
from replay.log.duckdb_store import DuckDBStore
from replay.log.head import head_writer
from replay.log.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from replay.compare.comparer import Comparer
    from replay.log.lock import RunLock
    from replay.log.port import LogReader

__all__ = ["ResumedLog"]


class ResumedLog:
    """See the module docstring.

    Args:
        directory: of the run.
        reader: the log, open for reading.
        lock: the run's, held; whoever took it gives it back.
    """

    def __init__(self, directory: Path, reader: DuckDBStore, lock: RunLock) -> None:
        self.directory = directory
        self._reader = reader
        self._lock = lock
        self._store: DuckDBStore | None = None
        self._writer: Writer | None = None

    def take_up(self, run: str, comparer: Comparer, on_failure: Callable[[], None]) -> Writer:
        """Open the log for writing, where the record ends.

        Args:
            run: the run's id.
            comparer: has made the whole record again; the tree is taken from it.
            on_failure: called on the writer's thread when nothing can be written any more.

        Raises:
            LogError: it cannot be written, or is not what was read.
        """
        self._reader.close()
        self._lock.sign()
        self._store = store = DuckDBStore.open(
            self.directory, read_only=False, lock=self._lock.borrowed()
        )
        if store.size() != comparer.size:
            raise LogError("the log is not what was read", where=str(self.directory))
        self._writer = writer = Writer(
            store,
            on_commit=head_writer(self.directory, run),
            on_failure=lambda _: on_failure(),
            frontier=comparer.frontier(),
        )
        return writer

    def durable(self) -> LogReader:
        """Return what reads all that is on record by now.

        Raises:
            LogError: the last of it could not be made durable.
        """
        return self._reader if self._writer is None else self._writer.reader()

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
        self._reader.close()
