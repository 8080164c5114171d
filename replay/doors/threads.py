"""Threads that a program starts itself: refused by name until the schedule can hold them.

A thread outside the schedule would run live in a replay, and race with the program while recording.
"""

from __future__ import annotations

import threading
from typing import Any

from replay.doors.context import current
from replay.doors.counted import CountedDoor
from replay.errors import UsageError

__all__ = ["ThreadDoor"]


class ThreadDoor(CountedDoor):
    """``threading.Thread.start`` on an owned thread is an error that says what to do."""

    def put(self) -> None:
        """Wrap it."""
        self._start = real_start = threading.Thread.start

        def start(thread: threading.Thread) -> Any:
            if current() is not None:
                # Without the thread's name: threading numbers them for the whole process.
                raise UsageError(
                    "the program started a thread, which would run outside the schedule",
                    hint="use asyncio.to_thread or loop.run_in_executor, or an effect",
                )
            return real_start(thread)

        setattr(threading.Thread, "start", start)  # noqa: B010 - mypy knows it is a method

    def take_back(self) -> None:
        """Give it back."""
        setattr(threading.Thread, "start", self._start)  # noqa: B010
