"""One writer for each run: an advisory lock on a file of its own.

The one invariant: whoever writes a run's log holds ``run.lock`` exclusively, whoever reads it as a
database holds it shared. The database has a lock too, but a POSIX one: any ``open`` and ``close``
of the file in the writer's process drops it, and a second writer then destroys what the first
commits. This lock belongs to an open file description, so nothing but its owner can drop it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from replay.errors import LogError
from replay.log.regular_files import open_regular
from replay.own_locks import OwnEvent

__all__ = ["LOCK_NAME", "RunLock", "is_written"]

LOCK_NAME = "run.lock"
#: How often a writer tries, and how long it waits in between, seconds.
_LOOKS: Final = 20
_BETWEEN_LOOKS_S: Final = 0.001


class RunLock:
    """A held lock. It is bound to the process that took it: a forked child may not use it."""

    def __init__(self, descriptor: int | None, path: Path) -> None:
        self._descriptor = descriptor
        self._path = path
        self._owner = os.getpid()

    @classmethod
    def exclusive(cls, directory: Path) -> RunLock:
        """Take the lock for writing.

        Raises:
            LogError: someone holds it (names the process), or the directory cannot be written.
        """
        lock = cls.claim(directory)
        try:
            lock.sign()
        except LogError:
            lock.release()
            raise
        return lock

    @classmethod
    def claim(cls, directory: Path) -> RunLock:
        """Take the lock for writing and change no byte yet; :meth:`sign` says who has it.

        Raises:
            LogError: someone holds it, or the directory cannot be written.
        """
        path = directory / LOCK_NAME
        try:
            descriptor = open_regular(path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise _unusable(path, error) from error
        try:
            _lock(descriptor, fcntl.LOCK_EX, path)
        except LogError:
            os.close(descriptor)
            raise
        return cls(descriptor, path)

    def sign(self) -> None:
        """Write into the lock's file which process holds it.

        Raises:
            LogError: it cannot be written.
        """
        if self._descriptor is None:
            return
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, b"%d\n" % os.getpid(), 0)
        except OSError as error:
            raise _unusable(self._path, error) from error

    def borrowed(self) -> RunLock:
        """Return a lock for whoever works under this one; giving it back changes nothing."""
        return RunLock(None, self._path)

    @classmethod
    def shared(cls, directory: Path) -> RunLock:
        """Take the lock for reading; changes nothing on disk, and needs no lock file.

        Raises:
            LogError: the run is being written; names the process.
        """
        path = directory / LOCK_NAME
        try:
            descriptor = open_regular(path, os.O_RDONLY)
        except FileNotFoundError:
            return cls(None, path)
        except OSError as error:
            raise _unusable(path, error) from error
        try:
            _lock(descriptor, fcntl.LOCK_SH, path)
        except LogError:
            os.close(descriptor)
            raise
        return cls(descriptor, path)

    def check(self) -> None:
        """Check that this is still the process that took the lock.

        Raises:
            LogError: it is a forked child.
        """
        if os.getpid() != self._owner:
            raise LogError(
                f"the log was opened by process {self._owner}, and this is a forked child",
                where=str(self._path.parent),
                hint="do not fork while a log is open; start a new process",
            )

    def release(self) -> None:
        """Give the lock back. Releasing twice is harmless.

        Closes the file and does not unlock it: an unlock in a forked child would take the lock
        away from its parent.
        """
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_written(directory: Path) -> bool:
    """Return whether a live process writes a run: whether its lock cannot be shared.

    Changes nothing. Who only reads a run does not count; a writer that was killed has no lock.
    """
    try:
        descriptor = open_regular(directory / LOCK_NAME, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:  # of another kind where the file system knows no such locks
        return isinstance(error, BlockingIOError)
    finally:
        os.close(descriptor)
    return False


def _lock(descriptor: int, operation: int, path: Path) -> None:
    # Who asks `is_written` has the lock for a moment, and is in no writer's way.
    looks = _LOOKS if operation == fcntl.LOCK_EX else 1
    while not _taken(descriptor, operation):
        looks -= 1
        if looks:
            OwnEvent().wait(_BETWEEN_LOOKS_S)
            continue
        raise LogError(
            _holder(descriptor, reading=operation == fcntl.LOCK_SH),
            where=str(path.parent),
            hint="wait until it ends, or look at a copy of the directory",
        )


def _taken(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int, *, reading: bool) -> str:
    """Say who is in the way. The file names the last writer; readers leave no trace."""
    if not reading:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            return "the run is being read by another process"
    digits = os.pread(descriptor, 20, 0).strip()
    # The name may be that of a writer that is gone: a resume that has not begun to write signs it
    # later.
    named = digits.isdigit() and _is_there(int(digits))
    process = f"process {int(digits)}" if named else "another process"
    return f"the run is being written by {process}"


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _unusable(path: Path, error: OSError) -> LogError:
    return LogError(
        f"the run's lock cannot be taken: {error.strerror}",
        where=str(path),
        hint="check that the directory exists and may be written",
    )
