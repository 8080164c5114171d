"""Which audit events write files, and whether a replay may write there.

Paths are compared as text, without asking the file system: a door may stand in that. A link that
leads elsewhere cannot be made within the replay, and the kernel's guard looks at the file itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["WRITING_EVENTS", "Writable", "written_paths"]

_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: As :data:`replay.guard.landlock.DEVICES`: what takes all and keeps nothing.
_DEVICES: Final = ("/dev/full", "/dev/null", "/dev/zero")
_BYTECODE: Final = (".pyc", "__pycache__")
#: Events whose arguments at these places are paths that they change.
_CHANGED: Final[Mapping[str, tuple[int, ...]]] = {
    "os.chflags": (0,),
    "os.chmod": (0,),
    "os.chown": (0,),
    "os.lchflags": (0,),
    "os.link": (0, 1),
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.removexattr": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.setxattr": (0,),
    "os.symlink": (0, 1),
    "os.truncate": (0,),
    "os.utime": (0,),
}
#: Where such an event names the directories that its paths start from.
_STARTS: Final[Mapping[str, tuple[int, ...]]] = {
    "os.chmod": (2,),
    "os.chown": (3,),
    "os.link": (2, 3),
    "os.mkdir": (2,),
    "os.remove": (1,),
    "os.rename": (2, 3),
    "os.rmdir": (1,),
    "os.symlink": (2, 2),
    "os.utime": (3,),
}

#: Events that may write a file.
WRITING_EVENTS: Final = frozenset({"open", "sqlite3.connect", *_CHANGED})


def written_paths(event: str, args: tuple[Any, ...]) -> tuple[str, ...]:
    """Return the paths that an event would change; none if it only reads.

    A descriptor that is open already is no path: opening it was looked at.
    """
    if event == "open":
        return _text(args[0]) if _opens_to_write(args) else ()
    if event == "sqlite3.connect":
        return _database(args[0])
    found: list[str] = []
    starts = _STARTS.get(event, ())
    for number, place in enumerate(_CHANGED.get(event, ())):
        start = args[starts[number]] if number < len(starts) else -1
        found += (_below(start, path) for path in _text(args[place]))
    if event == "os.symlink":  # what it leads to is meant from where it lies
        found[0] = os.path.join(os.path.dirname(found[-1]), found[0])  # noqa: PTH118, PTH120
    return tuple(found)


class Writable:
    """Where a replay may write.

    Args:
        directories: absolute paths; whatever lies below them.
    """

    def __init__(self, directories: tuple[str, ...]) -> None:
        self._directories = tuple({*directories, *map(os.path.realpath, directories)})

    def allows(self, path: str) -> bool:
        """Return whether a path lies there, or writes nothing that stays."""
        absolute = os.path.abspath(path)  # noqa: PTH100 - no file system is asked
        if absolute in _DEVICES:
            return True
        return any(
            absolute == directory or absolute.startswith(directory.rstrip(os.sep) + os.sep)
            for directory in self._directories
        )

    @staticmethod
    def is_bytecode(path: str) -> bool:
        """Return whether Python itself would keep compiled source there; it can go without."""
        name = os.path.basename(path)  # noqa: PTH119 - text only
        return any(part in name for part in _BYTECODE)


def _opens_to_write(args: tuple[Any, ...]) -> bool:
    mode, flags = args[1], args[2]
    if isinstance(flags, int) and flags & _WRITES:
        return True
    return isinstance(mode, str) and any(letter in mode for letter in "wax+")


def _database(name: Any) -> tuple[str, ...]:
    """Return the file of an SQLite database, unless it is in memory or opened for reading."""
    for path in _text(name):
        if path in {"", ":memory:"} or path.startswith("file::memory:"):
            return ()
        if path.startswith("file:"):
            if "mode=ro" in path or "immutable=1" in path or "mode=memory" in path:
                return ()
            return (path[len("file:") :].partition("?")[0],)
        return (path,)
    return ()


def _text(path: Any) -> tuple[str, ...]:
    return () if isinstance(path, int) else (os.fsdecode(path),)


def _below(start: Any, path: str) -> str:
    """Return a path that is relative to an open directory in full, where the system tells."""
    if not isinstance(start, int) or start < 0 or os.path.isabs(path):  # noqa: PTH117 - text only
        return path
    try:
        return os.path.join(os.readlink(f"/proc/self/fd/{start}"), path)  # noqa: PTH115, PTH118
    except OSError:
        return f"/(a directory that was opened before)/{path}"
