"""Files of a live run: read into the record, and written once all they rest on is durable."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, Any, Final

from replay.events.file_kinds import CaptureGap, FileRead
from replay.files.content import FILE_BYTES_MAX, taken
from replay.files.objects import WaitingFile
from replay.files.outcomes import error_of, pack_stat
from replay.files.program_files import Files
from replay.own_locks import OwnEvent
from replay.recording.place import asker
from replay.scheduler.ports import Halted
from replay.secrets.patterns import find_secret_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.doors.context import World
    from replay.doors.surroundings.answering import Answerer
    from replay.files.places import Named, Places
    from replay.recording.recorder import Recorder
    from replay.recording.tape import Tape

__all__ = ["LiveFiles"]

_LOOK_AGAIN_S: Final = 0.1
#: How much may wait for an open record of readings before that is closed for it.
_WRITES_WAITING_MAX: Final = 16
_Found = tuple[FileRead, bytes | None, list[str] | None]


class LiveFiles(Files):
    """The disk itself, and a record of it.

    Args:
        recorder, answerer, places, key, encoding: see :class:`Files`.
        tape: says what is durable.
        world: registers credentials that stand in a file.
    """

    kind = WaitingFile

    def __init__(
        self,
        recorder: Recorder,
        answerer: Answerer,
        places: Places,
        key: bytes,
        encoding: str,
        *,
        tape: Tape,
        world: World,
    ) -> None:
        super().__init__(recorder, answerer, places, key, encoding)
        self._tape = tape
        self._world = world
        self._gaps: set[tuple[str, str]] = set()
        self._writes = 0

    def read(
        self, named: Named, path: object, dir_fd: int | None, *, append_only: bool
    ) -> _Found | None:
        """Take the content of a file, if it is one and not too large, and record it."""
        found = self.outside(self._take, path, dir_fd, append_only)
        if isinstance(found, str):
            what, _, size = found.partition(" ")
            self.gap(what, named.spelled, int(size) if size else None)
            return None
        form, error, body, size, packed = found
        if body is not None:
            for start, end in find_secret_values(body):
                self._world.credential(
                    f"file:{named.spelled}", body[start:end].decode("ascii", "replace")
                )
        read = FileRead(path=named.spelled, form=form, size=size, error=error)
        self._recorder.answer(read, body)
        return read, body, packed

    def _take(self, path: Any, dir_fd: int | None, append_only: bool) -> Any:  # noqa: FBT001
        """Look at a file; return what it is, or the name of the reason why it is no input."""
        try:
            result = os.stat(path, dir_fd=dir_fd)
            packed = pack_stat(result)
            if stat.S_ISDIR(result.st_mode):
                return "directory", (), None, 0, packed
            if not stat.S_ISREG(result.st_mode):
                return "special-file"
            if append_only and result.st_size > FILE_BYTES_MAX:
                return "file", (), None, result.st_size, packed
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=dir_fd)
        except OSError as error:
            return "nothing", error_of(error), None, 0, None
        try:
            content = taken(descriptor)
        except OSError as error:
            return "nothing", error_of(error), None, 0, None
        finally:
            os.close(descriptor)
        if content is None:
            return f"file-too-large {result.st_size}"
        return "file", (), content, len(content), packed

    def is_special(self, named: Named, path: Any, dir_fd: int | None) -> bool:
        """Look whether a path leads to a pipe, a device or a file that cannot be read back."""
        try:
            result = self.outside(lambda: os.stat(path, dir_fd=dir_fd))
        except OSError:
            return False
        if stat.S_ISREG(result.st_mode):
            if self.outside(lambda: os.access(path, os.R_OK, dir_fd=dir_fd)):
                return False
            self.gap("unreadable-file", named.spelled)
            return True
        if stat.S_ISDIR(result.st_mode):
            return False
        self.gap("special-file", named.spelled)
        return True

    def directory(self, path: Any, flags: int, dir_fd: int | None) -> int:
        """Open the directory."""
        opened: int = self.outside(lambda: os.open(path, flags, dir_fd=dir_fd))
        return opened

    def gap(self, what: str, name: str, size: int | None = None) -> None:
        """Record, once, that something is not captured; the program goes on."""
        if (what, name) not in self._gaps:
            self._gaps.add((what, name))
            site = asker(sys._getframe(1))
            self._recorder.note(CaptureGap(what=what, name=name, size=size, site=site))

    # --- the gate -----------------------------------------------------------------------------

    def settle(self) -> None:
        """Wait until what was written is on the disk."""
        for handle in self.table.values():
            if handle.pending_bytes:
                self.gate()
                return

    def gate(self) -> None:
        """Wait until all that has been recorded is durable, and what waited for that is done."""
        recorder = self._recorder
        recorder.close_group()
        self._writes = 0
        done = OwnEvent()
        try:
            self._tape.after(recorder.size - 1, done.set)
            while not done.wait(_LOOK_AGAIN_S):
                self._tape.after(recorder.size - 1, _nothing)  # says if the log has failed
        except Exception as error:
            self._scheduler.halt(error)
            raise Halted from error

    def later(self, action: Callable[[], None]) -> None:
        """Do something outside once all that has been recorded is durable."""
        recorder = self._recorder
        self._writes += 1
        if self._writes > _WRITES_WAITING_MAX:
            # Readings may follow one another for long, and somebody may watch the file.
            self._writes = 0
            recorder.close_group()
        self._tape.after(recorder.size - 1, action)


def _nothing() -> None:
    return None
