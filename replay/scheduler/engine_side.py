"""The engine's own doing on a thread of the program: no door stands in its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from replay.scheduler.core import Scheduler

__all__ = ["EngineSide"]


class EngineSide:
    """``with EngineSide(scheduler):`` what runs in it is not the program's; it may be nested.

    A class and no generator: it stands around each operation on a file.
    """

    __slots__ = ("_before", "_scheduler")

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def __enter__(self) -> None:
        """Let the doors stand open."""
        self._before, self._scheduler.inside = self._scheduler.inside, True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put back what was."""
        self._scheduler.inside = self._before
