"""What a replayed program left behind in its process that a way out leaves behind.

The guard counts what it refused. This looks at the other side: sockets that lead out, files open
for writing and child processes that were not there before. It is how a live effect is counted,
in a process that runs nothing else; on Linux, where the system tells.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Census"]

_PROCESS: Final = Path("/proc/self")
_ACCESS: Final = os.O_WRONLY | os.O_RDWR
_LOOKS_MAX: Final = 100


class Census(msgspec.Struct, frozen=True, kw_only=True):
    """The ways out that stand open in this process.

    Attributes:
        found: each by a name of its own, in order.
    """

    found: frozenset[str]

    @classmethod
    def take(cls, writable: tuple[str, ...] = ()) -> Census:
        """Look around now.

        Args:
            writable: directories in which files may be open.
        """
        return cls(found=frozenset((*_descriptors(writable), *_children())))

    def new_since(self, before: Census) -> tuple[str, ...]:
        """Return what was not there before."""
        return tuple(sorted(self.found - before.found))


def _descriptors(writable: tuple[str, ...]) -> Iterator[str]:
    try:
        names = sorted(os.listdir(_PROCESS / "fd"))  # noqa: PTH208 - names, not paths
    except OSError:
        return
    for name in names:
        try:
            target = str((_PROCESS / "fd" / name).readlink())
            status = os.fstat(int(name))
            flags = _flags(name)
        except (OSError, ValueError):  # the listing's own descriptor
            continue
        if stat.S_ISSOCK(status.st_mode):
            if _leads_out(int(name)):
                yield f"a socket: {target}"
        elif stat.S_ISREG(status.st_mode) and flags & _ACCESS:
            inside = any(target.startswith(f"{place}{os.sep}") for place in writable)
            if not inside and not target.startswith("/memfd:"):
                yield f"a file open for writing: {target}"


def _flags(name: str) -> int:
    lines = (_PROCESS / "fdinfo" / name).read_text().splitlines()
    return next(int(line.split()[1], 8) for line in lines if line.startswith("flags:"))


def _leads_out(descriptor: int) -> bool:
    import _socket

    connection = _socket.socket(fileno=os.dup(descriptor))
    try:
        if connection.family != _socket.AF_UNIX:
            return True
        return bool(connection.getsockname()) or bool(connection.getpeername())
    except OSError:
        return False
    finally:
        connection.close()


def _children() -> Iterator[str]:
    for number in _running_children():
        yield f"a child process: {number}"
    import resource

    # A child that was waited for has left its share of work here, of which there is always some.
    if resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt:
        yield "a child process that ended"


def _running_children() -> tuple[str, ...]:
    for _ in range(_LOOKS_MAX):
        try:
            lists = [path.read_text() for path in sorted(_PROCESS.glob("task/*/children"))]
        except OSError:  # a thread ended: what it had started is in another one's list now
            continue
        return tuple(number for listed in lists for number in listed.split())
    return ("unknown, threads ended at each look",)
