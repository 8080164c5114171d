"""Standard error: passed through and in no record; whether it was a terminal is answered."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import TYPE_CHECKING, Any, TextIO

from replay.doors.counted import CountedDoor
from replay.doors.streams.standing_stream import StandingStream
from replay.doors.surroundings.terminal import stream_is_terminal

if TYPE_CHECKING:
    from replay.doors.context import DoorContext

__all__ = ["ErrorDoor", "give_error"]


class _Error(io.RawIOBase):
    """The binary side of one run's stream."""

    def __init__(self, real: TextIO | None, coding: tuple[str, str]) -> None:
        self._real = real
        self._coding = coding

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any, /) -> int:
        """Pass bytes on; that nobody reads them is no affair of the program's."""
        copy, real = bytes(data), self._real
        binary = getattr(real, "buffer", None)
        with contextlib.suppress(OSError, ValueError):
            if binary is not None:
                binary.write(copy)
                binary.flush()
            elif real is not None:
                real.write(copy.decode(self._coding[0], "replace"))
                real.flush()
        return len(copy)

    def isatty(self) -> bool:
        """Return whether it was a terminal."""
        real = self._real
        return stream_is_terminal("stderr", lambda: real is not None and real.isatty())

    def fileno(self) -> int:
        """Return the real descriptor."""
        if self._real is None:
            raise io.UnsupportedOperation("fileno")
        return self._real.fileno()


class ErrorDoor(CountedDoor):
    """Stands in for ``sys.stderr`` while at least one run is on stage."""

    real: TextIO | None = None

    def put(self) -> None:
        """Put the door in place."""
        self.real = sys.stderr
        sys.stderr = StandingStream(self.real, lambda context: context.stderr)

    def take_back(self) -> None:
        """Give the stream back, whatever a program put in its place."""
        sys.stderr = self.real


def give_error(context: DoorContext, real: TextIO | None, coding: tuple[str, str]) -> None:
    """Give a run its own standard error.

    Args:
        context: the run.
        real: the stream of the process, None if it has none.
        coding: encoding and error handler.
    """
    encoding, errors = coding
    raw = _Error(real, coding)
    context.stderr = io.TextIOWrapper(raw, encoding=encoding, errors=errors, write_through=True)  # type: ignore[type-var]
