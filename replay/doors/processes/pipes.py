"""The program's ends of a child's pipes: what it reads came in as inputs, what it writes is gated.

They are not descriptors. ``fileno`` stops the run, since whoever asks would wait outside of the
schedule: ``select``, ``selectors`` and event loops of libraries.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NoReturn

from replay.doors.processes.refusals import refuse

if TYPE_CHECKING:
    from replay.doors.processes.child import Child

__all__ = ["InputPipe", "OutputPipe"]


class _Pipe(io.RawIOBase):
    """What both ends share."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def isatty(self) -> bool:
        """Return False."""
        return False

    def fileno(self) -> NoReturn:
        """Stop the run: there is no descriptor to wait on."""
        refuse(
            self._child.context,
            "asked for the descriptor of a process's pipe, to wait on it or to hand it on",
            hint="read and write the stream itself, or use asyncio subprocesses or an effect",
        )


class OutputPipe(_Pipe):
    """What a child writes; reading waits in the schedule.

    Args:
        child: the process.
        name: which stream of it.
    """

    def __init__(self, child: Child, name: str) -> None:
        super().__init__(child)
        self._name = name
        self._data = bytearray()
        self.ended = False

    def feed(self, data: bytes) -> None:
        """Take what the child wrote."""
        if not self.closed:
            self._data += data

    def waiting(self) -> bytes:
        """Return what has come and was not read."""
        return bytes(self._data)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read what is there, after waiting for the first byte; 0 at the end."""
        data = self._data
        self._child.wait_until(lambda: bool(data) or self.ended, None)
        view = memoryview(buffer).cast("B")
        size = min(len(view), len(data))
        view[:size] = data[:size]
        del data[:size]
        return size


class InputPipe(_Pipe):
    """What the program writes to a child.

    Args:
        child: the process.
    """

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any, /) -> int:
        """Hand bytes over once everything before them is durable.

        Raises:
            BrokenPipeError: the child has ended.
        """
        copy = bytes(data)
        self._child.feed(copy, end=False)
        return len(copy)

    def close(self) -> None:
        """Say that nothing will follow."""
        if not self.closed:
            super().close()
            self._child.end_input()
