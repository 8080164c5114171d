"""The files of one run: what its program opened, and how its questions to the disk are answered.

The same for a live run and for a replay but for the few methods at the end, in which the two sides
differ. The one invariant: everything that the program learns of the disk is on record.
"""

from __future__ import annotations

import os
import weakref
from typing import IO, TYPE_CHECKING, Any, Final

from replay.doors.context import current
from replay.errors import IntegrityError
from replay.events.digest import keyed_digest
from replay.events.file_kinds import FileRead, FileWritten
from replay.files.content import FILE_BYTES_MAX, moved_up, pieces, snapshot
from replay.files.handle import Handle
from replay.files.objects import Mode, ProgramFile, stacked
from replay.files.outcomes import asked, raised, unpack
from replay.scheduler.engine_side import EngineSide
from replay.scheduler.ports import Halted

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Sequence

    from replay.doors.surroundings.answering import Answerer
    from replay.files.handle import Form
    from replay.files.overlay import Overlay
    from replay.files.places import Named, Places
    from replay.recording.recorder import Recorder

__all__ = ["LET_THROUGH", "Files", "program_files", "spelled_mode"]

Real = Any
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_TMPFILE: Final = getattr(os, "O_TMPFILE", 0) & ~os.O_DIRECTORY
#: The device that swallows all is the same everywhere; that of chance is answered read by read.
LET_THROUGH: Final = ("/dev/null", "/dev/random", "/dev/urandom")
_STANDARD_OUTPUT: Final = 1
#: A file whose size alone matters may be as large as this.
_SIZE_MAX: Final = 1 << 42


class Files:
    """What a run knows of the disk.

    Args:
        recorder: the recorder of the run.
        answerer: answers what is a reading.
        places: names files.
        key: what digests of this run's files are keyed with.
        encoding: that of text files for which the program names none.
    """

    def __init__(
        self, recorder: Recorder, answerer: Answerer, places: Places, key: bytes, encoding: str
    ) -> None:
        self._recorder = recorder
        self._scheduler = recorder.scheduler
        self._answerer = answerer
        self.places = places
        self._key = key
        self.encoding = encoding
        #: The program's open descriptors.
        self.table: dict[int, Handle] = {}
        self._opened = 0
        self._late: list[tuple[Handle, FileWritten, bytes | None]] = []
        self._ended = False

    # --- questions and changes ----------------------------------------------------------------

    def named(self, path: object, dir_fd: int | None = None) -> Named:
        """Name a path or descriptor that the program gave."""
        if isinstance(path, int):
            handle = self.table.get(path)
            if handle is not None:
                return handle.named
            return self.places.named("", spelled=f"descriptor {path}")
        if dir_fd is None:
            return self.places.named(path)
        above = self.table.get(dir_fd)
        if above is None:
            return self.places.named(path, spelled=f"descriptor {dir_fd}")
        return self.places.named(path, above.named.absolute)

    def look(
        self, source: str, named: Named, live: Callable[[], Sequence[str]], detail: str = ""
    ) -> list[str]:
        """Ask the disk something.

        Args:
            source: what is asked.
            named: of which file.
            live: asks the real one.
            detail: what else the question says.

        Raises:
            OSError: the disk said so, now or when it was recorded.
        """
        self.check()
        self.settle()
        argument = f"{named.spelled} {detail}" if detail else named.spelled
        value = self._answerer.answer(source, argument, lambda: asked(live))
        return unpack(value, f"{source}({argument})", (named.given,))

    def change(
        self,
        source: str,
        argument: str,
        names: Sequence[object],
        live: Callable[[], object],
        again: Callable[[Overlay], None] | None = None,
    ) -> list[str]:
        """Change the disk, once all that has been recorded is durable.

        Args:
            source: what is done.
            argument: to which files, and how.
            names: file names for errors.
            live: does it; text that it returns becomes part of the outcome.
            again: does it in the overlay of a replay.

        Raises:
            OSError: it could not be done, now or when it was recorded.
        """
        self.check()
        self.settle()
        self.gate()

        def do() -> Sequence[str]:
            told = live()
            return (told,) if isinstance(told, str) else ()

        value = self._answerer.answer(source, argument, lambda: asked(do))
        told = unpack(value, f"{source}({argument})", names)
        if again is not None:
            self.repeat(again)
        return told

    def check(self) -> None:
        """Stop a program that was stopped.

        Raises:
            Halted: it was.
        """
        stopped = self._scheduler.stopped()
        if stopped is not None:
            raise Halted from stopped

    def is_let_through(self, path: object) -> bool:
        """Return whether opening a file is no input: code, or a device that says nothing."""
        absolute = self.places.named(path).absolute
        return absolute in LET_THROUGH or self.places.is_code(absolute)

    # --- opening ------------------------------------------------------------------------------

    def open(self, named: Named, path: object, flags: int, mode: int, dir_fd: int | None) -> int:
        """Open a file as ``os.open`` does; return its descriptor, or -1 if only the real one helps.

        Raises:
            OSError: it cannot be opened, now or when it was recorded.
        """
        self.check()
        self.settle()
        if flags & _WRITING or flags & _TMPFILE:
            return self._open_for_writing(named, path, flags, mode, dir_fd)
        found = self.read(named, path, dir_fd, append_only=False)
        if found is None:
            return -1
        read, body, packed = found
        if read.form == "nothing":
            raise raised(read.error, (named.given,), named.spelled)
        if read.form == "directory":
            descriptor = self.directory(path, flags, dir_fd)
            return self._enter(descriptor, named, "directory").descriptor
        handle = self._enter(self.outside(snapshot, body or b""), named, "read")
        handle.packed = packed
        return handle.descriptor

    def _open_for_writing(
        self, named: Named, path: object, flags: int, mode: int, dir_fd: int | None
    ) -> int:
        before: bytes | int | None = None
        append_only = bool(flags & os.O_APPEND) and not flags & os.O_RDWR
        fresh = os.O_CREAT | os.O_EXCL
        if not (flags & os.O_TRUNC or flags & fresh == fresh or flags & _TMPFILE):
            found = self.read(named, path, dir_fd, append_only=append_only)
            if found is None:
                return -1
            read, body, _ = found
            if read.form == "file":
                before = body if body is not None else _bounded(read.size, named)
        elif self.is_special(named, path, dir_fd):
            return -1
        spelled = spelled_mode(flags)
        live: list[int] = []
        self.change(
            "disk.open",
            f"{spelled} {named.spelled}",
            (named.given,),
            lambda: live.append(_open_really(path, flags, mode, dir_fd)),
        )
        descriptor = live[0] if live else self.again(named, flags, mode, before)
        start = 0
        if append_only and before is not None:
            start = before if isinstance(before, int) else len(before)
        return self._enter(descriptor, named, "written", mode=spelled, start=start).descriptor

    def _enter(
        self, descriptor: int, named: Named, form: Form, *, mode: str = "r", start: int = 0
    ) -> Handle:
        number = self.outside(moved_up, descriptor)
        self._opened += 1
        handle = Handle(self, number, named, form, mode=mode, start=start, order=self._opened)
        self.table[number] = handle
        return handle

    def file_object(
        self,
        handle: Handle,
        mode: str,
        buffering: int,
        encoding: str | None,
        errors: str | None,
        newline: str | None,
        name: object,
        *,
        closefd: bool,
    ) -> IO[Any]:
        """Return the program's object over a descriptor."""
        kind = self.kind if handle.form == "written" else ProgramFile
        raw = kind(handle, Mode(mode).raw, name, closefd=closefd)
        named_encoding = self.encoding if encoding in {None, "locale"} else encoding
        top = stacked(raw, mode, buffering, named_encoding, errors, newline)
        handle.top = weakref.ref(top)
        return top

    # --- closing ------------------------------------------------------------------------------

    def closing(self, handle: Handle) -> None:
        """Record what was written, before its descriptor is closed."""
        self.table.pop(handle.descriptor, None)
        if handle.form != "written" or self._ended or self._scheduler.stopped() is not None:
            return
        context = current()
        ours = context is not None and context.recorder is self._recorder
        try:
            handle.settle()
        finally:
            written, body = self._content(handle)
            if ours:
                self._recorder.derive(written, body)
            else:
                # Engine code let go of the last reference: that is no moment of the program.
                self._late.append((handle, written, body))

    def finish(self) -> None:
        """Record what is open still, at the end of the program, in order of opening."""
        self.settle()
        for handle in sorted(self.table.values(), key=lambda each: each.order):
            if handle.form != "written":
                continue
            top = None if handle.top is None else handle.top()
            flush = getattr(top, "flush", None)
            if flush is not None and not getattr(top, "closed", True):
                try:
                    flush()
                    handle.settle()
                except (OSError, ValueError):
                    pass  # what is on the disk is what counts
            self._late.append((handle, *self._content(handle)))
        self._ended = True
        for _, written, body in sorted(self._late, key=lambda each: each[0].order):
            self._recorder.derive(written, body)
        self._late.clear()

    def _content(self, handle: Handle) -> tuple[FileWritten, bytes | None]:
        """Read back what was written; the descriptor is open."""
        descriptor = handle.descriptor
        size = self.outside(lambda: os.fstat(descriptor).st_size)
        start = min(handle.start, size)
        body: bytes | None = None
        digest: str | None = None
        if size - start <= FILE_BYTES_MAX:
            body = b"".join(pieces(descriptor, start, size - start))
            size = start + len(body)
        else:
            digest = keyed_digest(self._key, pieces(descriptor, start, size - start))
        written = FileWritten(
            path=handle.named.spelled, mode=handle.mode, offset=start, size=size, digest=digest
        )
        return written, body

    # --- in which the two sides differ ----------------------------------------------------------

    kind: type[ProgramFile] = ProgramFile

    def outside(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call something as the engine, for which no door stands."""
        with EngineSide(self._scheduler):
            return call(*arguments)

    def read(
        self, named: Named, path: object, dir_fd: int | None, *, append_only: bool
    ) -> tuple[FileRead, bytes | None, list[str] | None] | None:
        """Take a file's content as an input, and how it looked.

        Returns:
            None if it cannot be taken: then that is on record.
        """
        raise NotImplementedError

    def is_special(self, named: Named, path: object, dir_fd: int | None) -> bool:
        """Return whether a file that is to be written is none, but a pipe or a device."""
        raise NotImplementedError

    def directory(self, path: object, flags: int, dir_fd: int | None) -> int:
        """Return a descriptor of a directory."""
        raise NotImplementedError

    def again(self, named: Named, flags: int, mode: int, before: bytes | int | None) -> int:
        """Open a file in the overlay."""
        raise NotImplementedError

    def repeat(self, again: Callable[[Overlay], None]) -> None:
        """Change the overlay, if there is one."""

    def standard_output(self, descriptor: object) -> io.RawIOBase | None:
        """Return a stream to the run's standard output, if a descriptor is that."""
        if descriptor != _STANDARD_OUTPUT:
            return None
        context = current()
        buffer = None if context is None else getattr(context.stdout, "buffer", None)
        again = getattr(buffer, "again", None)
        found: io.RawIOBase | None = None if again is None else again()
        return found

    def gap(self, what: str, name: str, size: int | None = None) -> None:
        """Say that something is not captured."""
        raise NotImplementedError

    def settle(self) -> None:
        """Wait until what was written is on the disk."""

    def gate(self) -> None:
        """Wait until all that has been recorded is durable."""

    def later(self, action: Callable[[], None]) -> None:
        """Do something outside once all that has been recorded is durable."""
        action()


def program_files() -> Files | None:
    """Return the files of the run whose program the calling thread runs; None elsewhere."""
    context = current()
    if context is None:
        return None
    files = context.files
    return files if isinstance(files, Files) else None


def spelled_mode(flags: int) -> str:
    """Return how ``open`` would spell the flags of ``os.open``."""
    letter = "w" if flags & os.O_TRUNC else "r"
    if flags & os.O_APPEND:
        letter = "a"
    elif flags & os.O_CREAT and flags & os.O_EXCL:
        letter = "x"
    return f"{letter}+" if flags & os.O_RDWR or letter == "r" else letter


def _open_really(path: Any, flags: int, mode: int, dir_fd: int | None) -> int:
    """Open a file so that what is written can be read back, if its permissions let us."""
    if flags & os.O_WRONLY:
        try:
            return os.open(path, flags & ~os.O_WRONLY | os.O_RDWR, mode, dir_fd=dir_fd)
        except PermissionError:
            pass
    return os.open(path, flags, mode, dir_fd=dir_fd)


def _bounded(size: int, named: Named) -> int:
    if not 0 <= size <= _SIZE_MAX:
        raise IntegrityError("the size of a file is out of bounds", where=named.spelled)
    return size
