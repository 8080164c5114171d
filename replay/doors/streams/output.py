"""Standard output: recorded as written, let out once what it rests on is durable.

Each run has a stream of its own, and what stands in `sys.stdout` finds it by the calling thread.
"""

from __future__ import annotations

import contextlib
import io
import sys
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, cast

from replay.doors.context import current
from replay.doors.counted import CountedDoor
from replay.doors.streams.standing_stream import StandingStream
from replay.doors.surroundings.terminal import stream_is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.doors.context import DoorContext

__all__ = ["OutputDoor", "flush_output", "give_output"]


class _Stream(io.RawIOBase):
    """The binary side of one run's stream."""

    def __init__(
        self,
        name: str,
        real: BinaryIO,
        pass_on: Callable[[BinaryIO, bytes], None],
        is_terminal: Callable[[], bool],
    ) -> None:
        self._name = name
        self._is_terminal = is_terminal
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
            self._pass_on(self._real, copy)
        return len(copy)

    def isatty(self) -> bool:
        """Return whether it was a terminal: a program draws for it again, colours and all."""
        return stream_is_terminal(self._name, self._is_terminal)

    def fileno(self) -> int:
        """Return the real descriptor; what is written to it by ``os`` comes here all the same."""
        return self._real.fileno()

    @property
    def raw(self) -> _Stream:
        """The stream itself: it has no buffer of which it could be the inside."""
        return self

    def again(self) -> _Stream:
        """Return another stream to the same place, which may be closed without this one."""
        return _Stream(self._name, self._real, self._pass_on, self._is_terminal)


class OutputDoor(CountedDoor):
    """Stands in for ``sys.stdout`` while at least one run is on stage."""

    def put(self) -> None:
        """Put the door in place."""
        self.real = sys.stdout
        self._first = sys.__stdout__
        sys.stdout = StandingStream(self.real, lambda context: context.stdout)
        if self._first is not None:
            first = StandingStream(self._first, lambda context: context.stdout)
            setattr(sys, "__stdout__", first)  # noqa: B010 - declared final, for programs

    def take_back(self) -> None:
        """Give the stream back, whatever a program put in its place."""
        sys.stdout = self.real
        setattr(sys, "__stdout__", self._first)  # noqa: B010


def give_output(
    context: DoorContext,
    real: TextIO,
    pass_on: Callable[[BinaryIO, bytes], None],
    coding: tuple[str, str],
) -> None:
    """Give a run its own standard output.

    Args:
        context: the run.
        real: the stream of the process.
        pass_on: takes the real binary stream and the bytes on their way out.
        coding: encoding and error handler.
    """
    real.flush()
    encoding, errors = coding
    binary: BinaryIO = getattr(real, "buffer", None) or cast("BinaryIO", _Encoded(real))
    context.stdout = io.TextIOWrapper(  # type: ignore[type-var]  # a raw stream will do
        _Stream("stdout", binary, pass_on, real.isatty),
        encoding=encoding,
        errors=errors,
        newline="\n",
        write_through=True,
    )


def flush_output(context: DoorContext) -> None:
    """Write what the program left in its stream; nothing is there unless it made a buffer."""
    with contextlib.suppress(ValueError):  # closed, or detached
        context.stdout.flush()


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
