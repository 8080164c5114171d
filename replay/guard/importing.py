"""The guard over a workflow's file while it is imported to be recorded.

A workflow's file is imported before its run begins, so what its lines do then is in no record. What
a replay would refuse is refused here already; so is what a replay would do a second time: run an
event loop, call an effect, write to standard output, ask whoever sits at the terminal.
"""

from __future__ import annotations

import asyncio
import builtins
import functools
import inspect
import sys
from asyncio.base_events import BaseEventLoop
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Final, Self

from replay.errors import CaptureError
from replay.guard.process import Attempt, ProcessGuard, origin_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from replay.errors import ReplayError

__all__ = ["ImportGuard"]

#: What runs an event loop, or asks a person: owner, name, what it is called.
_CALLS: Final[tuple[tuple[Any, str, str], ...]] = (
    (asyncio.Runner, "run", "an event loop"),
    (BaseEventLoop, "run_until_complete", "an event loop"),
    (BaseEventLoop, "run_forever", "an event loop"),
    (builtins, "input", "standard input"),
)
#: What reads the bytes of standard input.
_READING: Final = ("read", "read1", "readinto", "readinto1", "readline", "readlines")


class ImportGuard(ProcessGuard):
    """Refuses what a workflow's file does past the record while it is imported.

    A library that runs a loop or prints while it is imported is let be: that is no work of the
    program's.

    Args:
        file: the file, as the person named it.
    """

    def __init__(self, file: str) -> None:
        super().__init__()
        self.keeps_bytecode = True
        self._file = file
        self._stands = False
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Stand before loops and standard streams, too."""
        for owner, name, way in _CALLS:
            real = getattr(owner, name)
            setattr(owner, name, self._standing_in(real, way))
            self._stack.callback(setattr, owner, name, real)
        # The methods and not the stream: a program may keep that for its whole life. Text is read
        # by way of the bytes.
        streams: tuple[tuple[Any, tuple[str, ...], str], ...] = (
            (sys.stdout, ("write",), "standard output"),
            (getattr(sys.stdout, "buffer", None), ("write",), "standard output"),
            (getattr(sys.stdin, "buffer", None), _READING, "standard input"),
        )
        for stream, names, way in streams:
            for name in names:
                with suppress(AttributeError):  # there is none, or it takes no attribute
                    setattr(stream, name, self._standing_in(getattr(stream, name), way))
                    self._stack.callback(delattr, stream, name)
        self._stands = True
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)
        self._stands = False
        self._stack.close()

    def refusal(self, attempt: Attempt) -> ReplayError:
        """Return the error that an attempt gets."""
        return CaptureError(
            f"the file does its work while it is imported, before the run begins: {attempt.way}"
            " was refused",
            where=attempt.place,
            hint='put it into the workflow or below `if __name__ == "__main__":`; to record the'
            f" file as a program: ritornello record -- python {self._file}",
        )

    def require_none(self) -> None:
        """Raise what the program was refused, also where it went on without it.

        Raises:
            CaptureError: something was refused that no library tried by itself.
        """
        if self.cause is not None:
            raise self.refusal(self.cause)

    def _standing_in(self, real: Callable[..., Any], way: str) -> Callable[..., Any]:
        """Return what refuses a call of the program's until the file is imported."""

        @functools.wraps(real)
        def method(*args: Any, **options: Any) -> Any:
            if self._stands and not origin_of(sys._getframe(1))[1]:
                for value in (*args, *options.values()):
                    if inspect.iscoroutine(value):
                        value.close()
                self._refuse(way)
            return real(*args, **options)

        return method
