"""What ``os.scandir`` gives: entries whose names and types are on record."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any, Final

from replay.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

__all__ = ["Entry", "Scan", "entries_of", "pack_entries"]

_TYPES: Final = {"d", "f", "l", "o"}


class Entry:
    """A directory entry, as ``os.DirEntry`` is one."""

    __slots__ = ("_fd", "_lstat", "_stat", "_type", "name", "path")

    def __init__(self, name: str | bytes, path: str | bytes, kind: str, fd: int | None) -> None:
        self.name = name
        self.path = path
        self._type = kind
        self._fd = fd
        self._stat: os.stat_result | None = None
        self._lstat: os.stat_result | None = None

    def __fspath__(self) -> str | bytes:
        return self.path

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"

    def is_symlink(self) -> bool:
        """Return whether it is a link."""
        return self._type == "l"

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Return whether it is a directory, or a link to one."""
        return self._is("d", stat.S_ISDIR, follow_symlinks)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Return whether it is a regular file, or a link to one."""
        return self._is("f", stat.S_ISREG, follow_symlinks)

    def is_junction(self) -> bool:
        """Return False: there are none but on Windows."""
        return False

    def inode(self) -> int:
        """Return its number in the file system."""
        return self.stat(follow_symlinks=False).st_ino

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return how it looks; asked once."""
        if follow_symlinks and self._type == "l":
            if self._stat is None:
                self._stat = self._ask(follow=True)
            return self._stat
        if self._lstat is None:
            self._lstat = self._ask(follow=False)
        return self._lstat

    def _ask(self, *, follow: bool) -> os.stat_result:
        if self._fd is None:
            return os.stat(self.path, follow_symlinks=follow)  # noqa: PTH116 - bytes too
        return os.stat(self.name, dir_fd=self._fd, follow_symlinks=follow)

    def _is(self, kind: str, test: Any, follow: bool) -> bool:  # noqa: FBT001
        if self._type != "l" or not follow:
            return self._type == kind
        try:
            return bool(test(self.stat().st_mode))
        except FileNotFoundError:
            return False


class Scan:
    """The iterator of a directory; a context manager too."""

    def __init__(self, entries: list[Entry]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        return next(self._entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget the rest."""
        self._entries = iter(())


def pack_entries(scan: Iterator[os.DirEntry[Any]]) -> list[str]:
    """Return names and types, in the order in which the system gave them."""
    packed: list[str] = []
    for entry in scan:
        packed += (os.fsdecode(entry.name), _type_of(entry))
    return packed


def entries_of(packed: list[str], path: object, where: str) -> list[Entry]:
    """Return the entries of a directory.

    Args:
        packed: names and types.
        path: what was scanned, as the program named it; a descriptor too.
        where: the question, for people.

    Raises:
        IntegrityError: no directory has such names.
    """
    names, types = packed[::2], packed[1::2]
    if len(names) != len(types) or not _TYPES.issuperset(types):
        raise IntegrityError("an answer of the disk is malformed", where=where)
    fd = path if isinstance(path, int) else None
    as_bytes = isinstance(path, bytes)
    entries: list[Entry] = []
    for text, kind in zip(names, types, strict=True):
        name: Any = os.fsencode(text) if as_bytes else text
        full = name if fd is not None else _joined(path, name)
        entries.append(Entry(name, full, kind, fd))
    return entries


def _joined(path: Any, name: Any) -> Any:
    return os.path.join(path, name)  # noqa: PTH118 - bytes too


def _type_of(entry: os.DirEntry[Any]) -> str:
    if entry.is_symlink():
        return "l"
    if entry.is_dir(follow_symlinks=False):
        return "d"
    return "f" if entry.is_file(follow_symlinks=False) else "o"
