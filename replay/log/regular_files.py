"""Opening a file of a workspace that somebody may have exchanged for something else.

The one invariant: opening waits for nobody and stays in its directory. A pipe of that name would
be waited for until somebody writes to it, and a link could lead anywhere.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ["open_regular"]

_NONE = "it is not a regular file"


def open_regular(path: str | Path, flags: int) -> int:
    """Open a regular file without following a link; made with mode 0600 where the flags say so.

    Raises:
        OSError: it cannot be opened, or is something else.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a pipe that nobody reads from, or a socket
            raise OSError(errno.EINVAL, _NONE, str(path)) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, _NONE, str(path))
    return descriptor
