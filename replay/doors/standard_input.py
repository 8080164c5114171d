"""Standard input: refused by name, since what is read from it is not on record yet."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, NoReturn, TextIO

from replay.doors.context import current
from replay.errors import UsageError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["InputDoor"]


class _Refusing(io.RawIOBase):
    """Reads of the program are errors; those of other threads go through."""

    def __init__(self, real: TextIO) -> None:
        self._real = real

    def readable(self) -> bool:
        """Return True: asking is allowed."""
        return True

    def readinto(self, buffer: object, /) -> int:
        """Refuse, or read for a thread that is not the program's."""
        if current() is not None:
            self._refuse()
        data = self._real.buffer.read1(len(memoryview(buffer)))  # type: ignore[attr-defined,arg-type]
        memoryview(buffer)[: len(data)] = data  # type: ignore[arg-type]
        return len(data)

    def isatty(self) -> bool:
        """Return False, as standard output does."""
        return False

    def fileno(self) -> int:
        """Return the real descriptor."""
        return self._real.fileno()

    def _refuse(self) -> NoReturn:
        raise UsageError(
            "standard input is not recorded",
            hint="take the input as an argument, or read it in an effect",
        )


class InputDoor:
    """Stands in for ``sys.stdin`` while it is entered."""

    def __enter__(self) -> None:
        self._before = sys.stdin
        if self._before is not None:
            door = _Refusing(self._before)
            sys.stdin = io.TextIOWrapper(io.BufferedReader(door), encoding="utf-8")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        sys.stdin = self._before
