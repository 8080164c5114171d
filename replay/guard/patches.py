"""Stand-ins for ways out that raise no audit event.

These are the start of a process from C, on which `multiprocessing` calls directly, and what is sent
or received on a socket that was connected before the replay began.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Patches"]

_METHODS: Final = ("recv", "recv_into", "send", "sendall")
_SECURE_METHODS: Final = ("read", "recv", "recv_into", "send", "sendall", "write")
_LOCAL: Final = ("", b"", None)


class Patches:
    """The stand-ins of the process.

    Args:
        refuse: raises if the calling thread runs a replayed program; gets the name of the way out.
    """

    def __init__(self, refuse: Callable[[str], None]) -> None:
        self._refuse = refuse
        self._before: list[tuple[Any, str, Any]] = []

    def put(self) -> None:
        """Put them in, as far as their modules are loaded: a socket from before needs them."""
        starter = sys.modules.get("_posixsubprocess") or _posix_starter()
        if starter is not None:
            self._set(starter, "fork_exec", self._starting(starter.fork_exec))
        for module, kind, names in (
            ("socket", "socket", _METHODS),
            ("ssl", "SSLSocket", _SECURE_METHODS),
        ):
            if module in sys.modules:
                owner = getattr(sys.modules[module], kind)
                for name in names:
                    self._set(owner, name, self._talking(getattr(owner, name), name))

    def take_back(self) -> None:
        """Put back what was there."""
        while self._before:
            owner, name, value = self._before.pop()
            if value is None:
                delattr(owner, name)
            else:
                setattr(owner, name, value)

    def _set(self, owner: Any, name: str, value: Any) -> None:
        # A method that was inherited is inherited again once ours is gone.
        self._before.append((owner, name, vars(owner).get(name)))
        setattr(owner, name, value)

    def _starting(self, real: Callable[..., int]) -> Callable[..., int]:
        refuse = self._refuse

        def fork_exec(*args: Any) -> int:
            refuse("subprocess.Popen")
            return real(*args)

        return fork_exec

    def _talking(self, real: Callable[..., Any], name: str) -> Callable[..., Any]:
        refuse = self._refuse

        @functools.wraps(real)
        def method(connection: Any, *args: Any, **options: Any) -> Any:
            if _leads_out(connection):
                refuse(f"socket.{name}")
            return real(connection, *args, **options)

        return method


def _posix_starter() -> Any:
    try:
        import _posixsubprocess
    except ImportError:
        return None
    return _posixsubprocess


def _leads_out(connection: Any) -> bool:
    """Return whether a socket is connected to anything but the other half of a pair."""
    try:
        return connection.getpeername() not in _LOCAL or connection.getsockname() not in _LOCAL
    except OSError:
        return False
