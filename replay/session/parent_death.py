"""The end of the launcher is the end of its child: a killed recording leaves no program running."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
from typing import Final

__all__ = ["end_with_pipe"]

_EXIT_CODE: Final = 128 + 9


def end_with_pipe(descriptor: int) -> None:
    """Kill this process once nobody holds the other end of a pipe any more.

    A thread of the engine waits for that, so it works on every system, and where another process
    such as ``uv`` stands between. Code in C that keeps the interpreter's lock is not stopped before
    it lets go; on Linux the system is asked for that as well (``replay.guard.kernel``).
    """
    _thread.start_new_thread(_watch, (descriptor,))


def _watch(descriptor: int) -> None:
    try:
        while os.read(descriptor, 64):
            pass
    except OSError:
        return  # the program closed what it did not open
    with contextlib.suppress(OSError):
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(_EXIT_CODE)
