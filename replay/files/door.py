"""The door to the disk: `open` and the functions of ``os``, under every name they have.

For a thread of a run they are the run's; for all others, for the engine, and for the import system
they are what they were. The one invariant: after the last removal the process is as it was.
"""

from __future__ import annotations

import dbm
import io
import os
import shutil  # noqa: F401 - it looks once, when imported, at what the functions of `os` can do
import sys
from types import BuiltinFunctionType, FunctionType
from typing import TYPE_CHECKING, Any, Final, cast

from replay.doors.counted import CountedDoor
from replay.doors.exchanging.functions import ModuleFunctionExchange
from replay.doors.exchanging.rebinding import FunctionExchange
from replay.files.bypasses import BYPASSES
from replay.files.changes import CHANGES
from replay.files.looks import LOOKS
from replay.files.opening import OPENINGS
from replay.files.places import NullByteError, reads_code
from replay.files.program_files import program_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.doors.exchanging.callbacks import Door
    from replay.doors.exchanging.functions import Exchange

__all__ = ["FilesDoor"]

#: Functions of `os` say by membership what they can do, and an exchanged one has another hash.
_ABILITIES: Final = (
    os.supports_dir_fd,
    os.supports_effective_ids,
    os.supports_fd,
    os.supports_follow_symlinks,
)


class FilesDoor(CountedDoor):
    """Stands in `open` and in ``os`` while at least one run is on stage."""

    def __init__(self) -> None:
        super().__init__()
        self._exchanges: list[tuple[Exchange, Door, Any]] = []

    def put(self) -> None:
        """Put the door in place."""
        if not self._exchanges:
            self._exchanges = _exchanges()
        able = [[f for _, _, f in self._exchanges if f in ability] for ability in _ABILITIES]
        for exchange, door, _ in self._exchanges:
            exchange.put(door)
        for ability, functions in zip(_ABILITIES, able, strict=True):
            ability.update(functions)
        BYPASSES.switch_on()

    def take_back(self) -> None:
        """Leave the process as it was."""
        BYPASSES.switch_off()
        for ability in _ABILITIES:
            for _, _, function in self._exchanges:
                ability.discard(function)
        for exchange, _, _ in reversed(self._exchanges):
            exchange.take_back()


def _exchanges() -> list[tuple[Exchange, Door, Any]]:
    """Return what is exchanged; kept for the life of the process."""
    made: list[tuple[Exchange, Door, Any]] = []
    for table in (LOOKS, CHANGES, OPENINGS):
        for name, work in table.items():
            function = io.open if name == "io.open" else getattr(os, name, None)
            if not isinstance(function, BuiltinFunctionType):
                continue  # this system does not have it
            exchange = ModuleFunctionExchange(function)
            made.append((exchange, _door(exchange.real, work), function))
    stores = FunctionExchange(cast("FunctionType", dbm.open))
    made.append((stores, _stores_door(stores.real), dbm.open))
    return made


def _door(real: Callable[..., object], work: Callable[..., object]) -> Door:
    def door(*args: Any, **kwargs: Any) -> object:
        files = program_files()
        if files is None or reads_code(sys._getframe(1)):
            return real(*args, **kwargs)
        try:
            return work(files, real, *args, **kwargs)
        except NullByteError:
            return real(*args, **kwargs)

    return door


def _stores_door(real: Callable[..., object]) -> Door:
    def door(*args: Any, **kwargs: Any) -> object:
        files = program_files()
        if files is not None and args and isinstance(args[0], str | bytes | os.PathLike):
            files.gap("dbm", files.named(args[0]).spelled)
        return real(*args, **kwargs)

    return door
