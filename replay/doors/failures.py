"""Exceptions from outside in closed form: taken apart when recorded, put together for the program.

The program gets the rebuilt exception while recording too, so both sides see the same object. A
class is found only among modules that are imported already, and must be an Exception: a record is
hostile, and nothing in it may import code.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Final

import msgspec

from replay.events.kinds import Failure

__all__ = ["OutsideError", "failure_of", "rebuild"]

_CHAIN_MAX: Final = 8
_PLAIN: Final = (str, int, float, bool, type(None))


class OutsideError(Exception):
    """An exception from outside whose class cannot be rebuilt: its name and message remain."""


def failure_of(error: BaseException, depth: int = 0) -> Failure:
    """Take an exception apart: class by import path, plain arguments, its chain."""
    kind = type(error)
    arguments = error.args
    path = f"{kind.__module__}:{kind.__qualname__}"
    encoded = _encode(arguments) if all(type(a) in _PLAIN for a in arguments) else None
    if encoded is None or not _can_rebuild(path, encoded):
        path = f"{OutsideError.__module__}:{OutsideError.__qualname__}"
        encoded = msgspec.Raw(msgspec.json.encode([f"{kind.__qualname__}: {_message(error)}"]))
    deeper = depth < _CHAIN_MAX
    cause = error.__cause__
    context = None if error.__suppress_context__ else error.__context__
    return Failure(
        type=path,
        arguments=encoded,
        cause=failure_of(cause, depth + 1) if cause is not None and deeper else None,
        context=(
            failure_of(context, depth + 1)
            if context is not None and context is not cause and deeper
            else None
        ),
    )


def _message(error: BaseException) -> str:
    """Return an exception's own text, as far as it has one that can be recorded."""
    try:
        return str(error).encode("utf-8", "backslashreplace").decode()
    except Exception:  # noqa: BLE001 - a foreign `__str__` may raise anything
        return "(no message)"


def rebuild(failure: Failure) -> Exception:
    """Put an exception together again."""
    error = _build(failure.type, failure.arguments)
    if error is None:
        shown = bytes(failure.arguments).decode("utf-8", "replace")[:500]
        error = OutsideError(f"{failure.type}: {shown}")
    if failure.cause is not None:
        error.__cause__ = rebuild(failure.cause)
    if failure.context is not None:
        error.__context__ = rebuild(failure.context)
    return error


def _encode(arguments: tuple[object, ...]) -> msgspec.Raw | None:
    try:
        return msgspec.Raw(msgspec.json.encode(arguments))
    except (TypeError, ValueError, OverflowError):
        return None


def _can_rebuild(path: str, arguments: msgspec.Raw) -> bool:
    return _build(path, arguments) is not None


def _build(path: str, arguments: msgspec.Raw) -> Exception | None:
    module_name, _, qualname = path.partition(":")
    found: object = sys.modules.get(module_name)
    for name in qualname.split("."):
        # By the dictionary: a module's `__getattr__` may import, and a metaclass run code.
        found = vars(found).get(name) if isinstance(found, ModuleType | type) else None
    if not isinstance(found, type) or not issubclass(found, Exception):
        return None
    try:
        values = msgspec.json.decode(arguments, type=list[str | int | float | bool | None])
        error = found(*values)
        # What it was called with is not known, only what it kept: a constructor that words its
        # message would word it twice.
        error.args = tuple(values)
    except Exception:  # noqa: BLE001 - a foreign constructor may raise anything
        return None
    return error
