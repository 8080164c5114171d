"""Connections without a door: the recording stops at the first one, by name.

Their answers would be in no record, so a replay could only be something else. An audit hook of the
interpreter sees them whatever library makes them; the loop's own methods tell by themselves. It
acts on threads of a recording: in a replay the guard refuses the same ways.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from types import BuiltinFunctionType
from typing import Any, Final

from replay.doors.context import DoorContext, current
from replay.doors.counted import CountedDoor
from replay.doors.exchanging.functions import ModuleFunctionExchange
from replay.doors.processes.refusals import refuse

__all__ = ["TransportDoor", "refuse_connection"]

_HINT: Final = "use httpx or httpx2, or do it in an effect (@replay.effect)"
_CONNECTING: Final = frozenset(
    {
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.getnameinfo",
        "socket.sendmsg",
        "socket.sendto",
    }
)
#: They wait for descriptors, with the turn of the thread in hand: nobody else would get one.
_WAITING: Final = ("select", "poll", "epoll", "kqueue")


def refuse_connection(context: DoorContext, way: str) -> None:
    """Stop a run at a connection that no door records."""
    refuse(context, f"opened a connection ({way}) that no door records", hint=_HINT)


class _Hook:
    """The process's one hook of this kind; hooks cannot be removed, so it is switched."""

    def __init__(self) -> None:
        self.on = False
        self.installed = False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if self.on and (event in _CONNECTING or (event == "socket.bind" and _serves(args))):
            context = current()
            if context is not None and context.world.is_live and context.scheduler.halted is None:
                refuse_connection(context, event)


_HOOK: Final = _Hook()


def _serves(args: tuple[Any, ...]) -> bool:
    """Return whether an address is bound to be found; libraries try what the machine can do."""
    address = args[1] if len(args) > 1 else None
    return isinstance(address, str | bytes) or (
        isinstance(address, tuple) and len(address) > 1 and address[1] != 0
    )


def _waits(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def wait(*args: Any, **options: Any) -> Any:
        context = current()
        if context is not None and context.world.is_live:
            refuse(
                context,
                f"waits for descriptors (select.{name}), which no schedule can hold",
                hint="use asyncio, threads with queues, or concurrent.futures",
            )
        return real(*args, **options)

    return wait


class TransportDoor(CountedDoor):
    """Watches the sockets of a recorded program."""

    def __init__(self) -> None:
        super().__init__()
        self._exchanges: list[tuple[str, ModuleFunctionExchange]] = []

    def put(self) -> None:
        """Let the hook act."""
        if not self._exchanges:
            found = [(name, getattr(select, name, None)) for name in _WAITING]
            self._exchanges = [
                (name, ModuleFunctionExchange(function))
                for name, function in found
                if isinstance(function, BuiltinFunctionType)
            ]
        for name, exchange in self._exchanges:
            exchange.put(_waits(name, exchange.real))
        if not _HOOK.installed:
            sys.addaudithook(_HOOK)
            _HOOK.installed = True
        _HOOK.on = True

    def take_back(self) -> None:
        """Let it rest."""
        _HOOK.on = False
        for _, exchange in self._exchanges:
            exchange.take_back()
