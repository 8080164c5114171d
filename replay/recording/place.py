"""Where in the user's program something happened, for people; never part of a record."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from types import FrameType
from typing import Final

__all__ = ["PLACES_MAX", "asker", "is_user_file", "library", "place", "place_of", "user_frames"]

#: Frames of the await chain that are kept.
PLACES_MAX: Final = 6

#: This house's packages, also where they lie in a checkout and not among the libraries.
_ENGINE: Final = tuple(
    str(Path(__file__).resolve().parents[2] / name) + os.sep
    for name in ("attestations", "orchestrator", "replay")
)
_LIBRARIES: Final = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_user_files: dict[str, bool] = {}


def place(frame: FrameType | None = None) -> str | None:
    """Return the user's frames, innermost first, as ``file:line function`` joined by `` < ``."""
    frames = user_frames(frame if frame is not None else sys._getframe(1))
    return " < ".join(f"{file}:{line} {name}" for file, line, name in frames) or None


def user_frames(frame: FrameType | None) -> list[tuple[str, int, str]]:
    """Return (file, line, function) of frames outside engine and libraries, innermost first."""
    found: list[tuple[str, int, str]] = []
    while frame is not None and len(found) < PLACES_MAX:
        code = frame.f_code
        name = code.co_filename
        is_user = _user_files.get(name)  # `is_user_file` written out: this runs for every record
        if is_user or (is_user is None and is_user_file(name)):
            found.append((name, frame.f_lineno, code.co_name))
        frame = frame.f_back
    return found


def place_of(error: BaseException) -> str | None:
    """Return the user's frames in which an error was raised, as :func:`place` gives them."""
    found: list[tuple[str, int, str]] = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if is_user_file(code.co_filename):
            found.insert(0, (code.co_filename, trace.tb_lineno, code.co_name))
        trace = trace.tb_next
    return " < ".join(f"{f}:{line} {name}" for f, line, name in found[:PLACES_MAX]) or None


def asker(frame: FrameType | None) -> str:
    """Return which library did something, and where the user's program called it.

    The library is the one whose function the user's code called, not the one that did it in the
    end: that is nearly always the same few modules of Python.
    """
    library = ""
    while frame is not None:
        code = frame.f_code
        if is_user_file(code.co_filename):
            here = f"{code.co_filename}:{frame.f_lineno} {code.co_name}"
            return f"{library} at {here}" if library else here
        if not code.co_filename.startswith(("<", *_ENGINE)):
            library = str(frame.f_globals.get("__name__", ""))
        frame = frame.f_back
    return library


def library(frame: FrameType | None) -> str:
    """Return the module whose function the user's code called, empty if it did it itself."""
    found = ""
    while frame is not None and not is_user_file(frame.f_code.co_filename):
        if not frame.f_code.co_filename.startswith(("<", *_ENGINE)):
            found = str(frame.f_globals.get("__name__", ""))
        frame = frame.f_back
    return "" if frame is None else found


def is_user_file(name: str) -> bool:
    """Return whether a file is the program's own: not the engine's, Python's or a library's."""
    is_user = _user_files.get(name)
    if is_user is None:
        is_user = _user_files[name] = not (
            name.startswith(("<", *_ENGINE, *_LIBRARIES)) or "site-packages" in name
        )
    return is_user
