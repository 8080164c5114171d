"""Exchanges what a function does under every name it was imported under, and puts it back.

`from time import time` keeps the function object, so the object itself must do something else.
Two forms stand here:

* a function of a C module: the object's method definition and `self` are exchanged for our own
  definition, whose C entry is an interpreter function that calls `self` (for METH_NOARGS that is
  `PyObject_CallNoArgs`). No foreign code runs, so errors and references are the interpreter's;
* a class method of a C type: bound copies are already held elsewhere, so the C entry in the shared
  definition is exchanged for a ctypes callback.

The one invariant: after `take_back` every pointer is what it was.
Limits: while a C function is exchanged its hash differs; subinterpreters share the definition of
a C class method and must not run meanwhile. Tried and left: the ctypes callback for all C
functions (swallows exceptions, three times the cost); a subclass of datetime (breaks isinstance).
"""

from __future__ import annotations

import ctypes
import sys
import sysconfig
from collections.abc import Callable
from types import BuiltinFunctionType, ModuleType
from typing import ClassVar, Final, Protocol

from replay.doors.exchanging.callbacks import Door, callback_alone, callback_with_arguments
from replay.errors import SetupError

__all__ = [
    "BoundMethodExchange",
    "ClassMethodExchange",
    "Exchange",
    "ModuleFunctionExchange",
    "require_supported",
]

_VARARGS: Final = 0x01
_KEYWORDS: Final = 0x02
_NOARGS: Final = 0x04
_O: Final = 0x08
_CLASS: Final = 0x10
_FASTCALL: Final = 0x80

# The interpreter's own function that calls its first argument, for each calling convention.
# METH_FASTCALL without keywords has none, as the fourth argument would be left undefined: such a
# function gets the convention with keywords, and how the interpreter calls that (`vectorcall`).
_ENTRY_NAMES: Final = {
    _NOARGS: "PyObject_CallNoArgs",
    _O: "PyObject_CallOneArg",
    _VARARGS: "PyObject_CallObject",
    _VARARGS | _KEYWORDS: "PyObject_Call",
    _FASTCALL | _KEYWORDS: "PyObject_Vectorcall",
}

_POINTER: Final = ctypes.sizeof(ctypes.c_void_p)
_HEAD: Final = 2 * _POINTER  # reference count and type: what every object starts with
_VECTORCALL: Final = _HEAD + 4 * _POINTER  # after m_ml, m_self, m_module and m_weakreflist


class _Definition(ctypes.Structure):
    """PyMethodDef, https://docs.python.org/3/c-api/structures.html#c.PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("entry", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_void_p),
    )


class _Binding(ctypes.Structure):
    """The two neighbouring fields m_ml and m_self of PyCFunctionObject."""

    _fields_ = (("definition", ctypes.c_void_p), ("owner", ctypes.c_void_p))


_new_function = ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.py_object
)(("PyCFunction_NewEx", ctypes.pythonapi))
_new_class_method = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.c_void_p)(
    ("PyDescr_NewClassMethod", ctypes.pythonapi)
)
_add_reference = ctypes.PYFUNCTYPE(None, ctypes.py_object)(("Py_IncRef", ctypes.pythonapi))
_drop_reference = ctypes.PYFUNCTYPE(None, ctypes.py_object)(("Py_DecRef", ctypes.pythonapi))
# ctypes.memmove gives up the interpreter lock; this one keeps it, so no thread sees half of it.
_copy = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)(
    ctypes.cast(ctypes.memmove, ctypes.c_void_p).value or 0
)


class Exchange(Protocol):
    """One function whose work is done by a door between `put` and `take_back`.

    Objects of this kind live as long as the process: another thread may still be inside a door
    when the function is put back.
    """

    @property
    def real(self) -> Callable[..., object]:
        """The function as it was; never asks the door."""
        ...

    def put(self, door: Door) -> None:
        """Lets `door` do the function's work; it takes the function's arguments."""
        ...

    def take_back(self) -> None:
        """Lets the function do its own work again."""
        ...


def require_supported() -> None:
    """Refuses interpreters whose objects are laid out in another way.

    Raises:
        SetupError: Not CPython, a free-threaded build, or a build with other object heads.
    """
    if sys.implementation.name != "cpython":
        raise SetupError(f"{sys.implementation.name} is not supported", hint="use CPython")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise SetupError(
            "free-threaded builds of Python are not supported",
            hint="use the build with the interpreter lock",
        )
    if object.__basicsize__ != _HEAD:
        raise SetupError("this build of Python traces references", hint="use a release build")


class ModuleFunctionExchange:
    """Exchanges a function of a C module, such as `time.time`."""

    _owners: ClassVar[type] = ModuleType

    def __init__(self, function: BuiltinFunctionType) -> None:
        require_supported()
        if type(function).__basicsize__ != _HEAD + 5 * _POINTER:
            raise SetupError("C functions have another layout", where=function.__name__)
        # An address is what it is about; no record depends on it.
        self._address = id(function) + _HEAD
        self._owner = function.__self__
        self._before = _Binding.from_buffer_copy(_Binding.from_address(self._address))
        definition = _definition_at(self._before.definition or 0, function.__name__)
        flags = definition.flags | (_KEYWORDS if definition.flags == _FASTCALL else 0)
        entry_name = _ENTRY_NAMES.get(flags)
        if entry_name is None or not isinstance(self._owner, self._owners):
            raise SetupError(
                f"calling convention {definition.flags:#x} is not supported",
                where=function.__name__,
            )
        self._definition = _Definition(
            definition.name,
            ctypes.cast(getattr(ctypes.pythonapi, entry_name), ctypes.c_void_p).value,
            flags,
            definition.doc,
        )
        self._real: Callable[..., object] = _new_function(
            self._before.definition, self._owner, function.__module__
        )
        # How the interpreter calls it: a function made with the new flags shows the pointer.
        model = _new_function(ctypes.addressof(self._definition), self._owner, function.__module__)
        self._convention_before = _word_at(id(function) + _VECTORCALL)
        self._convention = _word_at(id(model) + _VECTORCALL)
        self._vectorcall_address = id(function) + _VECTORCALL
        # Kept for good: a thread inside a door has only a borrowed reference to its stand-in.
        self._stand_ins: dict[Door, object] = {}
        self._present: object | None = None

    @property
    def real(self) -> Callable[..., object]:
        """The function as it was."""
        return self._real

    def put(self, door: Door) -> None:
        """Lets `door` do the work."""
        assert self._present is None, "put twice"
        stand_in = self._stand_ins.get(door)
        if stand_in is None:
            stand_in = self._stand_ins[door] = _stand_in(self._owner, door)
        _add_reference(stand_in)
        after = _Binding(ctypes.addressof(self._definition), id(stand_in))
        self._present = stand_in
        # First, since a function called with one argument more than it takes does no harm.
        _copy(self._vectorcall_address, ctypes.addressof(self._convention), _POINTER)
        _copy(self._address, ctypes.addressof(after), ctypes.sizeof(after))

    def take_back(self) -> None:
        """Restores definition and `self`."""
        assert self._present is not None, "taken back without put"
        _copy(self._address, ctypes.addressof(self._before), ctypes.sizeof(self._before))
        _copy(self._vectorcall_address, ctypes.addressof(self._convention_before), _POINTER)
        _drop_reference(self._present)
        self._present = None


class BoundMethodExchange(ModuleFunctionExchange):
    """Exchanges a C method that is bound to one object, such as `random.random`."""

    _owners = object


class ClassMethodExchange:
    """Exchanges a class method of a C type, such as `datetime.now`, for all its bound copies.

    The door takes the class first.
    """

    def __init__(self, owner: type, name: str) -> None:
        require_supported()
        descriptor = vars(owner)[name]
        if type(descriptor).__basicsize__ != _HEAD + 5 * _POINTER:
            raise SetupError("C class methods have another layout", where=name)
        # d_method is the fourth field after the head: type, name, qualified name, definition.
        address = ctypes.c_void_p.from_address(id(descriptor) + _HEAD + 3 * _POINTER).value
        self._definition = _definition_at(address or 0, name)
        if self._definition.flags not in {_NOARGS | _CLASS, _FASTCALL | _KEYWORDS | _CLASS}:
            raise SetupError(
                f"calling convention {self._definition.flags:#x} is not supported", where=name
            )
        self._entry = self._definition.entry
        self._twin = _Definition.from_buffer_copy(self._definition)
        self._real: Callable[..., object] = _new_class_method(owner, ctypes.addressof(self._twin))
        # Kept for good, as the stand-ins above.
        self._callbacks: dict[Door, ctypes._FuncPointer] = {}

    @property
    def real(self) -> Callable[..., object]:
        """The method as it was; takes the class first."""
        return self._real

    def put(self, door: Door) -> None:
        """Lets `door` do the work."""
        callback = self._callbacks.get(door)
        if callback is None:
            build = callback_alone if self._definition.flags & _NOARGS else callback_with_arguments
            callback = self._callbacks[door] = build(door)
        self._definition.entry = ctypes.cast(callback, ctypes.c_void_p).value

    def take_back(self) -> None:
        """Restores the C entry."""
        self._definition.entry = self._entry


def _definition_at(address: int, name: str) -> _Definition:
    """Returns the definition at `address`, in place, once its name says that it is one."""
    definition = _Definition.from_address(address)
    if not definition.name or ctypes.string_at(definition.name) != name.encode():
        raise SetupError("C functions have another layout", where=name)
    return definition


def _word_at(address: int) -> ctypes.c_void_p:
    """Returns a copy of the pointer at `address`."""
    return ctypes.c_void_p.from_buffer_copy(ctypes.c_void_p.from_address(address))


def _stand_in(owner: object, door: Door) -> object:
    """Returns a callable module: repr and pickling of a C function ask if `self` is a module."""
    if not isinstance(owner, ModuleType):
        return type(type(owner).__name__, (), {"__call__": staticmethod(door)})()
    kind = type("module", (ModuleType,), {"__call__": staticmethod(door)})
    stand_in: object = kind(owner.__name__)
    return stand_in
