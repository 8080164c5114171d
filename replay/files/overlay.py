"""The overlay: where the files are that a program writes during a replay.

A path below the working directory keeps its place below the overlay's root; any other lies below
``.absolute``. The one invariant: nothing outside of the root is touched. Each step of a path is
opened from the one before and follows no link, and the overlay itself makes none.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from replay.errors import UsageError
from replay.files.content import anonymous, pieces, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Overlay", "checked_directory"]

_STEPS_MAX: Final = 128
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ABSOLUTE: Final = ".absolute"
#: What an owner needs, so that a replay can go on with what it made.
_FILE_MODE: Final = 0o600
_DIRECTORY_MODE: Final = 0o700


def checked_directory(directory: Path) -> Path:
    """Return an absolute path that is absent or an empty directory.

    Raises:
        UsageError: it is something else.
    """
    path = directory.absolute()
    try:
        if any(path.iterdir()):
            raise UsageError("the directory is not empty", where=str(path), hint="name a new one")
    except FileNotFoundError:
        return path
    except OSError as error:
        raise UsageError(f"no directory: {error.strerror}", where=str(path)) from None
    return path


class Overlay:
    """The files written in one replay.

    Args:
        directory: an absent or empty directory that is kept; None for one that goes with the
            overlay.

    Raises:
        UsageError: the directory is not empty, or cannot be made.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._temporary = directory is None
        if directory is None:
            self.root = Path(tempfile.mkdtemp(prefix="ritornello-"))
        else:
            self.root = checked_directory(directory)
            try:
                self.root.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(
                    f"the directory cannot be made: {error.strerror}", where=str(self.root)
                ) from None
        self._root = os.open(self.root, _DIRECTORY)
        #: Files that could not be placed: they were compared all the same.
        self.unplaced: list[str] = []

    def close(self) -> None:
        """Let go of the overlay; a temporary one is removed."""
        os.close(self._root)
        if self._temporary:
            shutil.rmtree(self.root, ignore_errors=True)

    def notes(self) -> tuple[str, ...]:
        """Return what a reader of the report must know."""
        if not self.unplaced:
            return ()
        more = f" and {len(self.unplaced) - 1} more" if len(self.unplaced) > 1 else ""
        return (f"compared, but not kept in the overlay: {self.unplaced[0]}{more}",)

    # --- what a program does ------------------------------------------------------------------

    def open(self, spelled: str, flags: int, mode: int, before: bytes | int | None) -> int:
        """Open a file for writing; return its descriptor, for reading too.

        Args:
            spelled: its path as the record spells it.
            flags: as ``os.open`` takes them; whether it was there is for the record to say.
            mode: permissions of a new file.
            before: what it held; the number of bytes of a content that nobody needs; or None.
        """
        wanted = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | (flags & os.O_APPEND)
        descriptor = -1
        if not flags & getattr(os, "O_TMPFILE", 0) & ~os.O_DIRECTORY:
            with contextlib.suppress(OSError), self._parent(spelled) as (parent, name):
                descriptor = os.open(name, wanted, mode & 0o777 | _FILE_MODE, dir_fd=parent)
            if descriptor < 0:
                self.unplaced.append(spelled)
        if descriptor < 0:
            descriptor = anonymous()
        if before is None:
            os.ftruncate(descriptor, 0)
        elif isinstance(before, int):
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, before)
        elif b"".join(pieces(descriptor, 0, len(before) + 1)) != before:
            os.ftruncate(descriptor, 0)
            write_whole(descriptor, before)
            os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    def mkdir(self, spelled: str) -> None:
        """Make a directory."""
        with self._parent(spelled) as (parent, name):
            os.mkdir(name, _DIRECTORY_MODE, dir_fd=parent)

    def rmdir(self, spelled: str) -> None:
        """Remove an empty directory."""
        with self._parent(spelled, make=False) as (parent, name):
            os.rmdir(name, dir_fd=parent)

    def remove(self, spelled: str) -> None:
        """Remove a file."""
        with self._parent(spelled, make=False) as (parent, name):
            os.unlink(name, dir_fd=parent)

    def rename(self, source: str, target: str) -> None:
        """Move a file or directory."""
        with self._parent(source, make=False) as old, self._parent(target) as new:
            os.replace(old[1], new[1], src_dir_fd=old[0], dst_dir_fd=new[0])

    def link(self, source: str, target: str) -> None:
        """Give a file a second name."""
        with self._parent(source, make=False) as old, self._parent(target) as new:
            os.link(old[1], new[1], src_dir_fd=old[0], dst_dir_fd=new[0], follow_symlinks=False)

    def chmod(self, spelled: str, mode: int) -> None:
        """Change permissions; the owner keeps those that a replay needs."""
        with self._parent(spelled, make=False) as (parent, name):
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            try:
                is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
                kept = _DIRECTORY_MODE if is_directory else _FILE_MODE
                os.fchmod(descriptor, mode & 0o777 | kept)
            finally:
                os.close(descriptor)

    def truncate(self, spelled: str, size: int) -> None:
        """Cut a file off."""
        with self._parent(spelled, make=False) as (parent, name):
            descriptor = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            try:
                os.ftruncate(descriptor, size)
            finally:
                os.close(descriptor)

    # --- how it gets there --------------------------------------------------------------------

    @contextlib.contextmanager
    def _parent(self, spelled: str, *, make: bool = True) -> Iterator[tuple[int, str]]:
        """Open the directory of a file, step by step, and give it with the file's name in it."""
        *steps, name = _steps(spelled)
        parent = os.dup(self._root)
        try:
            for step in steps:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(step, _DIRECTORY_MODE, dir_fd=parent)
                below = os.open(step, _DIRECTORY, dir_fd=parent)
                os.close(parent)
                parent = below
            yield parent, name
        finally:
            os.close(parent)


def _steps(spelled: str) -> list[str]:
    """Return the steps from the root to a file.

    Raises:
        OSError: there is no such place in an overlay.
    """
    steps = [step for step in spelled.split("/") if step not in {"", "."}]
    if spelled.startswith("/") and steps:
        steps.insert(0, _ABSOLUTE)
    if not steps or len(steps) > _STEPS_MAX or ".." in steps or "\0" in spelled:
        raise OSError("no place in the overlay")
    return steps
