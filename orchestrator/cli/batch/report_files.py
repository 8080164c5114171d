"""Which files a report is written into: regular ones, and what stands for an open stream."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from replay.errors import UsageError

__all__ = ["is_same_file", "refuse_no_file"]

#: `/dev/stdout`, `/dev/fd/63` of a shell's `>(…)`: a pipe there is open already.
_STREAMS: Final = ("/dev/", "/proc/")


def refuse_no_file(path: Path) -> None:
    """Refuse what no report can be written into, before anything runs.

    A pipe with a name would make the command wait for somebody who reads it.

    Raises:
        UsageError: it is a directory, a pipe, a socket or a disk.
        OSError: nobody can tell.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise UsageError("a directory is no file for a report", where=str(path))
    if stat.S_ISREG(mode) or stat.S_ISCHR(mode):
        return
    if stat.S_ISFIFO(mode) and os.path.realpath(path).startswith(_STREAMS):
        return
    raise UsageError(
        "this is no file for a report",
        where=str(path),
        hint="name a new or a regular file, or /dev/stdout",
    )


def is_same_file(one: Path, other: Path) -> bool:
    """Return whether what is written into one replaces what was written into the other."""
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    return one.exists() and other.exists() and one.samefile(other)
