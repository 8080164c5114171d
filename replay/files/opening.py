"""``open``, ``os.open`` and ``os.close``, as they are for a program in a run."""

from __future__ import annotations

import errno
import io
import os
from typing import TYPE_CHECKING, Any, Final

from replay.files.objects import Mode, stacked
from replay.files.program_files import LET_THROUGH

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.files.program_files import Files

__all__ = ["OPENINGS"]

_Real = Any
_FLAGS: Final = {
    "r": os.O_RDONLY,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
}
_CREATION_MODE: Final = 0o666
_SAME_EVERYWHERE: Final = LET_THROUGH[0]
_ENTROPY: Final = LET_THROUGH[1:]


def _open(
    files: Files,
    real: _Real,
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,  # noqa: FBT001, FBT002 - as `open` takes it
    opener: Callable[[Any, int], int] | None = None,
) -> Any:
    arguments = (file, mode, buffering, encoding, errors, newline, closefd, opener)
    try:
        parts = Mode(mode)
    except (TypeError, ValueError):
        return real(*arguments)  # says what is wrong with it
    if parts.binary and not encoding is errors is newline is None:
        return real(*arguments)
    if not parts.binary and buffering == 0:
        raise ValueError("can't have unbuffered text I/O")
    layers = (mode, buffering, encoding, errors, newline)
    if isinstance(file, int):
        stream = files.standard_output(file)
        if stream is not None and parts.writes:
            return _stream(stream, parts, buffering, encoding, errors, newline)
        handle = files.table.get(file)
        if handle is None:
            return real(*arguments)
        return files.file_object(handle, *layers, file, closefd=closefd)
    if not closefd:
        return real(*arguments)  # raises
    named = files.named(file)
    if named.absolute == _SAME_EVERYWHERE or (
        not parts.writes and files.places.is_code(named.absolute)
    ):
        return real(*arguments)
    if named.absolute in _ENTROPY and not parts.writes and opener is None:
        coding = files.encoding if encoding in {None, "locale"} else encoding
        return stacked(_Entropy(named.given), mode, buffering, coding, errors, newline)
    flags = _flags(parts.raw)
    if opener is not None:
        descriptor = opener(named.given, flags)
        handle = files.table.get(descriptor)
        if handle is None:
            return files.outside(real, file, *arguments[1:-1], lambda _path, _flags: descriptor)
        return files.file_object(handle, *layers, named.given, closefd=True)
    descriptor = files.open(named, file, flags, _CREATION_MODE, None)
    if descriptor < 0:
        return files.outside(real, *arguments)
    handle = files.table[descriptor]
    if handle.form == "directory":
        _close(files, os.close, descriptor)
        raise _is_a_directory(named.given)
    return files.file_object(handle, *layers, named.given, closefd=True)


def _os_open(
    files: Files,
    real: _Real,
    path: Any,
    flags: int,
    mode: int = 0o777,
    *,
    dir_fd: int | None = None,
) -> int:
    named = files.named(path, dir_fd)
    reads = flags & os.O_ACCMODE == os.O_RDONLY
    if named.absolute == _SAME_EVERYWHERE or (reads and files.places.is_code(named.absolute)):
        return int(real(path, flags, mode, dir_fd=dir_fd))
    descriptor = files.open(named, path, flags, mode, dir_fd)
    if descriptor < 0:
        descriptor = files.outside(lambda: int(real(path, flags, mode, dir_fd=dir_fd)))
    return descriptor


def _close(files: Files, real: _Real, fd: int) -> None:
    handle = files.table.get(fd)
    try:
        if handle is not None:
            handle.close()
    finally:
        files.outside(real, fd)


def _write(files: Files, real: _Real, fd: int, data: Any) -> int:
    stream = files.standard_output(fd)
    return int(real(fd, data) if stream is None else stream.write(data))


def _dup(files: Files, real: _Real, fd: int, *rest: Any, **more: Any) -> Any:
    handle = files.table.get(fd)
    if handle is not None or files.standard_output(fd) is not None:
        # What is written to the second one is seen by nobody.
        files.gap("duplicated-descriptor", "stdout" if handle is None else handle.named.spelled)
    return real(fd, *rest, **more)


def _stream(
    raw: io.RawIOBase,
    parts: Mode,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> Any:
    """Return a stream to standard output with what the program wants around it."""
    if parts.binary and buffering == 0:
        return raw
    buffered = io.BufferedWriter(raw)
    if parts.binary:
        return buffered
    return io.TextIOWrapper(buffered, encoding, errors, newline, line_buffering=buffering == 1)


class _Entropy(io.RawIOBase):
    """The device that gives random bytes."""

    mode = "rb"

    def __init__(self, name: object) -> None:
        self.name = name

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer with bytes of `os.urandom`, which is answered."""
        view = memoryview(buffer)
        view[:] = os.urandom(len(view))
        return len(view)


def _flags(raw_mode: str) -> int:
    flags = _FLAGS[raw_mode[0]]
    if "+" in raw_mode:
        flags = flags & ~os.O_WRONLY | os.O_RDWR
    return flags | os.O_CLOEXEC


def _is_a_directory(name: object) -> OSError:
    return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)


#: The doors for ``open``, ``os.open``, and what else is done to descriptors.
OPENINGS: Final[dict[str, Callable[..., object]]] = {
    "close": _close,
    "dup": _dup,
    "dup2": _dup,
    "write": _write,
    "io.open": _open,
    "open": _os_open,
}
