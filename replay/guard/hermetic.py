"""Both layers of the guard as a replay uses them, and what its report says of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Literal

from replay.guard.process import ProcessGuard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from replay.guard.census import Census
    from replay.guard.kernel import KernelGuard

__all__ = ["Hermetic"]

_NAMED_MAX: Final = 3


class Hermetic:
    """What keeps one replay from reaching outside.

    Args:
        process: the layer that is there always, and says what was tried.
        kernel: the layer that holds whatever the first one missed, if there is one.
        census: looks at the process's ways out, where the process runs nothing but the replay.
    """

    def __init__(
        self,
        process: ProcessGuard,
        kernel: KernelGuard | None = None,
        census: Callable[[], Census] | None = None,
    ) -> None:
        self.process = process
        self._kernel = kernel
        self._census = census
        self._before = None if census is None else census()

    @classmethod
    def confine(cls, writable: tuple[Path, ...] = ()) -> Hermetic:
        """Close this process for good, and put both layers around the program that it will run.

        Args:
            writable: directories below which the engine or the program may write.
        """
        # A library replay needs neither, nor the modules behind them.
        from replay.guard.census import Census
        from replay.guard.kernel import guard_process

        places = tuple(os.path.realpath(path) for path in writable)
        kernel = guard_process(writable)
        process = ProcessGuard(writable=places)
        return cls(process, kernel, lambda: Census.take(places))

    @property
    def name(self) -> Literal["process", "kernel"]:
        """What the report calls it: the kernel's, once it was tried and held."""
        return "kernel" if self._kernel is not None and self._kernel.calls else "process"

    def got_through(self) -> tuple[str, ...]:
        """Return the ways out that stand open now and did not before: each a live effect."""
        if self._census is None or self._before is None:
            return ()
        return self._census().new_since(self._before)

    def notes(self) -> tuple[str, ...]:
        """Return what a reader of the report must know: missing layers, and what was refused."""
        tried = [str(attempt) for attempt in self.process.attempts if not attempt.probing]
        more = len(tried) - _NAMED_MAX
        return (
            *(() if self._kernel is None else self._kernel.notes),
            *(f"refused: {way}" for way in tried[:_NAMED_MAX]),
            *((f"refused: {more} more",) if more > 0 else ()),
            *(f"got through: {what}" for what in self.got_through()),
        )
