"""Landlock: a thread and all that it starts may write below some directories only.

Unlike the filter it knows paths, and unlike a hook it also sees what C code does. Reading is left
free. See ``Documentation/userspace-api/landlock.rst`` in the kernel's sources.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from replay.guard.libc import system_call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replay.guard.syscalls import Machine

__all__ = ["DEVICES", "landlock_version", "restrict_writing"]

_VERSION: Final = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH: Final = 1
_WRITE_FILE: Final = 1 << 1
_REMOVE_DIR_TO_MAKE_SYM: Final = 0x1FF0  # bits 4 to 12: remove, and make of each kind
_REFER: Final = 1 << 13  # since version 2: link and rename to another directory
_TRUNCATE: Final = 1 << 14  # since 3
_DEVICE_CALLS: Final = 1 << 15  # since 5
_CONNECTIONS: Final = 3  # since 4: bind and connect of TCP
_SCOPES: Final = 3  # since 6: abstract Unix sockets and signals
_ON_FILES: Final = _WRITE_FILE | _TRUNCATE | _DEVICE_CALLS
#: What takes all and keeps nothing.
DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full")


def landlock_version(machine: Machine) -> int:
    """Return the version that the kernel offers, 0 if it has none or it is switched off."""
    try:
        return system_call(machine.numbers["landlock_create_ruleset"], 0, 0, _VERSION)
    except OSError:
        return 0


def restrict_writing(machine: Machine, version: int, writable: Iterable[Path]) -> None:
    """Let the calling thread, and what it starts, write below these directories only.

    Args:
        machine: the processor's numbers.
        version: what :func:`landlock_version` returned.
        writable: directories that exist.

    Raises:
        OSError: the kernel refuses, or one of them is not there.
    """
    rights = _WRITE_FILE | _REMOVE_DIR_TO_MAKE_SYM
    rights |= _REFER if version >= 2 else 0
    rights |= _TRUNCATE if version >= 3 else 0
    rights |= _DEVICE_CALLS if version >= 5 else 0
    fields = (rights, _CONNECTIONS if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    count = 1 if version < 4 else 2 if version < 6 else 3
    attributes = _buffer(struct.pack(f"={count}Q", *fields[:count]))
    rules = system_call(
        machine.numbers["landlock_create_ruleset"],
        ctypes.addressof(attributes),
        len(attributes),
        0,
    )
    try:
        for directory in writable:
            _allow(machine, rules, os.fspath(directory), rights)
        for device in DEVICES:
            with suppress(FileNotFoundError):
                _allow(machine, rules, device, rights)
        system_call(machine.numbers["landlock_restrict_self"], rules, 0)
    finally:
        os.close(rules)


def _allow(machine: Machine, rules: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _ON_FILES
        rule = _buffer(struct.pack("=Qi", rights, descriptor))
        system_call(
            machine.numbers["landlock_add_rule"], rules, _PATH_BENEATH, ctypes.addressof(rule), 0
        )
    finally:
        os.close(descriptor)


def _buffer(data: bytes) -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(data, len(data))
