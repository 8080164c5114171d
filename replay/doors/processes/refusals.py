"""Ways to a process that no record can hold: refused by name, and the run stops there.

An audit hook of the interpreter sees them under every name they were imported under. It acts on
threads of a run that is being recorded; in a replay the guard refuses the same ways.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final, NoReturn

from replay.doors.context import DoorContext, current
from replay.doors.counted import CountedDoor
from replay.errors import CaptureError
from replay.recording.divergence import Divergence
from replay.recording.place import asker, place
from replay.scheduler.ports import Halted

__all__ = ["RefusalDoor", "refuse"]

_HINT: Final = "use subprocess or asyncio subprocesses, or do it in an effect (@replay.effect)"
_REFUSED: Final = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.startfile",
        "pty.spawn",
        "subprocess.Popen",
    }
)
_KILLS: Final = frozenset({"os.kill", "os.killpg"})


def refuse(context: DoorContext, what: str, *, hint: str = _HINT) -> NoReturn:
    """Stop a run at something that it cannot hold; no handler of the program can go on from here.

    Args:
        context: the run.
        what: what the program did, as the end of a sentence about it.
        hint: what to do instead.
    """
    context.recorder.flush()
    if context.world.is_live:
        error = CaptureError(f"the program {what}", where=asker(sys._getframe(1)), hint=hint)
        context.scheduler.halt(error)
        raise Halted from error
    # The recording ends here, if it is one of this program.
    context.recorder.diverge(
        Divergence(
            seq=context.recorder.size,
            category="extra",
            recorded_kind=None,
            replayed_kind=None,
            task="",
            replayed_place=place(),
            note=f"the program {what}, which no record holds",
        )
    )
    raise AssertionError("unreachable")


class _Hook:
    """The process's one hook of this kind; hooks cannot be removed, so it is switched."""

    def __init__(self) -> None:
        self.on = False
        self.installed = False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in _REFUSED:
            context = current()
            if context is not None and context.world.is_live:
                refuse(context, f"called {event}{_name(args)}, whose process is in no record")
        elif event in _KILLS:
            context = current()
            if context is not None and not _own(event, args):
                refuse(context, f"called {event} for a process that is not one of its own")


def _own(event: str, args: tuple[Any, ...]) -> bool:
    number = args[0] if args else None
    return number == (os.getpgrp() if event == "os.killpg" else os.getpid())


def _name(args: tuple[Any, ...]) -> str:
    return f" ({os.fsdecode(args[0])[:80]})" if args and isinstance(args[0], str | bytes) else ""


_HOOK: Final = _Hook()


class RefusalDoor(CountedDoor):
    """Refuses fork, exec and their kin on the threads of a recording."""

    def put(self) -> None:
        """Let the hook act, and stand before the one way that has no audit event."""
        if not _HOOK.installed:
            sys.addaudithook(_HOOK)
            _HOOK.installed = True
        _HOOK.on = True
        self._module = sys.modules.get("_posixsubprocess")
        if self._module is None:
            return
        self._start = start = self._module.fork_exec

        def fork_exec(*args: Any) -> int:
            """Ask first: `multiprocessing` calls this itself to spawn."""
            _HOOK("os.spawn", ())
            return int(start(*args))

        vars(self._module)["fork_exec"] = fork_exec

    def take_back(self) -> None:
        """Leave all ways open."""
        _HOOK.on = False
        if self._module is not None:
            vars(self._module)["fork_exec"] = self._start
