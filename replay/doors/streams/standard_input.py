"""Standard input: what was read is on record, byte for byte, and a replay reads it from there.

A read that waits for somebody is a question like any other: the run waits with it. The one
invariant: how much one question brings does not depend on how much the program asked for, so a
library with another buffer reads the same record.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, Final, TextIO

from replay.doors.counted import CountedDoor
from replay.doors.streams.standing_stream import StandingStream
from replay.doors.surroundings.answering import ANSWERING, ask, refused
from replay.doors.surroundings.terminal import stream_is_terminal

if TYPE_CHECKING:
    from replay.doors.context import DoorContext

__all__ = ["InputDoor", "give_input"]

SOURCE: Final = "stdin"
_SIZE_MAX: Final = 8192


class _Input(io.RawIOBase):
    """The binary side of one run's input."""

    def __init__(self, real: TextIO | None) -> None:
        self._real = real
        self._left = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read at least one byte, or none at the end of the input."""
        view = memoryview(buffer).cast("B")
        data = self._left or self._ask()
        count = min(len(view), len(data))
        view[:count] = data[:count]
        self._left = data[count:]
        return count

    def _ask(self) -> bytes:
        answerer = ANSWERING.lookup()
        if answerer is None:
            return self._read()
        data = ask(answerer, SOURCE, "", self._read)
        if type(data) is not bytes or len(data) > _SIZE_MAX:
            raise refused(SOURCE, "", data, f"at most {_SIZE_MAX} bytes")
        return data

    def _read(self) -> bytes:
        real = self._real
        if real is None:
            return b""
        binary = getattr(real, "buffer", None)
        if binary is not None:
            data: bytes = binary.read1(_SIZE_MAX)
            return data
        # A text stream without bytes, such as a test's.
        return real.readline(_SIZE_MAX // 4).encode("utf-8", "surrogateescape")

    def isatty(self) -> bool:
        """Return whether it was a terminal."""
        real = self._real
        return stream_is_terminal("stdin", lambda: real is not None and real.isatty())

    def fileno(self) -> int:
        """Return the real descriptor."""
        if self._real is None:
            raise io.UnsupportedOperation("fileno")
        return self._real.fileno()


class InputDoor(CountedDoor):
    """Stands in for ``sys.stdin`` while at least one run is on stage."""

    real: TextIO | None = None

    def put(self) -> None:
        """Put the door in place."""
        self.real = sys.stdin
        sys.stdin = StandingStream(self.real, lambda context: context.stdin)

    def take_back(self) -> None:
        """Give the stream back."""
        sys.stdin = self.real


def give_input(context: DoorContext, real: TextIO | None, coding: tuple[str, str]) -> None:
    """Give a run its own standard input.

    Args:
        context: the run.
        real: the stream of the process, None if it has none.
        coding: encoding and error handler.
    """
    encoding, errors = coding
    context.stdin = io.TextIOWrapper(
        io.BufferedReader(_Input(real)), encoding=encoding, errors=errors
    )
