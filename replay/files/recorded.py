"""Files of a replay: contents and outcomes from the record, what is written in the overlay."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NoReturn, Protocol

from replay.errors import IntegrityError
from replay.events.file_kinds import FileRead
from replay.files.content import anonymous, snapshot
from replay.files.places import Places, working_directory
from replay.files.program_files import Files
from replay.recording.divergence import Divergence, FieldChange
from replay.recording.gaps import Uncaptured
from replay.recording.place import place
from replay.scheduler.ports import Halted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from replay.doors.surroundings.answering import Answerer
    from replay.events.kinds import Payload, RunStarted
    from replay.files.overlay import Overlay
    from replay.files.places import Named
    from replay.recording.recorder import Recorder

__all__ = ["FileInputs", "RecordedFiles", "recorded_files"]

_Found = tuple[FileRead, bytes | None, list[str] | None]


class FileInputs(Protocol):
    """Gives recorded contents."""

    def secrets_of(self, source: str) -> Iterable[Payload]:
        """Give the secrets that the recording registered here, from this source."""
        ...

    def file(self, path: str) -> tuple[Payload, bytes | None] | None:
        """Return the content that the recording took here, or what it has to say of it.

        None if it has neither here.
        """
        ...

    def next_kind(self) -> str | None:
        """Return the kind of the record that comes next."""
        ...

    def names(self, path: str) -> bool:
        """Return whether the input that comes next names a path in just this spelling."""
        ...


class RecordedFiles(Files):
    """The record of a disk, and an overlay for what the program writes.

    Args:
        recorder, answerer, places, key, encoding: see :class:`Files`.
        inputs: where contents come from.
        overlay: where files are written.
    """

    def __init__(
        self,
        recorder: Recorder,
        answerer: Answerer,
        places: Places,
        key: bytes,
        encoding: str,
        *,
        inputs: FileInputs,
        overlay: Overlay,
    ) -> None:
        super().__init__(recorder, answerer, places, key, encoding)
        self._inputs = inputs
        self._overlay = overlay

    def read(
        self, named: Named, path: object, dir_fd: int | None, *, append_only: bool
    ) -> _Found | None:
        """Take the recorded content."""
        recorder = self._recorder
        recorder.flush()
        for secret in self._inputs.secrets_of(f"file:{named.spelled}"):
            recorder.note(secret)
        found = self._inputs.file(named.spelled)
        payload, body = found or (None, None)
        if not isinstance(payload, FileRead):
            self._no_content(named, payload)
        if payload.path != named.spelled:
            self._other_file(named, payload)
        if (body is None) != (payload.form != "file") and not append_only:
            raise IntegrityError("a file has no content", where=named.spelled)
        if (payload.form == "nothing") != bool(payload.error):
            raise IntegrityError("the outcome of a read is malformed", where=named.spelled)
        recorder.answer(payload, body)
        return payload, body, None

    def is_special(self, named: Named, path: object, dir_fd: int | None) -> bool:
        """Return False, unless the recording says that it is."""
        if self._inputs.next_kind() == "CaptureGap":
            self._stop("incomplete", named.spelled, "is a pipe or a device, which is not captured")
        return False

    def directory(self, path: object, flags: int, dir_fd: int | None) -> int:
        """Return a descriptor that stands for a directory: what it is asked is answered."""
        descriptor: int = self.outside(snapshot, b"")
        return descriptor

    def again(self, named: Named, flags: int, mode: int, before: bytes | int | None) -> int:
        """Open a file in the overlay."""
        opened: int
        if named.absolute:
            opened = self.outside(self._overlay.open, named.spelled, flags, mode, before)
        else:
            opened = self.outside(anonymous)
        return opened

    def repeat(self, again: Callable[[Overlay], None]) -> None:
        """Change the overlay as far as what is there lets us: the outcome is the record's."""
        with contextlib.suppress(OSError):
            self.outside(again, self._overlay)

    def gap(self, what: str, name: str, size: int | None = None) -> None:
        """Refuse what no door answers."""
        self._stop("refused", f"{what} {name}".strip(), "bypasses the record: wrap it in an effect")

    def _stop(self, verdict: str, what: str, why: str) -> NoReturn:
        where = place()
        note = f"{what} {why}" + (f" (at {where})" if where else "")
        error = Uncaptured("refused" if verdict == "refused" else "incomplete", note)
        self._scheduler.halt(error)
        raise Halted from error

    def _no_content(self, named: Named, payload: Payload | None) -> NoReturn:
        kind = type(payload).__name__ if payload is not None else self._inputs.next_kind()
        if kind == "CaptureGap":
            self._stop("incomplete", named.spelled, "was not captured when recording")
        self._recorder.diverge(
            Divergence(
                seq=self._recorder.size,
                category="extra",
                recorded_kind=kind,
                replayed_kind="FileRead",
                task="",
                replayed_place=place(),
                note=f"the program opened {named.spelled}",
            )
        )
        raise AssertionError("unreachable")

    def _other_file(self, named: Named, payload: FileRead) -> NoReturn:
        self._recorder.diverge(
            Divergence(
                seq=self._recorder.size,
                category="changed",
                recorded_kind="FileRead",
                replayed_kind="FileRead",
                task="",
                fields=(FieldChange("path", payload.path, named.spelled),),
                replayed_place=place(),
                note="the program opened another file",
            )
        )
        raise AssertionError("unreachable")


def recorded_files(
    started: RunStarted,
    recorder: Recorder,
    answerer: Answerer,
    changed: Callable[[], str | None],
    *,
    inputs: FileInputs,
    overlay: Overlay,
) -> RecordedFiles | None:
    """Return the files of a recorded run; None for one that was recorded without them.

    Args:
        started: the first record.
        recorder: the recorder of the replay.
        answerer: answers what is a reading.
        changed: gives the program's working directory if it has asked for it or changed it.
        inputs: where contents come from.
        overlay: where files are written.

    Raises:
        IntegrityError: the recorded directory is none.
    """
    if not started.flags.get("files", 0):
        return None
    directory = started.directory
    if not directory.startswith("/") or "\0" in directory:
        raise IntegrityError("the working directory of the run is none", where="event 0")
    return RecordedFiles(
        recorder,
        answerer,
        Places(directory, working_directory(), changed, inputs.names),
        bytes.fromhex(started.seed),
        started.setting.get("text", "utf-8"),
        inputs=inputs,
        overlay=overlay,
    )
