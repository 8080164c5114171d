"""The kernel guard of a replay in a process of its own: what C code cannot pass either.

It is put up once all that the engine needs is open, stays until the process ends, and is believed
only after it was tried.
"""

from __future__ import annotations

import errno
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from replay.guard.landlock import landlock_version, restrict_writing
from replay.guard.libc import prctl, system_call
from replay.guard.rules import rules_for
from replay.guard.seccomp import assemble, forbid_new_privileges, install_filter
from replay.guard.syscalls import MACHINES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from replay.guard.syscalls import Machine

__all__ = ["KernelGuard", "die_with_parent", "guard_process"]

_PARENT_DEATH_SIGNAL: Final = 1
_SIGKILL: Final = 9
_SIGCHLD: Final = 17
_PROBED_FILE: Final = "/proc/self/comm"


class KernelGuard(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel does for this process from now on.

    Attributes:
        calls: whether the filter of system calls is up and was seen to refuse.
        files: whether writing files is confined, and was seen to be.
        notes: why one of them is not, in sentences.
    """

    calls: bool = False
    files: bool = False
    notes: tuple[str, ...] = ()


def guard_process(writable: Iterable[Path] = ()) -> KernelGuard:
    """Close every way out of this process that the kernel can close; there is no way back.

    Args:
        writable: directories below which files may be written.
    """
    machine = MACHINES.get(platform.machine())
    if sys.platform != "linux" or sys.maxsize < 1 << 32 or machine is None:
        return KernelGuard(notes=(_without("is known for Linux on x86_64 and aarch64 only"),))
    try:
        forbid_new_privileges()
    except OSError as error:
        return KernelGuard(notes=(_without(f"could not be installed: {error.strerror}"),))
    notes: list[str] = []
    files = _tried(lambda: _confine(machine, tuple(writable)), "writing files", notes)
    calls = _tried(lambda: _filter(machine), "system calls", notes)
    return KernelGuard(calls=calls, files=files, notes=tuple(notes))


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends, on Linux.

    Whoever calls this says something to the parent afterwards, and learns so if it is gone already.
    """
    if sys.platform == "linux":
        prctl(_PARENT_DEATH_SIGNAL, _SIGKILL)


def _without(why: str) -> str:
    return f"the kernel's guard {why}: the interpreter's hooks stand alone"


def _tried(install: Callable[[], str], what: str, notes: list[str]) -> bool:
    """Install a half of the guard and return whether it holds; say why not."""
    try:
        why = install()
    except OSError as error:
        why = str(error.strerror)
    if why:
        notes.append(f"the kernel does not guard {what} ({why}): the interpreter's hooks do")
    return not why


def _confine(machine: Machine, writable: tuple[Path, ...]) -> str:
    version = landlock_version(machine)
    if not version:
        return "it has no Landlock"
    restrict_writing(machine, version, writable)
    try:
        os.close(os.open(_PROBED_FILE, os.O_WRONLY))
    except PermissionError:
        return ""
    return "a file could be opened for writing"


def _filter(machine: Machine) -> str:
    install_filter(assemble(rules_for(os.getpid()), machine), machine)
    numbers = machine.numbers
    # Each would fail otherwise, or be undone: no address, no file, a child that ends at once.
    for call, arguments in (
        ("socket", (2, 1, 0)),
        ("socket", (1, 1, 0)),
        ("connect", (0, 0, 0)),
        ("execve", (0, 0, 0)),
        ("clone", (_SIGCHLD, 0, 0, 0, 0)),
    ):
        try:
            result = system_call(numbers[call], *arguments)
        except PermissionError as error:
            if error.errno == errno.EPERM:
                continue
            return f"{call} gave {error.strerror}"
        except OSError as error:
            return f"{call} gave {error.strerror}"
        if call == "clone" and result == 0:
            os._exit(0)
        return f"{call} was let through"
    return ""
