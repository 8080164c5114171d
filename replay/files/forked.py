"""Files of a fork: when it goes live, what its recorded part wrote is written to the disk anew.

The recorded run did that once, perhaps elsewhere and long ago, and went on to change it. So nothing
on the disk is relied upon: what stands in the overlay by then is put in place as a whole.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from replay.errors import ForkError
from replay.files.content import pieces, write_whole
from replay.files.live import LiveFiles
from replay.files.resumed import ResumedFiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from replay.events.file_kinds import FileRead
    from replay.files.places import Named
    from replay.files.resumed import Placing

__all__ = ["ForkedFiles"]

_ABSOLUTE: Final = ".absolute"
_Found = tuple["FileRead", bytes | None, list[str] | None]


class ForkedFiles(ResumedFiles):
    """See the module docstring.

    Attributes:
        root: of the overlay; set before the first question.
        unplaced: files that could not be put there.
    """

    root: Path
    unplaced: list[str]

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]  # the base's own
        self._unknown: list[str] = []

    def again(self, named: Named, flags: int, mode: int, before: bytes | int | None) -> int:
        """Open a file in the overlay; one of which only the size is on record cannot be remade."""
        if isinstance(before, int):
            self._unknown.append(named.spelled)
        return super().again(named, flags, mode, before)

    def written(self) -> list[tuple[str, str]]:
        """Return what stands in the overlay: each file with the place where it belongs.

        Raises:
            ForkError: the content of one of them is not on record.
        """
        if self._unknown:
            raise ForkError(
                f"the recorded part appends to {self._unknown[0]}, whose content is not on record",
                hint="fork from an event before it is opened: --at SEQ",
            )
        if self.unplaced:
            raise ForkError(
                f"the recorded part writes {self.unplaced[0]}, which cannot be written anew",
                hint="fork from an event before it is opened: --at SEQ",
            )
        return [
            (path, self._place(path))
            for directory, _, files in self._walk()
            for path in (f"{directory}/{name}" for name in sorted(files))
        ]

    def _walk(self) -> Iterator[tuple[str, list[str], list[str]]]:
        for directory, names, files in os.walk(self.root):
            names.sort()
            yield directory, names, files

    def _place(self, path: str) -> str:
        """Return where something in the overlay belongs."""
        steps = Path(path).relative_to(self.root).parts
        absolute = steps[:1] == (_ABSOLUTE,)
        return "/".join(("", *steps[1:]) if absolute else (os.getcwd(), *steps))  # noqa: PTH109

    def plan(self) -> list[Placing]:
        """See to it that everything that was written can be written again."""
        self.written()
        return []

    def go_live(self, placings: Sequence[Placing]) -> None:
        """Write it, and let the program's open descriptors lead to the disk."""
        written = self.written()
        for directory, _, _ in self._walk():
            if directory != str(self.root):
                _make(self._place(directory))
        for source, target in written:
            _copy(source, target)
        for handle in sorted(self.table.values(), key=lambda each: each.order):
            if handle.form == "written":
                self._lead_to_disk(handle.descriptor, self._real(handle.named), handle.mode)
        for _, descriptor in self._closed:
            os.close(descriptor)
        self._closed.clear()
        self._is_live = True

    def read(
        self, named: Named, path: object, dir_fd: int | None, *, append_only: bool
    ) -> _Found | None:
        """Take the recorded content, or the one on the disk; in a dry pass, the overlay's."""
        if self._part.ended() and not self._is_live:
            inside = self.root / _place_of(named.spelled)
            if inside.is_file():
                return LiveFiles.read(self, named, str(inside), None, append_only=append_only)
        return super().read(named, path, dir_fd, append_only=append_only)

    def _lead_to_disk(self, descriptor: int, path: str, mode: str) -> None:
        append = os.O_APPEND if mode.startswith("a") else 0
        try:
            real = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | append, 0o666)
        except OSError as error:
            raise ForkError(error.strerror or "it cannot be opened", where=path) from None
        try:
            os.lseek(real, os.lseek(descriptor, 0, os.SEEK_CUR), os.SEEK_SET)
            os.dup2(real, descriptor, inheritable=False)
        finally:
            os.close(real)


def _place_of(spelled: str) -> str:
    steps = [step for step in spelled.split("/") if step not in {"", "."}]
    return "/".join((_ABSOLUTE, *steps) if spelled.startswith("/") else steps)


def _make(directory: str) -> None:
    try:
        Path(directory or "/").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ForkError(
            f"a directory of the recorded part cannot be made: {error.strerror}", where=directory
        ) from None


def _copy(source: str, target: str) -> None:
    """Let a file hold what another one does; links and owners of it stay."""
    from_there = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        to = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            for piece in pieces(from_there, 0):
                write_whole(to, piece)
        finally:
            os.close(to)
    except OSError as error:
        raise ForkError(
            f"a file of the recorded part cannot be written: {error.strerror}", where=target
        ) from None
    finally:
        os.close(from_there)
