"""The outlet: where a program's standard output leaves the process, once it may.

The one invariant: what takes the output is no part of the log. That it takes no more stops the
program, under its own name, and leaves the log as whole as it was.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from replay.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.scheduler.core import Scheduler

__all__ = ["Outlet", "written"]


def written(stream: BinaryIO, data: bytes) -> Callable[[], None]:
    """Return what writes some bytes, and raises what that raises."""

    def write() -> None:
        stream.write(data)
        stream.flush()

    return write


class Outlet:
    """Writes output on the writer's thread, and stops a program that nobody listens to.

    Args:
        scheduler: of the run.
        wake: makes an idle scheduler look at what happened; callable from any thread.
    """

    def __init__(self, scheduler: Scheduler, wake: Callable[[], None]) -> None:
        self._scheduler = scheduler
        self._wake = wake
        self._is_shut = False
        #: Whether the program has come to its end, so that nothing is left to be stopped.
        self.program_ended = False

    def writes(self, stream: BinaryIO, data: bytes) -> Callable[[], None]:
        """Return what writes some bytes; it raises nothing."""

        def write() -> None:
            if self._is_shut:
                return
            try:
                stream.write(data)
                stream.flush()
            except (OSError, ValueError) as error:  # no room, no reader, closed by somebody
                self._shut(getattr(error, "strerror", None) or str(error))

        return write

    def _shut(self, reason: str) -> None:
        self._is_shut = True
        what = f"standard output cannot be written: {reason}"
        if self.program_ended:
            # The run is whole and its output is on record: that is all that can be said.
            if sys.__stderr__ is not None:
                with suppress(OSError, ValueError):
                    sys.__stderr__.write(f"ritornello: {what}; what was printed is on record\n")
            return
        self._scheduler.halt(
            CaptureError(
                what,
                hint="the run stays open, with all that was let out; send the output to a file",
            )
        )
        self._wake()
