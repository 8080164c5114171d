"""C entries that call a Python door, for the class methods that `exchange` exchanges.

The one invariant: an error of the door reaches the program. It cannot leave a ctypes callback, so
the interpreter is told to raise it as soon as the calling Python frame looks: at the call itself,
or, if C code called, when that C code is done. Nothing between that and the return may look, so
the frame is not traced any more and calls nothing: `map` calls within the loop instruction.
A profiler written in Python is the exception: it is shown the return, and gets the error.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Door", "callback_alone", "callback_with_arguments"]

Door: TypeAlias = Callable[..., object]
"""A Python function that takes the arguments of the function it stands for."""

_raise_soon = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.py_object)(
    ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
)


def callback_alone(door: Door) -> ctypes._FuncPointer:
    """Returns a C entry of METH_NOARGS | METH_CLASS that calls `door` with the class."""

    def enter(owner: type, _nothing: int | None) -> object:
        try:
            return door(owner)
        except BaseException as error:  # noqa: BLE001 - it is raised again, by _raise_soon
            sys._getframe().f_trace = None
            thread, carrier = (threading.get_ident(),), (_carrier(error),)
        for _ in map(_raise_soon, thread, carrier):
            return None
        return None

    kind = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.c_void_p)
    return kind(enter)


def callback_with_arguments(door: Door) -> ctypes._FuncPointer:
    """Returns a C entry of METH_FASTCALL | METH_KEYWORDS | METH_CLASS that calls `door`."""

    def enter(owner: type, values: int | None, count: int, names: int | None) -> object:
        try:
            if not count and not names:
                return door(owner)
            return door(owner, *_positional(values, count), **_keywords(values, count, names))
        except BaseException as error:  # noqa: BLE001 - as above
            sys._getframe().f_trace = None
            thread, carrier = (threading.get_ident(),), (_carrier(error),)
        for _ in map(_raise_soon, thread, carrier):
            return None
        return None

    kind = ctypes.PYFUNCTYPE(
        ctypes.py_object, ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_void_p
    )
    return kind(enter)


def _positional(values: int | None, count: int) -> tuple[object, ...]:
    return tuple((ctypes.py_object * count).from_address(values or 0)) if count else ()


def _keywords(values: int | None, count: int, names: int | None) -> dict[str, object]:
    if not names:
        return {}
    keys: tuple[str, ...] = ctypes.cast(names, ctypes.py_object).value
    given = _positional(values, count + len(keys))
    return dict(zip(keys, given[count:], strict=True))


def _carrier(error: BaseException) -> type[BaseException]:
    """Returns a class that the interpreter calls to get `error`: it takes only a class.

    On 3.11, with a trace function, it calls the class again with the error it got.
    """

    def give(_cls: type, *_again: object) -> BaseException:
        return error

    return type("Carrier", (BaseException,), {"__new__": give})
