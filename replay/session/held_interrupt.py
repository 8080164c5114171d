"""Ctrl-C while a run begins or is closed: it waits until workspace and log hold what they are to.

The one invariant: none is lost. One that came while the run began keeps the program from beginning;
one that came later is delivered at the end. While the program runs, the run's own handlers are in
force; see :mod:`replay.doors.threads.signals`.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["HeldInterrupt"]


class HeldInterrupt:
    """Keeps the first Ctrl-C back within the block; a second one does what it does elsewhere.

    In the middle of a statement of DuckDB's it would be lost, and half a log would be left.

    Attributes:
        came: whether one is kept back.
    """

    def __init__(self) -> None:
        self.came = False
        self._before: Any = None

    def __enter__(self) -> Self:
        handler = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is threading.main_thread() and callable(handler):
            self._before = handler
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._before is None:
            return
        signal.signal(signal.SIGINT, self._before)
        if self.came and kind is None:
            signal.raise_signal(signal.SIGINT)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.came:
            self._before(number, frame)
        self.came = True
