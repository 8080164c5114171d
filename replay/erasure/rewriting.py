"""A run's store written anew without some parts, and put in the place of the old one.

The one invariant: at every moment the run's directory holds the old store or the new one, whole.
Deleting in a database leaves the bytes in its file (measured: DELETE and CHECKPOINT both), so the
new store is another file, which never held them. Its name is changed in one step.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from replay.errors import IntegrityError, LogError
from replay.events.entry import Entry, Part
from replay.log.duckdb_schema import LOG_NAME, wal_path
from replay.log.duckdb_store import DuckDBStore
from replay.log.frames import flush_directory
from replay.log.fsck import check
from replay.log.journal import journal_path
from replay.log.lock import RunLock
from replay.log.port import LogReader

__all__ = ["FRESH_NAME", "discard", "put_in_place", "write_without"]

#: Where the new store is made, inside the run's directory.
FRESH_NAME: Final = "erasing"
_AT_ONCE: Final = 500


def write_without(
    directory: Path, lock: RunLock, parts: Sequence[int], places: Sequence[int], root: str
) -> Path:
    """Write the store of a run anew, without some parts, and check it. The old one stays.

    Args:
        directory: the run's directory.
        lock: its exclusive lock, which stays taken.
        parts: ordinals of the parts that go, with their salts.
        places: records whose place in the program goes.
        root: hex root that the run has.

    Returns:
        The directory of the new store.

    Raises:
        IntegrityError: the old store cannot be read, or the new one does not hold.
        LogError: the disk refuses.
    """
    fresh = directory / FRESH_NAME
    discard(fresh)
    _settle(directory, lock)
    old = DuckDBStore.open(directory, lock=lock.borrowed())
    try:
        new = DuckDBStore.create(fresh)
        try:
            entries = _without(old, frozenset(parts), frozenset(places))
            while batch := list(islice(entries, _AT_ONCE)):
                new.append(batch)
        finally:
            new.close()
    finally:
        old.close()
    if _behind(fresh):
        raise LogError("the new store could not be brought into one file", where=str(fresh))
    _check(fresh, root, len(parts))
    _flush(fresh / LOG_NAME)
    return fresh


def put_in_place(fresh: Path, directory: Path) -> None:
    """Replace the store of a run by the new one, durably, in one step.

    Raises:
        LogError: the disk refuses; one of the two is in place, whole.
    """
    try:
        (fresh / LOG_NAME).rename(directory / LOG_NAME)
        flush_directory(directory)
    except OSError as error:
        raise LogError(
            f"the new store cannot be put in place: {error.strerror}", where=str(directory)
        ) from error
    discard(fresh)


def discard(path: Path) -> None:
    """Remove a file or a directory with all in it, if it is there; links are not followed.

    Raises:
        LogError: the disk refuses.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise LogError(f"cannot be removed: {error.strerror}", where=str(path)) from error


def _settle(directory: Path, lock: RunLock) -> None:
    """Bring what lies behind the main file into it: it must not outlive it."""
    if not _behind(directory):
        return
    DuckDBStore.open(directory, read_only=False, lock=lock.borrowed()).close()
    if _behind(directory):
        raise LogError(
            "the store's journal or write-ahead file cannot be emptied", where=str(directory)
        )


def _behind(directory: Path) -> bool:
    """Return whether records may lie in another file than the main one."""
    log = directory / LOG_NAME
    return wal_path(log).exists() or journal_path(log).exists()


def _without(reader: LogReader, parts: frozenset[int], places: frozenset[int]) -> Iterator[Entry]:
    for entry in reader.entries():
        brought = tuple(_erased(part) if part.ordinal in parts else part for part in entry.brought)
        place = None if entry.header.seq in places else entry.place
        yield msgspec.structs.replace(entry, brought=brought, place=place)


def _erased(part: Part) -> Part:
    return msgspec.structs.replace(part, data=None, salt=b"", state="erased")


def _check(fresh: Path, root: str, erased: int) -> None:
    """Check the new store as anybody would, before it replaces the old one."""
    store = DuckDBStore.open(fresh)
    try:
        found = check(store)
    finally:
        store.close()
    if found.integrity != "ok" or found.root != root or found.holes.erased < erased:
        message = found.findings[0].message if found.findings else "another root, or fewer holes"
        raise IntegrityError(f"the new store does not hold: {message}", where=str(fresh))


def _flush(path: Path) -> None:
    """Flush a file that nobody has open; a database's own lock would not survive this."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
