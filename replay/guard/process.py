"""The process guard: an audit hook that refuses ways out during a replay.

It sees what goes through the interpreter: sockets, name look-ups, processes. It refuses, it never
lets through, so the number of live effects it reports is counted on the far side: attempts that it
saw and could not stop, of which there are none. Code in C that bypasses the interpreter is beyond
it, and so are sockets that were connected before.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, Final, Self

from replay.errors import HermeticError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["REFUSED_EVENTS", "ProcessGuard", "is_guarded"]

#: Audit events of the interpreter that mean a way out.
REFUSED_EVENTS: Final = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.startfile",
        "os.system",
        "pty.spawn",
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.getnameinfo",
        "socket.sendmsg",
        "socket.sendto",
        "subprocess.Popen",
    }
)


class _Hook:
    """The process's one audit hook; hooks cannot be removed, so it is switched by a count."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.guards: list[ProcessGuard] = []
        self.installed = False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if self.guards and event in REFUSED_EVENTS:
            for guard in self.guards:
                guard.refused += 1
                guard.attempts.append(event)
            raise HermeticError(
                f"{event} refused during a replay",
                hint="record it through a door, or wrap it in an effect",
            )

    def install(self) -> None:
        """Add the hook, and stand before the one way to a process that has no audit event."""
        sys.addaudithook(self)
        self.installed = True
        try:
            import _posixsubprocess
        except ImportError:
            return
        start = _posixsubprocess.fork_exec

        def fork_exec(*args: Any) -> int:
            """Ask first: `multiprocessing` calls this itself to spawn."""
            self("subprocess.Popen", args)
            return start(*args)

        _posixsubprocess.fork_exec = fork_exec


_HOOK: Final = _Hook()


def is_guarded() -> bool:
    """Return whether a replay guards this process now."""
    return bool(_HOOK.guards)


class ProcessGuard:
    """Refuses ways out of the process while it is entered.

    Attributes:
        refused: attempts that were stopped.
        attempts: the audit events of those, in order.
        let_through: attempts that were not; 0 by construction, reported all the same.
    """

    def __init__(self) -> None:
        self.refused = 0
        self.let_through = 0
        self.attempts: list[str] = []

    def __enter__(self) -> Self:
        with _HOOK.lock:
            if not _HOOK.installed:
                _HOOK.install()
            _HOOK.guards.append(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with _HOOK.lock:
            _HOOK.guards.remove(self)
