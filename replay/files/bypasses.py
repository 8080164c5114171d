"""What goes to the disk past the door: named while recording, refused in a replay.

An audit hook sees what libraries in C tell the interpreter of. The one invariant: it never changes
what it sees; it records, or stops the run.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final

from replay.files.places import reads_code
from replay.files.program_files import program_files

__all__ = ["BYPASSES", "Bypasses"]

_IN_MEMORY: Final = (":memory:", "", "file::memory:")
_WATCHED: Final = frozenset({"mmap.__new__", "open", "sqlite3.connect"})


class Bypasses:
    """The process's one hook for this; hooks cannot be removed, so it is switched."""

    def __init__(self) -> None:
        self._is_on = False
        self._is_added = False

    def switch_on(self) -> None:
        """Watch from now on."""
        if not self._is_added:
            self._is_added = True
            sys.addaudithook(self)
        self._is_on = True

    def switch_off(self) -> None:
        """Watch no more."""
        self._is_on = False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """Look at an event; all but a few are none of ours."""
        if not self._is_on or event not in _WATCHED:
            return
        files = program_files()
        if files is None:
            return
        if event == "sqlite3.connect":
            name = _text(args[0])
            if not name.startswith(_IN_MEMORY[2]) and name not in _IN_MEMORY:
                files.gap("sqlite3", files.named(name).spelled)
        elif event == "mmap.__new__":
            handle = files.table.get(args[0])
            # A content that was taken is mapped as it was; nobody else can write to it.
            if args[0] != -1 and (handle is None or handle.form != "read"):
                files.gap("mmap", files.named(args[0]).spelled)
        elif event == "open":
            name = _text(args[0])
            if name and not files.is_let_through(name) and not reads_code(sys._getframe(1)):
                files.gap("open", files.named(name).spelled)


def _text(value: object) -> str:
    return os.fsdecode(value) if isinstance(value, str | bytes | os.PathLike) else ""


BYPASSES: Final = Bypasses()
