"""The head of a run: how many records its store held, and their root, when it was last asked.

The one invariant: a head is written after the commit it speaks of, so it is never ahead of the
store. A store that is shorter than its head has lost records. The database finds damaged bytes by
itself but opens a shortened log without a word; this file is what tells the two apart. It is
renamed into place and not flushed: after a loss of power it may be older than the store, which is
no contradiction.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from replay.errors import IntegrityError, LogError
from replay.log.regular_files import open_regular
from replay.tree.note import Checkpoint, parse_checkpoint

__all__ = ["HEAD_NAME", "check_head", "head_writer", "origin_of", "read_head", "write_head"]

HEAD_NAME: Final = "head"
_SIZE_MAX: Final = 4096
_RUN = re.compile(r"[0-9A-Za-z_-]{1,64}")


def origin_of(run: str) -> str:
    """Return the origin of a run's checkpoints.

    Raises:
        LogError: the run id holds characters that no run id has.
    """
    if _RUN.fullmatch(run) is None:
        raise LogError("a run id is 1 to 64 letters, digits, hyphens and underscores")
    return f"ritornello/run/{run}"


def write_head(directory: Path, checkpoint: Checkpoint) -> None:
    """Replace the head in a run's directory: temporary file, then rename.

    Raises:
        LogError: the file cannot be written; the earlier head is still there.
    """
    path = os.path.join(directory, HEAD_NAME)  # noqa: PTH118 - runs once for each commit
    temporary = f"{path}.new"
    try:
        descriptor = open_regular(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            body = checkpoint.body()
            # A disk or a limit that leaves room for a piece takes that, and says so by its size.
            if os.write(descriptor, body) != len(body):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)
        os.rename(temporary, path)  # noqa: PTH104
    except OSError as error:
        raise LogError(
            f"the head cannot be written: {error.strerror}",
            where=path,
            hint="free space or permissions; the records before it are safe",
        ) from error


def head_writer(directory: Path, run: str) -> Callable[[int, bytes], None]:
    """Return what a :class:`replay.log.writer.Writer` calls after each commit."""
    origin = origin_of(run)

    def write(size: int, root: bytes) -> None:
        write_head(directory, Checkpoint(origin, size, root))

    return write


def read_head(directory: Path) -> Checkpoint | None:
    """Return the head in a run's directory, or None if there is none.

    An empty file counts as none: it is what a loss of power can leave of a rename.

    Raises:
        ProofError: the file is not a checkpoint as this house writes them.
        LogError: the file cannot be read.
    """
    path = directory / HEAD_NAME
    try:
        with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
            data = file.read(_SIZE_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LogError(f"the head cannot be read: {error.strerror}", where=str(path)) from error
    if not data:
        return None
    checkpoint, _ = parse_checkpoint(data)
    return checkpoint


def check_head(directory: Path, size: int) -> None:
    """Check that a store with ``size`` records is not shorter than the head beside it.

    Raises:
        IntegrityError: it is: records that were durable are gone.
    """
    head = read_head(directory)
    if head is not None and head.size > size:
        raise IntegrityError(
            f"log is shorter than its head: {size} records of {head.size}",
            where=str(directory),
            hint="its journal or its write-ahead file is missing or cut; restore a copy",
        )
