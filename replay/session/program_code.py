"""The program's own source at the end of a run: which files, and what of them goes on record.

A command has a process of its own, so every module that is loaded and is no library is the
program's. A function that is recorded in somebody's process (a service, a test) is its module and
what that module's globals reach, with whatever was imported while it ran.
"""

from __future__ import annotations

import functools
import os
import stat
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from replay.events.code_kinds import CodeLoaded, SourceFile
from replay.events.digest import keyed_digest
from replay.recording.place import is_user_file
from replay.secrets.patterns import find_secret_values
from replay.session.distributions import loaded_distributions
from replay.session.git_ignore import GitIgnore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from replay.secrets.scrub import Scrubber

__all__ = ["FILE_BYTES_MAX", "TOTAL_BYTES_MAX", "code_note", "files_of_process", "files_reached"]

FILE_BYTES_MAX: Final = 1 << 20
TOTAL_BYTES_MAX: Final = 8 << 20
_FILES_MAX: Final = 2000
_MODULES_MAX: Final = 5000
_DIGESTED_BYTES_MAX: Final = 16 << 20


def files_of_process(main: str | None) -> list[str]:
    """Return the files of a process that is the program's own.

    Args:
        main: the file that ran as ``__main__``, which is no module any more; None if none did.
    """
    return _own([main, *map(_file_of, list(sys.modules.values()))])


def files_reached(program: Callable[[], object], before: frozenset[str]) -> list[str]:
    """Return the files that a function reaches by its globals, or that were imported meanwhile.

    Args:
        program: the function.
        before: names of the modules that were loaded when it began.
    """
    found: dict[str, None] = {}
    modules: list[ModuleType] = []
    seen: dict[str, None] = {}

    def meet(value: object) -> None:
        name = value.__name__ if isinstance(value, ModuleType) else _module_name(value)
        if not isinstance(name, str) or name in seen or len(seen) >= _MODULES_MAX:
            return
        module = sys.modules.get(name)
        seen[name] = None
        file = None if module is None else _file_of(module)
        if module is not None and file is not None and is_user_file(file):
            found[file] = None
            modules.append(module)

    for function in _functions(program):
        code = getattr(function, "__code__", None)
        if code is not None:
            found[code.co_filename] = None
        meet(function)
        for value in list(getattr(function, "__globals__", {}).values()):
            meet(value)
    while modules:
        for value in list(vars(modules.pop()).values()):
            meet(value)
    late = [module for name, module in list(sys.modules.items()) if name not in before]
    return _own([*found, *map(_file_of, late)])


def code_note(
    paths: Iterable[str], *, directory: str, key: bytes, scrubber: Scrubber, started_us: int
) -> tuple[CodeLoaded, bytes]:
    """Return the record of source files, and their texts.

    Args:
        paths: absolute paths.
        directory: that the run started in.
        key: what digests of this run's files are keyed with.
        scrubber: knows the secrets of the run.
        started_us: when the run began.
    """
    listed = sorted(paths)
    ignoring = GitIgnore()
    files: list[SourceFile] = []
    texts: list[bytes] = []
    late: list[str] = []
    room = TOTAL_BYTES_MAX
    for path in listed[:_FILES_MAX]:
        shown = _spelled(path, directory)
        try:
            status = Path(path).stat()
            text = _read(path, status)
        except OSError:
            files.append(SourceFile(shown, "unreadable", 0, ""))
            continue
        if status.st_mtime_ns // 1000 > started_us:
            late.append(shown)
        size = len(text)
        if ignoring.ignores(Path(path)):
            files.append(SourceFile(shown, "ignored", size, ""))
        elif any(True for _ in find_secret_values(text)) or scrubber.scrub(text) is not text:
            # No digest either: a short secret could be guessed by it.
            files.append(SourceFile(shown, "secret", size, ""))
        elif size > min(FILE_BYTES_MAX, room):
            files.append(SourceFile(shown, "large", size, keyed_digest(key, [text])))
        else:
            room -= size
            files.append(SourceFile(shown, "kept", size, ""))
            texts.append(text)
    head = CodeLoaded(
        files=tuple(files),
        distributions=loaded_distributions(),
        late=tuple(late),
        omitted=max(0, len(listed) - _FILES_MAX),
    )
    return head, b"".join(texts)


def _read(path: str, status: os.stat_result) -> bytes:
    if not stat.S_ISREG(status.st_mode) or status.st_size > _DIGESTED_BYTES_MAX:
        raise OSError(f"not a source file: {path}")
    with Path(path).open("rb") as file:
        return file.read(_DIGESTED_BYTES_MAX + 1)


def _spelled(path: str, directory: str) -> str:
    inside = directory.rstrip(os.sep) + os.sep
    real = path if path.startswith(inside) else str(Path(path).resolve())
    shown = real.removeprefix(inside) if real.startswith(inside) else path
    return os.fsencode(shown).decode("utf-8", "backslashreplace")


def _own(paths: Iterable[str | None]) -> list[str]:
    absolute = dict.fromkeys(Path(path).absolute() for path in paths if path and is_user_file(path))
    return [str(path) for path in absolute if path.is_file()]


def _file_of(module: object) -> str | None:
    names: dict[str, Any] = getattr(module, "__dict__", {})
    file = names.get("__file__")
    # A compiled module is no source; what it was made from may not be there.
    return file if isinstance(file, str) and not file.endswith((".so", ".pyd", ".pyc")) else None


def _module_name(value: object) -> object:
    if isinstance(value, type) or callable(value):
        # Looked up on the class's own terms: an object of a library may answer anything.
        try:
            return getattr(value, "__module__", None)
        except Exception:  # noqa: BLE001 - whatever a lazy object of a library raises
            return None
    return type(value).__module__


def _functions(program: object) -> list[object]:
    """Return a function and those that it wraps or holds, as far as that can be seen."""
    found: list[object] = []
    waiting = [program]
    while waiting and len(found) < 100:
        value = waiting.pop()
        if isinstance(value, functools.partial):
            waiting.append(value.func)
            continue
        value = getattr(value, "__func__", value)
        if any(value is each for each in found) or not hasattr(value, "__code__"):
            continue
        found.append(value)
        waiting.append(getattr(value, "__wrapped__", None))
        for cell in getattr(value, "__closure__", None) or ():
            try:
                waiting.append(cell.cell_contents)
            except ValueError:
                continue
    return found
