"""A run of a workspace, opened as the one that the workspace says it is.

The one invariant: whoever asks for one run never reads the records of another one. The first record
is compared with the directory's name when it is opened, which costs one row; size and root are
compared with the workspace's log where all records are read and checked anyway.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from replay.errors import IntegrityError
from replay.events.kinds import RunStarted
from replay.events.payload import decode_payload
from replay.log.duckdb_store import DuckDBStore
from replay.log.fsck import RunCheck, check
from replay.log.head import read_head
from replay.log.named_heads import NamedRun, against_named, named_heads, other_run
from replay.log.workspace import Workspace

if TYPE_CHECKING:
    from replay.log.lock import RunLock
    from replay.log.port import LogReader
    from replay.tree import Checkpoint

__all__ = ["StoredRun"]


class StoredRun(DuckDBStore, NamedRun):
    """The log of a run in its workspace, open for reading. Made by :meth:`of`."""

    _place: Workspace
    _head: Checkpoint | None

    @classmethod
    def of(cls, place: Workspace, directory: Path, *, lock: RunLock | None = None) -> StoredRun:
        """Open a run's log for reading.

        Args:
            place: the workspace.
            directory: the run's, as :meth:`replay.log.workspace.Workspace.run_directory` gives it.
            lock: the run's lock, if the caller has it; taken here otherwise.

        Raises:
            LogError: there is no log, or it is in use.
            IntegrityError: it is damaged, shorter than its head, or that of another run.
        """
        store = cls.open(directory, lock=lock)
        try:
            store._place, store._head = place, read_head(directory)
            store._refuse_other(directory)
        except BaseException:
            store.close()
            raise
        return store

    def check(self) -> RunCheck:
        """Check all evidence of the run, also against its head and the log of its workspace.

        Raises:
            LogError: the disk refuses.
        """
        # Nobody writes while it is open, so what is named now was there when it was opened.
        named = named_heads(self._place)
        checked = check(self, head=self._head)
        return against_named(checked, self._path.parent.name, self, self._head, named)

    def _refuse_other(self, directory: Path) -> None:
        other = other_run(directory.name, _run_in(self), self._head)
        if other is not None:
            raise IntegrityError(
                other,
                where=str(directory),
                hint="remove the directory, or restore the run of that id from a copy",
            )


def _run_in(reader: LogReader) -> str | None:
    """Return the id in a run's first record, None if that is not readable or was erased."""
    try:
        for entry in reader.entries(0, 1):
            data = [part.data for part in entry.brought if part.data is not None]
            if len(data) == len(entry.parts):
                payload, _ = decode_payload(entry.header.media, b"".join(data), 0)
                return payload.run if isinstance(payload, RunStarted) else None
    except IntegrityError:
        pass  # a check names it, and whoever reads it is told
    return None
