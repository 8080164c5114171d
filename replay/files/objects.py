"""The file objects that a program gets: those of `io`, over a descriptor that the run knows.

The one invariant: the run is told before a descriptor is closed, however that comes about.
"""

from __future__ import annotations

import io
import warnings
from typing import IO, TYPE_CHECKING, Any, Final

from replay.files.content import write_whole

if TYPE_CHECKING:
    from replay.files.handle import Handle

__all__ = ["Mode", "ProgramFile", "WaitingFile", "stacked"]

_PENDING_BYTES_MAX: Final = 4 << 20


class Mode:
    """A mode of ``open``, taken apart.

    Raises:
        ValueError: it is none.
    """

    __slots__ = ("binary", "raw", "writes")

    def __init__(self, mode: str) -> None:
        kinds = set(mode)
        action = kinds & set("rwax")
        if kinds - set("rwaxbt+") or len(mode) > len(kinds) or len(action) != 1:
            raise ValueError(mode)
        if kinds >= {"b", "t"}:
            raise ValueError(mode)
        self.binary = "b" in kinds
        self.raw = "".join(action) + ("+" if "+" in kinds else "")
        self.writes = self.raw != "r"


class ProgramFile(io.FileIO):
    """The lowest layer of a program's file."""

    __module__ = "_io"

    def __init__(self, handle: Handle, mode: str, name: object, *, closefd: bool = True) -> None:
        super().__init__(handle.descriptor, mode, closefd)
        self.name = name
        self._handle = handle

    def __repr__(self) -> str:
        if self.closed:
            return "<_io.FileIO [closed]>"
        return f"<_io.FileIO name={self.name!r} mode={self.mode!r} closefd={self.closefd}>"

    def close(self) -> None:
        """Tell the run, then close."""
        handle = getattr(self, "_handle", None)
        try:
            if not self.closed and self.closefd and handle is not None:
                handle.close()
        finally:
            super().close()


class WaitingFile(ProgramFile):
    """One that is written live: bytes reach the disk once all that they rest on is durable.

    The program does not wait for that, unless it does something for which the bytes must be there.
    """

    __module__ = "_io"

    def write(self, data: Any, /) -> int:
        """Take bytes on their way to the disk."""
        handle = self._handle
        if handle.is_shared or handle.pending_bytes > _PENDING_BYTES_MAX:
            handle.settle()
            handle.gate()
            return super().write(data)
        if self.closed or not self.writable():
            return super().write(data)  # raises as it always does
        copy = bytes(data)
        handle.write_later(copy, lambda: write_whole(handle.descriptor, copy))
        return len(copy)

    def fileno(self) -> int:
        """Return the descriptor; from now on nothing is written behind the program's back."""
        self._handle.settle()
        self._handle.is_shared = True
        return super().fileno()

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move, behind what was written."""
        self._handle.settle()
        return super().seek(offset, whence)

    def tell(self) -> int:
        """Return the position behind what was written."""
        self._handle.settle()
        return super().tell()

    def truncate(self, size: int | None = None, /) -> int:
        """Cut off, after what was written."""
        self._handle.settle()
        self._handle.gate()
        return super().truncate(size)

    def read(self, size: int | None = -1, /) -> bytes | Any:
        """Read, with what was written."""
        self._handle.settle()
        return super().read(-1 if size is None else size)

    def readall(self) -> bytes | Any:
        """Read the rest, with what was written."""
        self._handle.settle()
        return super().readall()

    def readinto(self, buffer: Any, /) -> int | Any:
        """Read, with what was written."""
        self._handle.settle()
        return super().readinto(buffer)


# What `repr` and error messages say is what they always say.
ProgramFile.__name__ = ProgramFile.__qualname__ = "FileIO"
WaitingFile.__name__ = WaitingFile.__qualname__ = "FileIO"


def stacked(
    raw: io.RawIOBase,
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> IO[Any]:
    """Return the layers above a raw file, as ``open`` puts them there.

    Args:
        raw: the lowest layer; closed if the layers cannot be made.
        mode: the program's mode.
        buffering: as ``open`` takes it; not 0 for text.
        encoding: that of a text file.
        errors: as ``open`` takes it.
        newline: as ``open`` takes it.
    """
    binary = "b" in mode
    try:
        line_buffering = buffering == 1
        if line_buffering and binary:
            warnings.warn(
                "line buffering (buffering=1) isn't supported in binary mode, "
                "the default buffer size will be used",
                RuntimeWarning,
                stacklevel=4,
            )
        if buffering == 0:
            return raw  # type: ignore[return-value]
        size = io.DEFAULT_BUFFER_SIZE if buffering in {-1, 1} else buffering
        buffer: io.BufferedRandom | io.BufferedWriter | io.BufferedReader
        if "+" in mode:
            buffer = io.BufferedRandom(raw, size)
        elif "r" in mode:
            buffer = io.BufferedReader(raw, size)
        else:
            buffer = io.BufferedWriter(raw, size)
        if binary:
            return buffer
        text = io.TextIOWrapper(
            buffer, encoding, errors, newline, line_buffering=line_buffering and not binary
        )
        text.mode = mode  # type: ignore[misc]  # as `open` sets it
    except BaseException:
        raw.close()
        raise
    return text
