"""Contents of files: taken as they are at one moment, and held behind a descriptor of our own.

A real descriptor, not a Python object: what the program does with it in C (`sendfile`, `flock`,
`numpy`, `mmap` for reading) works, live and in a replay.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "FILE_BYTES_MAX",
    "anonymous",
    "moved_up",
    "pieces",
    "snapshot",
    "taken",
    "write_whole",
]

#: Larger files are no inputs; larger written files are compared by digest.
FILE_BYTES_MAX: Final = 16 << 20
#: Descriptors of the program's files are numbered from here, so that the numbers repeat.
_NUMBERS_FROM: Final = 200
_DESCRIPTORS: Final = "/proc/self/fd/"
_PIECE_BYTES: Final = 1 << 20


def taken(descriptor: int, size_max: int = FILE_BYTES_MAX) -> bytes | None:
    """Return the whole content of a file, or None if it has more than so many bytes.

    Read to its end, not by its size: a file of ``/proc`` says that it is empty.
    """
    content = b"".join(pieces(descriptor, 0, size_max + 1))
    return content if len(content) <= size_max else None


def pieces(descriptor: int, start: int = 0, size_max: int | None = None) -> Iterator[bytes]:
    """Yield the content of a file from an offset on; its position stays where it is."""
    position = start
    while size_max is None or position - start < size_max:
        wanted = _PIECE_BYTES if size_max is None else size_max - (position - start)
        piece = os.pread(descriptor, min(wanted, _PIECE_BYTES), position)
        if not piece:
            return
        yield piece
        position += len(piece)


def write_whole(descriptor: int, data: bytes) -> None:
    """Write all of the data at the file's position.

    Raises:
        OSError: the disk did not take it.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def anonymous() -> int:
    """Return a descriptor of a new file without a name, for reading and writing."""
    descriptor, name = _new_file()
    if not name.startswith(_DESCRIPTORS):
        os.unlink(name)  # noqa: PTH108 - no door is asked
    return descriptor


def snapshot(content: bytes) -> int:
    """Return a descriptor that reads a content, and cannot write."""
    writing, name = _new_file()
    try:
        write_whole(writing, content)
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(writing)
        if not name.startswith(_DESCRIPTORS):
            os.unlink(name)  # noqa: PTH108 - no door is asked


def moved_up(descriptor: int) -> int:
    """Return the descriptor under a number that does not depend on what else is open here."""
    try:
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _NUMBERS_FROM)
    except OSError:
        return descriptor  # fewer are allowed: then the number depends on it
    os.close(descriptor)
    return moved


def _new_file() -> tuple[int, str]:
    """Return a descriptor of a new file, and a name under which it can be opened again."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("ritornello")
        return descriptor, f"{_DESCRIPTORS}{descriptor}"
    return tempfile.mkstemp()
