"""Exchanges methods of C types, such as ``lock.acquire``, for all instances that exist.

Such a type refuses assignment, but its methods are found in its dictionary like any other's; the
dictionary behind the read-only view takes a Python function, and ``PyType_Modified`` makes the
interpreter forget what it had looked up. The one invariant: after `take_back` the dictionary holds
the very descriptor it held. Limit: a bound method taken before, as in ``f = lock.acquire``, stays
what it was. Tried and left: a ctypes callback in the method's definition, as `exchange` has for
class methods, which costs three times as much at each call of every thread.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from typing import Any, Final

from replay.errors import SetupError

__all__ = ["MethodExchange"]

_modified: Final = ctypes.PYFUNCTYPE(None, ctypes.py_object)(("PyType_Modified", ctypes.pythonapi))


class MethodExchange:
    """A method of a C type.

    Args:
        owner: the type.
        name: the method's name.
    """

    def __init__(self, owner: type, name: str) -> None:
        self._owner = owner
        self._name = name
        self._real: Callable[..., Any] = vars(owner)[name]

    @property
    def real(self) -> Callable[..., Any]:
        """The method as it was; takes the instance first."""
        return self._real

    def put(self, door: Callable[..., Any]) -> None:
        """Let `door` do the work; it takes the instance first."""
        self._set(door)

    def take_back(self) -> None:
        """Restore the method."""
        self._set(self._real)

    def _set(self, method: Callable[..., Any]) -> None:
        found = [each for each in gc.get_referents(vars(self._owner)) if type(each) is dict]
        if len(found) != 1 or self._name not in found[0]:
            raise SetupError("types are laid out in another way", where=self._owner.__name__)
        found[0][self._name] = method
        _modified(self._owner)
        if vars(self._owner)[self._name] is not method:
            raise SetupError("a method cannot be exchanged", where=self._owner.__name__)
