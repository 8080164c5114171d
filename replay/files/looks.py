"""The functions of ``os`` that look at the disk, as they are for a program in a run.

Each takes the run's files, the real function and the program's arguments. What is asked of the
program's code, or of directories on the way to it, is asked of the real disk.
"""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any, Final

from replay.errors import IntegrityError
from replay.files.outcomes import pack_stat, unpack_stat
from replay.files.scanning import Scan, entries_of, pack_entries

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.files.places import Named
    from replay.files.program_files import Files

__all__ = ["LOOKS"]

_Real = Any


def _stat(
    files: Files,
    real: _Real,
    path: Any,
    *,
    dir_fd: int | None = None,
    follow_symlinks: bool = True,
) -> os.stat_result:
    source = "file.stat" if follow_symlinks else "file.lstat"
    return _stat_as(files, source, path, dir_fd, _bound(real, path, dir_fd, follow_symlinks))


def _lstat(files: Files, real: _Real, path: Any, *, dir_fd: int | None = None) -> os.stat_result:
    return _stat_as(files, "file.lstat", path, dir_fd, lambda: real(path, dir_fd=dir_fd))


def _fstat(files: Files, real: _Real, fd: int) -> os.stat_result:
    return _stat_as(files, "file.stat", fd, None, lambda: real(fd))


def _stat_as(
    files: Files, source: str, path: Any, dir_fd: int | None, live: Callable[[], os.stat_result]
) -> os.stat_result:
    named = files.named(path, dir_fd)
    if _is_passed(files, named):
        return live()
    handle = files.table.get(path) if isinstance(path, int) else None
    packed = None if handle is None else handle.packed

    def ask() -> list[str]:
        return pack_stat(live()) if packed is None else packed

    return unpack_stat(files.look(source, named, ask), f"{source}({named.spelled})")


def _bound(
    real: _Real,
    path: Any,
    dir_fd: int | None,
    follow_symlinks: bool,  # noqa: FBT001 - it is bound by place
) -> Callable[[], os.stat_result]:
    if follow_symlinks and dir_fd is None:
        return lambda: real(path)
    return lambda: real(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)


def _access(
    files: Files, real: _Real, path: Any, mode: int, *, dir_fd: int | None = None, **more: bool
) -> bool:
    named = files.named(path, dir_fd)
    if _is_passed(files, named):
        return bool(real(path, mode, dir_fd=dir_fd, **more))

    def ask() -> list[str]:
        return ["yes" if real(path, mode, dir_fd=dir_fd, **more) else "no"]

    return files.look("file.access", named, ask, str(mode)) == ["yes"]


def _readlink(files: Files, real: _Real, path: Any, *, dir_fd: int | None = None) -> str | bytes:
    named = files.named(path, dir_fd)
    if _is_passed(files, named):
        return real(path, dir_fd=dir_fd)  # type: ignore[no-any-return]
    told = files.look("file.link", named, lambda: [os.fsdecode(real(path, dir_fd=dir_fd))])
    text = _only(told, "file.link")
    return os.fsencode(text) if isinstance(os.fspath(path), bytes) else text


def _listdir(files: Files, real: _Real, path: Any = None) -> list[str] | list[bytes]:
    asked = "." if path is None else path
    named = files.named(asked)
    if files.places.is_code(named.absolute):
        return real(path)  # type: ignore[no-any-return]
    names = files.look("file.list", named, lambda: [os.fsdecode(name) for name in real(asked)])
    if not isinstance(asked, int) and isinstance(os.fspath(asked), bytes):
        return [os.fsencode(name) for name in names]
    return names


def _scandir(files: Files, real: _Real, path: Any = None) -> Any:
    asked = "." if path is None else path
    named = files.named(asked)
    if files.places.is_code(named.absolute):
        return real(path)

    def ask() -> list[str]:
        with real(asked) as scan:
            return pack_entries(scan)

    packed = files.look("file.scan", named, ask)
    top = asked if isinstance(asked, int) else os.fspath(asked)
    return Scan(entries_of(packed, top, f"file.scan({named.spelled})"))


def _listxattr(
    files: Files, real: _Real, path: Any = None, *, follow_symlinks: bool = True
) -> list[str]:
    asked = "." if path is None else path
    named = files.named(asked)
    if files.places.is_code(named.absolute):
        return real(asked, follow_symlinks=follow_symlinks)  # type: ignore[no-any-return]
    return files.look(
        "file.attributes", named, lambda: real(asked, follow_symlinks=follow_symlinks)
    )


def _getxattr(
    files: Files, real: _Real, path: Any, attribute: Any, *, follow_symlinks: bool = True
) -> bytes:
    named = files.named(path)

    def ask() -> list[str]:
        value = real(path, attribute, follow_symlinks=follow_symlinks)
        return [base64.b64encode(value).decode()]

    told = files.look("file.attribute", named, ask, os.fsdecode(attribute))
    try:
        return base64.b64decode(_only(told, "file.attribute"), validate=True)
    except ValueError:
        raise IntegrityError("an attribute is malformed", where=named.spelled) from None


def _is_passed(files: Files, named: Named) -> bool:
    places = files.places
    return places.is_code(named.absolute) or places.is_above(named.absolute)


def _only(told: list[str], where: str) -> str:
    if len(told) != 1:
        raise IntegrityError("an answer of the disk is malformed", where=where)
    return told[0]


#: By the name of the function of ``os``.
LOOKS: Final[dict[str, Callable[..., object]]] = {
    "access": _access,
    "fstat": _fstat,
    "getxattr": _getxattr,
    "listdir": _listdir,
    "listxattr": _listxattr,
    "lstat": _lstat,
    "readlink": _readlink,
    "scandir": _scandir,
    "stat": _stat,
}
