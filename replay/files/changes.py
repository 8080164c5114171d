"""The functions of ``os`` that change the disk, as they are for a program in a run.

What is done to which file is asserted, how it ended is an input. Live it is really done, once all
that has been recorded is durable; in a replay it is done in the overlay, as far as that has the
file.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.files.overlay import Overlay
    from replay.files.program_files import Files

__all__ = ["CHANGES"]

_Real = Any
#: What a directory gets where nothing else is said.
_MODE: Final = 0o777


def _mkdir(
    files: Files, real: _Real, path: Any, mode: int = 0o777, *, dir_fd: int | None = None
) -> None:
    spelled = files.named(path, dir_fd).spelled
    _one(
        files,
        "disk.mkdir",
        path,
        dir_fd,
        lambda: real(path, mode, dir_fd=dir_fd),
        lambda overlay: overlay.mkdir(spelled),
        "" if mode == _MODE else oct(mode),
    )


def _rmdir(files: Files, real: _Real, path: Any, *, dir_fd: int | None = None) -> None:
    spelled = files.named(path, dir_fd).spelled
    _one(
        files,
        "disk.rmdir",
        path,
        dir_fd,
        lambda: real(path, dir_fd=dir_fd),
        lambda overlay: overlay.rmdir(spelled),
    )


def _remove(files: Files, real: _Real, path: Any, *, dir_fd: int | None = None) -> None:
    spelled = files.named(path, dir_fd).spelled
    _one(
        files,
        "disk.remove",
        path,
        dir_fd,
        lambda: real(path, dir_fd=dir_fd),
        lambda overlay: overlay.remove(spelled),
    )


def _rename(
    files: Files,
    real: _Real,
    src: Any,
    dst: Any,
    *,
    src_dir_fd: int | None = None,
    dst_dir_fd: int | None = None,
) -> None:
    old = files.named(src, src_dir_fd).spelled
    new = files.named(dst, dst_dir_fd).spelled
    files.change(
        "disk.rename",
        _both(old, new),
        (src, dst),
        lambda: real(src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd),
        lambda overlay: overlay.rename(old, new),
    )


def _link(
    files: Files,
    real: _Real,
    src: Any,
    dst: Any,
    *,
    src_dir_fd: int | None = None,
    dst_dir_fd: int | None = None,
    **more: bool,
) -> None:
    old = files.named(src, src_dir_fd).spelled
    new = files.named(dst, dst_dir_fd).spelled
    files.change(
        "disk.link",
        _both(old, new),
        (src, dst),
        lambda: real(src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, **more),
        lambda overlay: overlay.link(old, new),
    )


def _symlink(
    files: Files,
    real: _Real,
    src: Any,
    dst: Any,
    target_is_directory: bool = False,  # noqa: FBT001, FBT002 - as `os.symlink` takes it
    *,
    dir_fd: int | None = None,
) -> None:
    # The overlay makes no link: one could lead out of it.
    files.change(
        "disk.symlink",
        _both(os.fsdecode(src), files.named(dst, dir_fd).spelled),
        (src, dst),
        lambda: real(src, dst, target_is_directory, dir_fd=dir_fd),
    )


def _chmod(
    files: Files, real: _Real, path: Any, mode: int, *, dir_fd: int | None = None, **more: bool
) -> None:
    spelled = files.named(path, dir_fd).spelled
    _one(
        files,
        "disk.chmod",
        path,
        dir_fd,
        lambda: real(path, mode, dir_fd=dir_fd, **more),
        lambda overlay: overlay.chmod(spelled, mode),
        oct(mode),
    )


def _chown(
    files: Files,
    real: _Real,
    path: Any,
    uid: int,
    gid: int,
    *,
    dir_fd: int | None = None,
    **more: bool,
) -> None:
    detail = f"{uid}:{gid}"
    live = _with(real, path, uid, gid, dir_fd=dir_fd, **more)
    _one(files, "disk.chown", path, dir_fd, live, None, detail)


def _lchown(files: Files, real: _Real, path: Any, uid: int, gid: int) -> None:
    _one(files, "disk.chown", path, None, lambda: real(path, uid, gid), None, f"{uid}:{gid}")


def _utime(
    files: Files,
    real: _Real,
    path: Any,
    times: Any = None,
    *,
    dir_fd: int | None = None,
    **more: Any,
) -> None:
    detail = "" if times is None and "ns" not in more else str(tuple(more.get("ns", times)))
    live = _with(real, path, times, dir_fd=dir_fd, **more)
    _one(files, "disk.utime", path, dir_fd, live, None, detail)


def _truncate(files: Files, real: _Real, path: Any, length: int) -> None:
    spelled = files.named(path).spelled
    handle = files.table.get(path) if isinstance(path, int) else None

    def again(overlay: Overlay) -> None:
        if handle is None:
            overlay.truncate(spelled, length)
        else:
            os.ftruncate(handle.descriptor, length)

    _one(files, "disk.truncate", path, None, lambda: real(path, length), again, str(length))


def _setxattr(
    files: Files, real: _Real, path: Any, attribute: Any, value: Any, *rest: int, **more: Any
) -> None:
    live = _with(real, path, attribute, value, *rest, **more)
    detail = f"{os.fsdecode(attribute)} {bytes(value).hex()}"
    _one(files, "disk.attribute", path, None, live, None, detail)


def _removexattr(files: Files, real: _Real, path: Any, attribute: Any, **more: bool) -> None:
    live = _with(real, path, attribute, **more)
    _one(files, "disk.attribute", path, None, live, None, os.fsdecode(attribute))


def _one(
    files: Files,
    source: str,
    path: Any,
    dir_fd: int | None,
    live: Callable[[], object],
    again: Callable[[Overlay], None] | None,
    detail: str = "",
) -> None:
    """Change one file."""
    spelled = files.named(path, dir_fd).spelled
    files.change(source, f"{spelled} {detail}" if detail else spelled, (path,), live, again)


def _with(real: _Real, *arguments: Any, **more: Any) -> Callable[[], object]:
    """Call the real function, without a directory if none was named: some have no such argument."""
    if more.get("dir_fd", 0) is None:
        del more["dir_fd"]
    return lambda: real(*arguments, **more)


def _both(first: str, second: str) -> str:
    plain = first.encode("utf-8", "backslashreplace").decode()
    return msgspec.json.encode([plain, second]).decode()


#: By the name of the function of ``os``.
CHANGES: Final[dict[str, Callable[..., object]]] = {
    "chmod": _chmod,
    "chown": _chown,
    "lchown": _lchown,
    "link": _link,
    "mkdir": _mkdir,
    "remove": _remove,
    "removexattr": _removexattr,
    "rename": _rename,
    "replace": _rename,
    "rmdir": _rmdir,
    "setxattr": _setxattr,
    "symlink": _symlink,
    "truncate": _truncate,
    "unlink": _remove,
    "utime": _utime,
}
