"""Where a file is: as the program names it, as the record spells it, and what is no input at all.

A path below the directory that the run started in is spelled relative to it, so that a replay may
run elsewhere. The code of the program is no input: interpreter, libraries, and whatever the import
system reads.
"""

from __future__ import annotations

import os
import posixpath
import site
import sys
import sysconfig
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Final

from replay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Named", "NullByteError", "Places", "plain", "reads_code", "working_directory"]

_FRAMES_MAX: Final = 16
_STDLIB: Final = sysconfig.get_path("stdlib")
#: Who reads code: finders, loaders, and what shows source lines.
_CODE_READERS: Final = ("<frozen importlib", "<frozen zipimport", "<frozen runpy")
_CODE_READERS_STDLIB: Final = tuple(
    f"{_STDLIB}/{name}"
    for name in (
        "importlib/",
        "inspect.py",
        "linecache.py",
        "pkgutil.py",
        "runpy.py",
        "site.py",
        "sysconfig",
        "traceback.py",
        "zipimport.py",
    )
)
#: Data that is shipped with a package is an input all the same.
_RESOURCES: Final = f"{_STDLIB}/importlib/resources/"
_TOOLS: Final = ("/site-packages/coverage/", "/pydevd", "/debugpy/")
_readers: dict[str, bool] = {}


class NullByteError(ValueError):
    """No path of a system holds a null byte; the real function says so in its own words."""


@dataclass(frozen=True, slots=True)
class Named:
    """A file that the program named.

    Attributes:
        absolute: where it is, without links being followed.
        spelled: how the record spells that.
        given: what stands in the errors that the program gets.
    """

    absolute: str
    spelled: str
    given: object


class Places:
    """Names files for the record, and knows where the code lies.

    Args:
        directory: the working directory that the run started in.
        here: the working directory of this process, where the code of a replay lies.
        changed: gives the program's working directory if it has asked for it or changed it.
        expected: says whether the record has just this spelling of a path at this point; None
            while there is no record. `here` may lie above what the program names by an absolute
            path of its own, such as a file below the home directory; only the record knows how
            that was spelled, and what was the way to the code where it was made.
    """

    def __init__(
        self,
        directory: str,
        here: str,
        changed: Callable[[], str | None] = lambda: None,
        expected: Callable[[str], bool] | None = None,
    ) -> None:
        self._directory = directory
        self._changed = changed
        self._expected = expected
        bases = dict.fromkeys((directory, here, os.path.realpath(here)))
        self._bases = tuple(base.rstrip("/") for base in bases if base.rstrip("/"))
        self._code = _code_directories()
        ends = (*self._bases, *(root.rstrip("/") for root in self._code))
        self._above = frozenset(
            end[:cut] or "/" for end in ends for cut in range(len(end)) if end[cut] == "/"
        )

    @property
    def recorded(self) -> str:
        """The working directory that the run started in."""
        return self._directory

    @property
    def directory(self) -> str:
        """The program's working directory."""
        return self._changed() or self._directory

    def named(self, path: object, within: str | None = None, spelled: str = "") -> Named:
        """Name a path.

        Args:
            path: text, bytes or a path-like object.
            within: the directory that it is relative to; the working directory if None.
            spelled: how that directory is spelled, where it has no place of its own.

        Raises:
            TypeError: it is no path.
            NullByteError: it holds one.
        """
        raw = os.fspath(path)  # type: ignore[call-overload]
        text = os.fsdecode(raw)
        if "\0" in text:
            raise NullByteError("embedded null byte")
        if spelled and not text.startswith("/"):
            return Named("", f"{spelled}/{plain(text)}", raw)
        if not text:
            return Named("", "", raw)
        absolute = posixpath.normpath(posixpath.join(within or self.directory, text))
        if absolute.startswith("//"):
            absolute = absolute[1:]
        return Named(absolute, self.spelled(absolute), raw)

    def spelled(self, absolute: str) -> str:
        """Return how the record spells an absolute path."""
        for base in self._bases:
            if absolute.startswith(base):
                below = absolute[len(base) :]
                if below and below[0] != "/":
                    continue
                if (
                    base != self._directory
                    and self._expected is not None
                    and self._expected(plain(absolute))
                ):
                    break
                return plain(below[1:]) or "."
        return plain(absolute)

    def is_code(self, absolute: str) -> bool:
        """Return whether a file belongs to interpreter or libraries."""
        return absolute.startswith(self._code) or (
            "/site-packages/" in absolute or "/dist-packages/" in absolute
        )

    def is_above(self, absolute: str) -> bool:
        """Return whether a directory is only the way to where the code lies.

        The program's own directory is more than that, even with an environment in it: the libraries
        of a replay may lie elsewhere. A record says of each directory what it was taken for.
        """
        if self._expected is None:
            return absolute in self._above and absolute not in self._bases
        on_the_way = absolute in self._above or absolute in self._bases
        return on_the_way and not self._expected(self.spelled(absolute))


def reads_code(frame: FrameType | None) -> bool:
    """Return whether the import system, or what shows source lines, asks; not the program."""
    left = _FRAMES_MAX
    while frame is not None and left:
        code = frame.f_code
        file = code.co_filename
        found = _readers.get(file)
        if found is None:
            found = _readers[file] = _is_reader(file)
        if found:
            return True
        if code.co_name == "<module>":
            return False
        frame = frame.f_back
        left -= 1
    return False


def plain(text: str) -> str:
    """Return text that a record can hold; a path may hold bytes that are no text."""
    return text.encode("utf-8", "backslashreplace").decode()


def working_directory() -> str:
    """Return the working directory of this process.

    Raises:
        UsageError: it is gone.
    """
    try:
        return os.getcwd()  # noqa: PTH109 - text is wanted
    except OSError:
        raise UsageError(
            "the working directory is gone", hint="change to a directory that is there"
        ) from None


def _is_reader(file: str) -> bool:
    if file.startswith(_CODE_READERS):
        return True
    if file.startswith(_RESOURCES):
        return False
    return file.startswith(_CODE_READERS_STDLIB) or any(tool in file for tool in _TOOLS)


def _code_directories() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    directories = [sysconfig.get_path(name) for name in names]
    directories += [sysconfig.get_path(name, vars={"base": sys.base_prefix}) for name in names[:2]]
    directories += [*site.getsitepackages(), str(site.getusersitepackages())]
    files = [sys.executable, getattr(sys, "_base_executable", "") or ""]
    both = [*(f"{d.rstrip('/')}/" for d in _with_real(directories)), *_with_real(files)]
    return tuple(dict.fromkeys(both))


def _with_real(paths: Iterable[str]) -> list[str]:
    return [each for path in paths if path for each in (path, os.path.realpath(path))]
