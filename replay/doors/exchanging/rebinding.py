"""Exchanges Python functions and attributes, in the same manner as `exchange` does for C.

The one invariant: after `take_back` the code object or attribute is the very one it was. The
function object stays, so every name it was imported under leads to the door.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Final

from replay.doors.exchanging.callbacks import Door
from replay.errors import SetupError

__all__ = ["AttributeExchange", "FunctionExchange"]

_PLACE: Final = "the door stands here"


class FunctionExchange:
    """Exchanges a Python function without a closure, such as `uuid.uuid1`, by its code."""

    def __init__(self, function: FunctionType) -> None:
        if function.__closure__:
            raise SetupError("a closure cannot be exchanged", where=function.__name__)
        self._function = function
        self._before = function.__code__
        self._real = FunctionType(
            function.__code__, function.__globals__, function.__name__, function.__defaults__
        )
        self._real.__kwdefaults__ = function.__kwdefaults__

    @property
    def real(self) -> Callable[..., object]:
        """The function as it was."""
        return self._real

    def put(self, door: Door) -> None:
        """Lets `door` do the work."""
        self._function.__code__ = _code_calling(door, self._before)

    def take_back(self) -> None:
        """Restores the code."""
        self._function.__code__ = self._before


class AttributeExchange:
    """Exchanges an attribute of a type that is looked up anew on each call."""

    def __init__(self, owner: type, name: str) -> None:
        self._owner = owner
        self._name = name
        self._is_own = name in vars(owner)
        self._before: Callable[..., object] = vars(owner).get(name) or getattr(owner, name)

    @property
    def real(self) -> Callable[..., object]:
        """The attribute as it was, not bound: a method takes `self` first."""
        return self._before

    def put(self, door: Door) -> None:
        """Lets `door` do the work; of a method it takes `self` first."""
        setattr(self._owner, self._name, door)

    def take_back(self) -> None:
        """Restores the attribute, or that it is inherited."""
        if self._is_own:
            setattr(self._owner, self._name, self._before)
        else:
            delattr(self._owner, self._name)


def _code_calling(door: Door, before: CodeType) -> CodeType:
    """Returns code that calls `door`, held among its constants, named as the code before."""
    code = _template.__code__
    return code.replace(
        co_consts=tuple(door if constant == _PLACE else constant for constant in code.co_consts),
        co_name=before.co_name,
        co_qualname=before.co_qualname,
    )


def _template(*args: object, **kwargs: object) -> object:
    door: object = "the door stands here"
    return door(*args, **kwargs)  # type: ignore[operator]  # the constant is exchanged
