"""What a process of pytest was before it imported anything of a project, and what it is since.

A fresh process has to look for modules where its session does, or it judges another copy of the
program. And a fork of a process shares with the other forks what is open, and has other chance than
it: only where a test file's import left neither is a fork like a process of its own.
"""

from __future__ import annotations

import os
import random
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

__all__ = ["AtStart"]

_THREADS: Final = Path("/proc/self/task")
_DESCRIPTORS: Final = Path("/proc/self/fd")
#: Input and output. pytest's capture changes what they are, its handler of faults has another.
_STANDARD: Final = (0, 1, 2)
#: Draws after which the Mersenne Twister makes its words anew, and how often that may have been.
_ROUND: Final = 624
_ROUNDS_MAX: Final = 17


@dataclass(frozen=True, slots=True)
class AtStart:
    """What a process was when pytest itself was up.

    Attributes:
        is_beside: modules are looked for in the directory in which pytest was started, as
            ``python -m pytest`` does and ``pytest`` does not.
        opened: descriptors, with what they are.
        chance: the state of the generator of ``random``.
    """

    is_beside: bool
    opened: frozenset[tuple[int, str]]
    chance: tuple[Any, ...]

    @classmethod
    def noted(cls, directory: Path) -> Self:
        """Return what this process is now.

        Args:
            directory: in which pytest was started.
        """
        is_beside = "" in sys.path or str(directory) in sys.path
        return cls(is_beside, frozenset(_opened()), random.getstate())

    def interpreter_options(self) -> list[str]:
        """Return with which options another Python is as this one, module paths included."""
        # What multiprocessing starts its processes with.
        options: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        return options if self.is_beside or "-P" in options else [*options, "-P"]

    def may_fork(self) -> bool:
        """Return whether a fork of this process is as good as a process that did what it did.

        It has one thread; it shares positions in files, sockets and databases; ``random`` is
        seeded anew in it, and the seed that a test file gave is lost.
        """
        if sys.platform != "linux":  # macOS: system libraries do not survive a fork
            return False
        standard = {_what(number) for number in _STANDARD}
        return (
            sum(1 for _ in _THREADS.iterdir()) == 1
            and all(what in standard for _, what in {*_opened()} - self.opened)
            and not self._was_seeded()
        )

    def _was_seeded(self) -> bool:
        """Return whether `random` is where no few draws lead to: somebody gave it a seed.

        Libraries draw when they are imported, and a fork loses nothing by that.
        """
        now: tuple[int, ...] = random.getstate()[1]
        drawn = random.Random()  # noqa: S311 - of the state that is noted
        drawn.setstate(self.chance)
        for _ in range(_ROUNDS_MAX):
            if drawn.getstate()[1][:-1] == now[:-1]:  # the last one counts within a round
                return False
            for _ in range(_ROUND):
                drawn.getrandbits(32)
        return True


def _opened() -> Iterator[tuple[int, str]]:
    """Yield what is open, but for devices and directories, which forks may share."""
    for name in os.listdir(_DESCRIPTORS) if _DESCRIPTORS.is_dir() else ():  # noqa: PTH208 - numbers
        what = _what(int(name))
        if what is not None:
            yield int(name), what


def _what(number: int) -> str | None:
    """Return what a descriptor is, None if it may be shared or is closed by now."""
    try:
        mode = os.stat(number).st_mode
        if stat.S_ISCHR(mode) or stat.S_ISDIR(mode):
            return None
        return os.readlink(_DESCRIPTORS / str(number))  # noqa: PTH115 - of no path
    except OSError:
        return None
