"""The process guard: an audit hook and a few patches that refuse ways out during a replay.

It sees what goes through the interpreter and can say what was tried, and where. Code in C that
bypasses the interpreter is beyond it: see :mod:`replay.guard.kernel`.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias

import msgspec

from replay.errors import HermeticError, ReplayError
from replay.guard.patches import Patches
from replay.guard.ways import BY_ARGUMENTS, REFUSED_EVENTS, THREAD_EVENTS
from replay.guard.writing import WRITING_EVENTS, Writable, written_paths
from replay.own_locks import OwnLock
from replay.recording.place import user_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType, TracebackType

__all__ = ["Attempt", "ProcessGuard", "Side", "is_guarded", "origin_of"]

#: Whose code the calling thread runs: the program's, the engine's on a thread of the program, or
#: somebody else's, which is none of the guard's business.
Side: TypeAlias = Literal["program", "engine", "other"]

_ATTEMPTS_KEPT: Final = 100
_ENGINE: Final = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120
#: The engine's own log and the overlay of the program's files are written on threads of the
#: program; no code of the program runs below these.
_LOG: Final = tuple(
    os.path.join(_ENGINE, *steps)  # noqa: PTH118
    for steps in (("log", ""), ("files", "content.py"), ("files", "overlay.py"))
)
_IMPORT: Final = "<frozen importlib."
_WATCHED: Final = REFUSED_EVENTS | THREAD_EVENTS | WRITING_EVENTS | BY_ARGUMENTS.keys()


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A way out that was tried and refused.

    Attributes:
        way: the audit event, or the function that was patched.
        place: where in the program, ``file:line function``; empty if no line of it was running.
        probing: a library tried it by itself while it was imported, as some do to learn what the
            machine can.
    """

    way: str
    place: str
    probing: bool

    def __str__(self) -> str:
        return f"{self.way} at {self.place}" if self.place else self.way


class _Hook:
    """The process's one audit hook; hooks cannot be removed, so it is switched by a list."""

    def __init__(self) -> None:
        self.lock = OwnLock()
        self.guards: list[ProcessGuard] = []
        self.installed = False
        self.patches = Patches(self.refuse_way)

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if self.guards and event in _WATCHED:
            for guard in tuple(self.guards):
                guard.look(event, args)

    def refuse_way(self, way: str) -> None:
        """Refuse what has no audit event, if anybody guards the calling thread."""
        for guard in tuple(self.guards):
            guard.look_at_patch(way)

    def add(self, guard: ProcessGuard) -> None:
        """Let a guard look from now on."""
        with self.lock:
            if not self.installed:
                sys.addaudithook(self)
                self.installed = True
            if not self.guards:
                self.patches.put()
            self.guards.append(guard)

    def remove(self, guard: ProcessGuard) -> None:
        """Let it look no more."""
        with self.lock:
            self.guards.remove(guard)
            if not self.guards:
                self.patches.take_back()


_HOOK: Final = _Hook()


def is_guarded() -> bool:
    """Return whether a replay guards the calling thread now."""
    return any(guard.side() != "other" for guard in tuple(_HOOK.guards))


class ProcessGuard:
    """Refuses ways out of the process while it is entered.

    Args:
        side: says whose code the calling thread runs; everything is the program's, if not given.
        writable: absolute paths of directories below which files may be written.

    Attributes:
        side: as given; a replay that begins says it better.
        keeps_bytecode: whether Python may keep compiled source.
        refused: how many attempts were stopped.
        attempts: the first of those, in order.
    """

    def __init__(
        self, side: Callable[[], Side] = lambda: "program", *, writable: Iterable[str] = ()
    ) -> None:
        self.side = side
        self.keeps_bytecode = False
        self.refused = 0
        self.attempts: list[Attempt] = []
        self._writable = Writable(tuple(writable))

    def __enter__(self) -> Self:
        _HOOK.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _HOOK.remove(self)

    @property
    def cause(self) -> Attempt | None:
        """The first attempt that the program itself made, as far as that can be told."""
        return next((attempt for attempt in self.attempts if not attempt.probing), None)

    def look(self, event: str, args: tuple[Any, ...]) -> None:
        """Refuse an audit event that is a way out.

        Raises:
            HermeticError: it is one.
            PermissionError: Python would keep compiled source; it goes without.
        """
        side = self.side()
        if side == "other":
            return
        if event in REFUSED_EVENTS:
            self._refuse(event)
        elif event in THREAD_EVENTS:
            # The engine puts each thread of the program into the schedule and starts it itself.
            if side == "program":
                self._refuse(event)
        elif event in BY_ARGUMENTS:
            if BY_ARGUMENTS[event](args):
                self._refuse(f"{event} {args[1]}" if event.startswith("ctypes.") else event)
        elif event in WRITING_EVENTS:
            for path in written_paths(event, args):
                if not self._writable.allows(path):
                    self._refuse_writing(event, path)

    def look_at_patch(self, way: str) -> None:
        """Refuse a call that stands in for a missing audit event.

        Raises:
            HermeticError: the calling thread runs a replayed program.
        """
        if self.side() != "other":
            self._refuse(way)

    def _refuse_writing(self, event: str, path: str) -> None:
        if _in_own_log(sys._getframe(3)):
            return
        if Writable.is_bytecode(path):
            if self.keeps_bytecode:
                return
            raise PermissionError(13, "no bytecode is kept during a replay", path)
        self._refuse(f"{event} to write {path}")

    def _refuse(self, way: str) -> None:
        self.refused += 1
        place, probing = origin_of(sys._getframe(2))
        attempt = Attempt(way=way, place=place, probing=probing)
        if len(self.attempts) < _ATTEMPTS_KEPT:
            self.attempts.append(attempt)
        raise self.refusal(attempt)

    def refusal(self, attempt: Attempt) -> ReplayError:
        """Return the error that an attempt gets."""
        return HermeticError(
            f"{attempt.way} refused during a replay",
            where=attempt.place,
            hint="record it through a door, or wrap it in an effect",
        )


def origin_of(frame: FrameType | None) -> tuple[str, bool]:
    """Return the program's line, and whether a library that is being imported stands before it.

    A program without a file of its own (``-c``, an installed command) begins at its ``__main__``.
    """
    found = user_frames(frame)
    file, line, name = found[0] if found else ("", 0, "")
    while frame is not None and frame.f_code.co_filename != file:
        if not file and frame.f_globals.get("__name__") == "__main__":
            break
        if frame.f_code.co_filename.startswith(_IMPORT):
            return f"{file}:{line} {name}" if found else "", True
        frame = frame.f_back
    return f"{file}:{line} {name}" if found else "", False


def _in_own_log(frame: FrameType | None) -> bool:
    """Return whether the engine's log asks: the standard library may stand in between."""
    for _ in range(4):
        if frame is None:
            return False
        if frame.f_code.co_filename.startswith(_LOG):
            return True
        frame = frame.f_back
    return False
