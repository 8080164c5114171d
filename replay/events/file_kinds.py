"""The kinds of what a program reads and writes on disk, and of what could not be captured."""

from __future__ import annotations

from typing import Literal

from replay.events.kind_base import Names, PayloadBase

__all__ = ["CaptureGap", "FileRead", "FileWritten"]


class FileRead(PayloadBase, frozen=True, tag="FileRead"):
    """A file as it was when the program opened it; the exact bytes follow the head.

    Attributes:
        path: where it is, relative to the directory the run started in if it lies there.
        form: what was found there; nothing if opening it failed.
        size: bytes of the file. Without a body the content was not taken: the program can only
            append to it.
        error: name and text of the system's error, or empty.
    """

    path: str
    form: Literal["file", "directory", "nothing"]
    size: int = 0
    error: Names = ()


class FileWritten(PayloadBase, frozen=True, tag="FileWritten"):
    """A file as it was when the program closed it; its exact bytes follow the head.

    Attributes:
        path: where it was opened, in the form that ``FileRead`` has.
        mode: how it was opened, as ``open`` spells it.
        offset: where the body begins: behind what was there, for a file that was only appended to.
        size: bytes of the whole file.
        digest: where the content is too large for a record, its keyed BLAKE3 in place of a body.
    """

    path: str
    mode: str
    offset: int
    size: int
    digest: str | None = None


class CaptureGap(PayloadBase, frozen=True, tag="CaptureGap"):
    """The program used something that no door answers, or that is too large for the record.

    Attributes:
        what: what it was, such as ``sqlite3``, ``mmap`` or ``file-too-large``.
        name: which one: a path, or a name of the program's.
        size: how many bytes, where that is known.
        site: which library, and where the program called it; empty where nothing says so.
    """

    what: str
    name: str
    size: int | None = None
    site: str = ""
