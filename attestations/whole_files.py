"""Small files that are there whole or not at all, whatever ends the process.

The one invariant: nothing is written through a name that somebody else may have made. The bytes go
to a new file beside the place, which no link can stand for, and its name is changed in one step.
What somebody names is read without waiting for anybody to write it.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ["read_regular", "write_whole"]

_ENTROPY_BYTES = 8


def read_regular(path: Path, most_bytes: int) -> bytes:
    """Read the beginning of a regular file; a pipe could keep its reader waiting forever.

    Args:
        path: the file; a link to one will do.
        most_bytes: how much of it; one more than is allowed shows one that is too long.

    Raises:
        OSError: it is not there, no regular file, or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", os.fspath(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(most_bytes)
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file, or put it in the place of the one that is there, durably.

    Args:
        path: the file; a link is replaced, not followed.
        data: all of it.
        mode: its permissions, less what the process masks.

    Raises:
        OSError: the disk refuses; what stood there still does, and nothing is left beside it.
    """
    temporary = path.with_name(f".{os.urandom(_ENTROPY_BYTES).hex()}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
