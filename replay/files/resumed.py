"""Files of a run that goes on: its record and an overlay first, the disk from then on.

What the program wrote before the crash is on the disk already, up to some byte; that is written
again in the overlay, so that it is known how far the program is. When the run goes live, a file
that is still open gets what it lacks, and the program's descriptor leads to it. Files that the
record shows as closed are complete and are left alone.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from replay.errors import ResumeError
from replay.files.content import pieces, write_whole
from replay.files.live import LiveFiles
from replay.files.recorded import RecordedFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from replay.doors.context import World
    from replay.doors.surroundings.answering import Answerer
    from replay.events.file_kinds import FileRead
    from replay.files.handle import Handle
    from replay.files.overlay import Overlay
    from replay.files.places import Named, Places
    from replay.files.recorded import FileInputs
    from replay.recording.recorder import Recorder
    from replay.recording.tape import Tape

__all__ = ["RecordedPart", "ResumedFiles"]

_Found = tuple["FileRead", bytes | None, list[str] | None]
_PIECE_BYTES: Final = 1 << 20


class RecordedPart:
    """The recorded part of a run, as its files see it.

    Args:
        ended: closes what is open and goes live if the record has nothing more; says whether the
            run is live.
        made: says whether a record with this seq is one of the recorded part.
    """

    def __init__(self, ended: Callable[[], bool], made: Callable[[int], bool]) -> None:
        self.ended = ended
        self.made = made


class ResumedFiles(LiveFiles):
    """See the module docstring.

    Args:
        recorder, answerer, places, key, encoding: see :class:`replay.files.program_files.Files`.
        tape, world: see :class:`replay.files.live.LiveFiles`.
        inputs, overlay: see :class:`replay.files.recorded.RecordedFiles`.
        part: the recorded part.
        scrub: puts surrogates for known secrets into a content.
    """

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
        inputs: FileInputs,
        overlay: Overlay,
        part: RecordedPart,
        scrub: Callable[[bytes], bytes],
    ) -> None:
        super().__init__(recorder, answerer, places, key, encoding, tape=tape, world=world)
        self._before = RecordedFiles(
            recorder, answerer, places, key, encoding, inputs=inputs, overlay=overlay
        )
        self._part = part
        self._scrub = scrub
        self._is_live = False
        #: Closed behind the recorded part: a descriptor of the overlay's file, kept for a while.
        self._closed: list[tuple[Handle, int]] = []

    # --- going live ---------------------------------------------------------------------------

    def plan(self) -> list[Placing]:
        """Return what has to be written where; nothing is changed yet.

        Raises:
            ResumeError: a file is not what this run left.
        """
        found = [(handle, handle.descriptor, False) for handle in self.table.values()]
        found += [(handle, descriptor, True) for handle, descriptor in self._closed]
        written = [each for each in found if each[0].form == "written"]
        return [
            Placing(handle, descriptor, self._real(handle.named), closed=closed)
            for handle, descriptor, closed in sorted(written, key=lambda each: each[0].order)
        ]

    def go_live(self, placings: Sequence[Placing]) -> None:
        """Write what is missing, and let the program's descriptors lead to the disk."""
        self._is_live = True
        for placing in placings:
            placing.do()
        self._closed.clear()

    def _real(self, named: Named) -> str:
        """Return where a file really is: here, if the run began in another directory."""
        recorded, here = self.places.recorded, os.getcwd()  # noqa: PTH109 - text is wanted
        if named.absolute == recorded or named.absolute.startswith(f"{recorded.rstrip('/')}/"):
            return here + named.absolute[len(recorded.rstrip("/")) :]
        return named.absolute

    # --- recorded, then live --------------------------------------------------------------------

    def read(
        self, named: Named, path: object, dir_fd: int | None, *, append_only: bool
    ) -> _Found | None:
        """Take the recorded content, or the one on the disk."""
        if not self._part.ended():
            return self._before.read(named, path, dir_fd, append_only=append_only)
        found = super().read(named, path, dir_fd, append_only=append_only)
        if found is None or found[1] is None:
            return found
        return found[0], self._scrub(found[1]), found[2]

    def is_special(self, named: Named, path: Any, dir_fd: int | None) -> bool:
        """Return whether a path leads to a pipe or a device."""
        if not self._part.ended():
            return self._before.is_special(named, path, dir_fd)
        return super().is_special(named, path, dir_fd)

    def directory(self, path: Any, flags: int, dir_fd: int | None) -> int:
        """Return a descriptor of a directory."""
        if not self._is_live:
            return self._before.directory(path, flags, dir_fd)
        return super().directory(path, flags, dir_fd)

    def again(self, named: Named, flags: int, mode: int, before: bytes | int | None) -> int:
        """Open a file in the overlay."""
        return self._before.again(named, flags, mode, before)

    def repeat(self, again: Callable[[Overlay], None]) -> None:
        """Change the overlay, as long as that is where the files are."""
        if not self._is_live:
            self._before.repeat(again)

    def gap(self, what: str, name: str, size: int | None = None) -> None:
        """Record that something is not captured; in the recorded part there is none."""
        if self._part.ended():
            super().gap(what, name, size)
        else:
            self._before.gap(what, name, size)

    def closing(self, handle: Handle) -> None:
        """Record what was written; keep the overlay's file if nobody knows that it is complete."""
        if self._is_live or handle.form != "written":
            super().closing(handle)
            return
        kept = self.outside(os.dup, handle.descriptor)
        waiting = len(self._late)
        super().closing(handle)
        if len(self._late) > waiting or not self._part.made(self._recorder.size - 1):
            self._closed.append((handle, kept))
        else:
            self.outside(os.close, kept)

    def settle(self) -> None:
        """Wait until what was written is on the disk."""
        if self._is_live:
            super().settle()

    def gate(self) -> None:
        """Wait until all that has been recorded is durable: in the recorded part it is."""
        if self._is_live:
            super().gate()

    def later(self, action: Callable[[], None]) -> None:
        """Do something outside once all that has been recorded is durable; in the overlay now."""
        if self._is_live:
            super().later(action)
        else:
            self.outside(action)


class Placing:
    """What one file lacks.

    Args:
        handle: the program's.
        descriptor: of the overlay's file.
        path: where the file really is.
        closed: whether the program has closed it.

    Raises:
        ResumeError: the file is not what this run left.
    """

    def __init__(self, handle: Handle, descriptor: int, path: str, *, closed: bool) -> None:
        self._handle = handle
        self._descriptor = descriptor
        self._path = path
        self._closed = closed
        self._there = self._known_bytes()

    def _known_bytes(self) -> int:
        """Return how many bytes of what the program wrote are on the disk."""
        start = self._handle.start
        try:
            real = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            if start:
                raise self._other("it is not there") from None
            return 0
        except OSError as error:
            raise self._other(error.strerror or "it cannot be read") from None
        try:
            if os.fstat(real).st_size < start:
                raise self._other("it is shorter than it was")
            there = 0
            for piece in pieces(real, start):
                made = os.pread(self._descriptor, len(piece), start + there)
                there += len(made)
                if made != piece:
                    if piece.startswith(made):
                        raise self._longer(start + there)
                    raise self._other("it holds something else")
            return there
        finally:
            os.close(real)

    def do(self) -> None:
        """Write what is missing; the program's descriptor leads there from now on."""
        handle, start = self._handle, self._handle.start
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        if handle.mode.startswith("a"):
            flags |= os.O_APPEND
        real = os.open(self._path, flags, 0o666)
        try:
            os.lseek(real, 0, os.SEEK_END)
            for piece in pieces(self._descriptor, start + self._there):
                write_whole(real, piece)
            os.lseek(real, os.lseek(self._descriptor, 0, os.SEEK_CUR), os.SEEK_SET)
            if self._closed:
                os.close(self._descriptor)
            else:
                os.dup2(real, self._descriptor, inheritable=False)
        finally:
            os.close(real)

    def _longer(self, size: int) -> ResumeError:
        """Timers are in no record: what a program wrote after one had fired may be on disk only."""
        return ResumeError(
            f"the file {self._handle.named.spelled} is longer than what is on record of this run",
            where=self._path,
            hint="where nobody else has written to it, the run itself did, after its last record,"
            f" and writes it again: `truncate -s {size}` the file",
        )

    def _other(self, why: str) -> ResumeError:
        return ResumeError(
            f"the file {self._handle.named.spelled} is not what this run left: {why}",
            where=self._path,
            hint="put back what was there when the run stopped",
        )
