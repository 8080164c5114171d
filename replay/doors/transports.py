"""Connections without a door: the recording stops at the first one, by name.

Their answers would be in no record, so a replay could only be something else. An audit hook of the
interpreter sees them whatever library makes them; the loop's own methods tell by themselves. It
acts on threads of a recording: in a replay the guard refuses the same ways.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from replay.doors.context import DoorContext, current
from replay.doors.counted import CountedDoor
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


def refuse_connection(context: DoorContext, way: str) -> None:
    """Stop a run at a connection that no door records."""
    refuse(context, f"opened a connection ({way}) that no door records", hint=_HINT)


class _Hook:
    """The process's one hook of this kind; hooks cannot be removed, so it is switched."""

    def __init__(self) -> None:
        self.on = False
        self.installed = False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if self.on and event in _CONNECTING:
            context = current()
            if context is not None and context.world.is_live and context.scheduler.halted is None:
                refuse_connection(context, event)


_HOOK: Final = _Hook()


class TransportDoor(CountedDoor):
    """Watches the sockets of a recorded program."""

    def put(self) -> None:
        """Let the hook act."""
        if not _HOOK.installed:
            sys.addaudithook(_HOOK)
            _HOOK.installed = True
        _HOOK.on = True

    def take_back(self) -> None:
        """Let it rest."""
        _HOOK.on = False
