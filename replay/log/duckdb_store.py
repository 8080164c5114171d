"""The store of a recorded run: a DuckDB file and its journal in the run's directory.

The one invariant: a batch is acknowledged when it is durable in the journal or, where there is no
room for it, in the database together with all that the journal holds. One transaction holds whole
batches of records with their parts. Only this module opens the file; opening it by other means in
the writer's process would drop DuckDB's own lock.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from threading import Thread
from typing import Final, Self

import duckdb

from replay.errors import IntegrityError, LogError, ReplayError
from replay.events.entry import Entry
from replay.events.header import decode_header
from replay.events.refs import RefsDecoder, RefsEncoder
from replay.log.batch import batch_size_bytes, check_batch
from replay.log.duckdb_reader import DuckDBReader, fetch_refs
from replay.log.duckdb_rows import rows_of
from replay.log.duckdb_schema import (
    LOG_NAME,
    check_schema,
    connect,
    create_schema,
    mapped_errors,
    refuse_special,
    shed_cache,
    wal_path,
)
from replay.log.head import check_head
from replay.log.journal import Journal, Row, Tail, journal_path, read_tail
from replay.log.lock import RunLock

__all__ = ["CHECKPOINT_WAL_BYTES", "DuckDBStore"]

# Bound before the engine exchanges what `threading` gives to user code.
_RealThread = Thread

#: Above this, commits are moved from the write-ahead file into the main one: opening a run takes
#: about 0.1 s for each 16 MiB of it.
CHECKPOINT_WAL_BYTES: Final = 16 * 1024 * 1024

_COUNT: Final = """
SELECT count(*) FILTER (ordinal IS NULL), coalesce(max(seq) FILTER (ordinal IS NULL), -1) + 1,
       count(ordinal), coalesce(max(ordinal), -1) + 1
FROM log
"""


class DuckDBStore(DuckDBReader):
    """Keeps the records of one run in ``log.duckdb`` in the run's directory.

    Made by :meth:`create` or :meth:`open`. One thread appends; any thread reads.
    """

    def __init__(
        self, path: Path, lock: RunLock, connection: duckdb.DuckDBPyConnection, *, writes: bool
    ) -> None:
        super().__init__(path, lock, connection)
        self._wal = os.fspath(wal_path(path))
        # Why appends are refused; empty while they are not.
        self._refusal = "" if writes else "the log is open for reading"
        # Written only by the appending thread.
        self._appender: duckdb.Appender | None = None
        self._journal: Journal | None = None
        self._encoder = RefsEncoder()
        self._parts = 0
        self._settled = False
        # Written only by the checkpointing thread, read once it has ended.
        self._checkpointing: Thread | None = None
        self._checkpoint_failure: ReplayError | None = None

    # --- opening and closing ----------------------------------------------------------------------

    @classmethod
    def create(cls, directory: Path) -> Self:
        """Make the log of a new run, in a directory made for it or an existing one.

        Raises:
            LogError: there is a log already, or the directory cannot be written.
        """
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise LogError(
                f"the run's directory cannot be made: {error.strerror}", where=str(directory)
            ) from error
        path = directory / LOG_NAME
        lock = RunLock.exclusive(directory)
        ours = False
        try:
            _refuse_existing(path)
            ours = True
            with mapped_errors(path, "creating"):
                refuse_special(path)
                connection = connect(path, read_only=False)
                store = cls(path, lock, connection, writes=True)
                try:
                    create_schema(connection)
                    connection.execute("CHECKPOINT")
                    store._begin()
                    _flush_directory(directory.parent)
                except BaseException:
                    store._abandon()
                    raise
        except BaseException:
            if ours:
                # Half a log would look like a damaged one, and nothing was ever in it.
                for file in (path, wal_path(path), journal_path(path)):
                    with contextlib.suppress(OSError):
                        file.unlink()
            lock.release()
            raise
        return store

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        read_only: bool = True,
        compare_head: bool = True,
        lock: RunLock | None = None,
    ) -> Self:
        """Open the log of a run.

        Args:
            directory: the run's directory.
            read_only: read without changing a byte on disk, also after a crash; otherwise take up
                appending where the log ends, at one read of all headers.
            compare_head: refuse a log that is shorter than its head; a full check reports it.
            lock: the run's lock, if the caller has it; taken here otherwise.

        Raises:
            LogError: there is no log, it is in use, or it was made by a later version.
            IntegrityError: it is damaged or shorter than its head.
        """
        path = directory / LOG_NAME
        if not path.is_file():
            raise LogError("there is no log", where=str(path), hint="check the path")
        if lock is None:
            lock = RunLock.shared(directory) if read_only else RunLock.exclusive(directory)
        try:
            with mapped_errors(path, "opening"):
                refuse_special(path)
                connection = connect(path, read_only=read_only)
                store = cls(path, lock, connection, writes=not read_only)
                try:
                    check_schema(connection)
                    store._count()
                    if compare_head:
                        check_head(directory, store._records)
                    if not read_only:
                        store._take_up()
                    elif not wal_path(path).exists():  # it would be read anew at each opening
                        file = path.absolute()
                        store._reopen = lambda: connect(file, read_only=True)
                except BaseException:
                    store._abandon()
                    raise
        except BaseException:
            lock.release()
            raise
        return store

    def close(self) -> None:
        """Release file and lock. Closing twice is harmless."""
        if self._closed:
            return
        self._lock.check()
        self._closed = True
        self._await_checkpoint()
        try:
            # Not needed for durability, so a failure is no loss: journal or write-ahead file stays.
            with contextlib.suppress(duckdb.Error, OSError):
                if not self._refusal:
                    if self._tail.rows:
                        self._transfer(self._tail.rows, self._records)
                        self._await_checkpoint()  # it may have begun one
                    self._connection.execute("CHECKPOINT")
            self._refusal = self._refusal or "the log is closed"
            if self._appender is not None:
                # Rows of an append that failed: nobody was told of them, and they go with it.
                with contextlib.suppress(duckdb.Error):
                    self._appender.clear()
            self._appender = None
            with mapped_errors(self._path, "closing"):
                try:
                    self._connection.close()
                finally:
                    if self._journal is not None:
                        self._journal.close(remove=not self._tail.rows)
            # DuckDB's binding complains on standard error of objects that outlive the interpreter.
            del self._connection
        finally:
            self._lock.release()

    def _abandon(self) -> None:
        """Let go of a log that could not be opened to the end; its files are what they are."""
        self._await_checkpoint()
        self._connection.close()
        if self._journal is not None:
            self._journal.close(remove=False)

    def _await_checkpoint(self) -> None:
        if self._checkpointing is not None:
            self._checkpointing.join()

    # --- appending --------------------------------------------------------------------------------

    def append(self, entries: Sequence[Entry]) -> None:
        """Append records durably, all or none; see :mod:`replay.log.port`.

        Raises:
            LogError: they could not be made durable; everything appended before is. The store
                refuses all further appends.
        """
        self._lock.check()
        if self._refusal:
            raise LogError(self._refusal, where=str(self._path))
        if self._checkpoint_failure is not None:
            self._refusal = "an earlier checkpoint failed"
            raise self._checkpoint_failure
        if not entries:
            return
        # Until the commit is known to have come through, nothing may follow.
        self._refusal = "an earlier append failed; open the log again"
        parts = check_batch(entries, records=self._records, parts=self._parts)
        rows = rows_of(entries, self._encoder)
        assert self._journal is not None
        with mapped_errors(self._path, "appending to"):
            if self._journal.append(rows, batch_size_bytes(entries)):
                self._tail.rows.extend(rows)
            else:
                self._transfer([*self._tail.rows, *rows], self._records + len(entries))
                self._journal.empty()
        self._parts = parts
        self._records += len(entries)
        self._refusal = ""

    def _transfer(self, rows: list[Row], records: int) -> None:
        """Make rows durable in the database, which then holds so many records."""
        assert self._appender is not None
        # The appender flushes by itself when it holds much.
        self._connection.begin()
        self._appender.append_rows(rows)
        self._appender.flush()
        self._connection.commit()
        self._tend_files()
        self._tail = Tail(records)

    def _tend_files(self) -> None:
        """After a transaction: bring a new write-ahead file into the directory; keep it short."""
        if not self._settled:
            self._settle()
        checkpointing = self._checkpointing
        if checkpointing is not None and checkpointing.is_alive():
            # The commit may have made a file of its own, which takes the other's name later.
            _flush_directory(self._path.parent)
            return
        if checkpointing is not None:
            self._checkpointing = None
            self._settle()
            shed_cache(self._connection)
        if self._wal_bytes() > CHECKPOINT_WAL_BYTES:
            self._checkpointing = _RealThread(
                target=self._checkpoint, name="ritornello-checkpoint", daemon=True
            )
            self._checkpointing.start()

    def _wal_bytes(self) -> int:
        try:
            return os.stat(self._wal).st_size  # noqa: PTH116 - runs after each commit
        except FileNotFoundError:  # a checkpoint that has just ended took this commit along
            return 0

    def _checkpoint(self) -> None:
        try:
            with (
                mapped_errors(self._path, "checkpointing"),
                contextlib.suppress(duckdb.TransactionException),  # in the way of another; later
            ):
                self._connection.cursor().execute("CHECKPOINT")
        except ReplayError as error:
            self._checkpoint_failure = error

    def _settle(self) -> None:
        """Make the database's files private and their names durable."""
        for name in (self._path.name, os.path.basename(self._wal)):  # noqa: PTH119
            with contextlib.suppress(FileNotFoundError):
                (self._path.parent / name).chmod(0o600)
        _flush_directory(self._path.parent)
        self._settled = os.path.exists(self._wal)  # noqa: PTH110

    def _count(self) -> None:
        row = self._connection.execute(_COUNT).fetchone()
        assert row is not None
        records, stored, parts, ordinals = row
        # A reader finds gaps while reading and names them; a writer must not write behind one.
        if not self._refusal and (records, parts) != (stored, ordinals):
            raise IntegrityError("the log has gaps or repeats", where=str(self._path))
        self._tail = read_tail(journal_path(self._path), stored, ordinals)
        behind = sum(row[1] is None for row in self._tail.rows)
        self._records, self._parts = stored + behind, ordinals + len(self._tail.rows) - behind

    def _take_up(self) -> None:
        """Begin to append where the log ends; rebuild the state of the encoder of part lists."""
        self._begin()
        decoder = RefsDecoder()
        for seq, raw, refs in fetch_refs(self._connection, 0, self._records):
            header = decode_header(raw, seq)
            self._encoder.encode(header, decoder.decode(header, refs))

    def _begin(self) -> None:
        """Begin to append. What the journal of an earlier writer holds goes into the database."""
        self._appender = self._connection.appender("log")
        if self._tail.rows:
            self._transfer(self._tail.rows, self._records)
        self._journal = Journal.open(journal_path(self._path))
        self._settle()


def _refuse_existing(path: Path) -> None:
    for file in (path, wal_path(path), journal_path(path)):
        if file.exists():
            raise LogError("there is a log already, or a piece of one", where=str(file))


def _flush_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
