"""Standard output: recorded as written, let out once what it rests on is durable."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, cast

from replay.doors.context import current

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OutputDoor"]


class _Stream(io.RawIOBase):
    """The binary side of the door."""

    def __init__(self, name: str, real: BinaryIO, pass_on: Callable[[bytes], None]) -> None:
        self._name = name
        self._real = real
        self._pass_on = pass_on

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any, /) -> int:
        """Record bytes of the program; pass those of other threads through."""
        copy = bytes(data)
        context = current()
        if context is None:
            self._real.write(copy)
            self._real.flush()
        elif copy:
            context.recorder.write(self._name, copy)
            self._pass_on(copy)
        return len(copy)

    def isatty(self) -> bool:
        """Return False: a program that draws for a terminal would not repeat without one."""
        return False

    def fileno(self) -> int:
        """Return the real descriptor."""
        return self._real.fileno()


class OutputDoor:
    """Stands in for ``sys.stdout`` during a run.

    Args:
        pass_on: takes the bytes on their way out.
    """

    def __init__(self, pass_on: Callable[[BinaryIO, bytes], None]) -> None:
        self._pass_on = pass_on
        self._before: TextIO | None = None
        self._text: TextIO | None = None

    def install(self) -> None:
        """Put the door in place."""
        self._before = before = sys.stdout
        before.flush()
        real: BinaryIO = getattr(before, "buffer", None) or cast("BinaryIO", _Encoded(before))
        door = _Stream("stdout", real, lambda data: self._pass_on(real, data))
        sys.stdout = io.TextIOWrapper(
            door,
            encoding="utf-8",
            errors="surrogateescape",
            newline="\n",
            write_through=True,
        )
        self._text = sys.stdout

    def flush(self) -> None:
        """Write what the program left in the stream's buffer; none is there unless it made one."""
        if self._text is not None:
            with contextlib.suppress(ValueError):  # closed, or detached
                self._text.flush()

    def remove(self) -> None:
        """Give the stream back."""
        if self._before is not None:
            sys.stdout, self._before = self._before, None


class _Encoded(io.RawIOBase):
    """The binary side of a text stream that has none, such as a notebook's or a test's."""

    def __init__(self, text: TextIO) -> None:
        self._text = text

    def write(self, data: Any, /) -> int:
        """Write bytes as text."""
        self._text.write(bytes(data).decode("utf-8", "replace"))
        return len(bytes(data))

    def flush(self) -> None:
        """Flush the text stream."""
        self._text.flush()
