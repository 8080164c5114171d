"""Doors into classes and functions of the process: in place while at least one run is on stage."""

from __future__ import annotations

from replay.own_locks import OwnLock

__all__ = ["CountedDoor"]


class CountedDoor:
    """A door that several runs share; the first puts it in, the last takes it out."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = OwnLock()

    def install(self) -> None:
        """Make sure that the door is in place; call :meth:`remove` once for each call."""
        with self._lock:
            if self._count == 0:
                self.put()
            self._count += 1

    def remove(self) -> None:
        """Undo one :meth:`install`."""
        with self._lock:
            self._count -= 1
            if self._count == 0:
                self.take_back()

    def put(self) -> None:
        """Put the door in place."""
        raise NotImplementedError

    def take_back(self) -> None:
        """Leave the process as it was."""
        raise NotImplementedError
