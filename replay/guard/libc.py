"""The few calls of the C library that the guard makes, each with its types."""

from __future__ import annotations

import ctypes
import os
from typing import Final

__all__ = ["prctl", "system_call"]

_LIBRARY: Final = ctypes.CDLL(None, use_errno=True)


_Word: Final = ctypes.c_ulong
_SystemCall: Final = ctypes.CFUNCTYPE(ctypes.c_long, *[_Word] * 7, use_errno=True)
_Prctl: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, *[_Word] * 4, use_errno=True)


def system_call(number: int, *arguments: int) -> int:
    """Make a system call; arguments that are not given are 0.

    Raises:
        OSError: the kernel's answer.
    """
    filled = (*arguments, *[0] * (6 - len(arguments)))
    result: int = _SystemCall(("syscall", _LIBRARY))(number, *filled)
    return _checked(result)


def prctl(option: int, *arguments: int) -> int:
    """Set or ask something about this process.

    Raises:
        OSError: the kernel's answer.
    """
    filled = (*arguments, *[0] * (4 - len(arguments)))
    result: int = _Prctl(("prctl", _LIBRARY))(option, *filled)
    return _checked(result)


def _checked(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
