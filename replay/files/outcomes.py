"""What the disk said, as a reading can hold it: ``["ok", ...]`` or ``["error", name, text]``.

The one invariant: what comes from a record is checked here before the program sees it.
"""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING, Final

from replay.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from replay.doors.surroundings.answering import Value

__all__ = [
    "asked",
    "error_of",
    "pack_stat",
    "raised",
    "unpack",
    "unpack_stat",
]

_TEXT_LENGTH_MAX: Final = 300
_NAME: Final = re.compile(r"E[A-Z0-9]{1,30}|[0-9]{1,6}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,20}")
_SECOND_NS: Final = 1_000_000_000
#: The fields of a stat result that follow the first seven, as they are packed.
_TIMES: Final = ("st_atime", "st_mtime", "st_ctime")
_MORE: Final = ("st_blksize", "st_blocks", "st_rdev", "st_flags")


def asked(live: Callable[[], Sequence[str]]) -> list[str]:
    """Ask the disk; return what it said."""
    try:
        return ["ok", *live()]
    except OSError as error:
        return ["error", *error_of(error)]


def error_of(error: OSError) -> tuple[str, str]:
    """Return name and text of a system's error; the numbers differ between systems."""
    number = error.errno or 0
    return errno.errorcode.get(number, str(number)), error.strerror or ""


def raised(error: Sequence[str], names: Sequence[object], where: str) -> OSError:
    """Return a recorded error as the system would raise it for these file names.

    Raises:
        IntegrityError: no system has such an error.
    """
    if len(error) != 2:
        raise _malformed(where)
    name, text = error
    if _NAME.fullmatch(name) is None or len(text) > _TEXT_LENGTH_MAX:
        raise _malformed(where)
    number = int(name) if name.isdigit() else getattr(errno, name, None)
    if type(number) is not int:
        raise IntegrityError(
            f"the system's error {name} is not known here",
            where=where,
            hint="replay the run on the kind of system that recorded it",
        )
    first, second = (*names, None, None)[:2]
    if second is not None:
        return OSError(number, text, first, None, second)
    return OSError(number, text) if first is None else OSError(number, text, first)


def unpack(value: Value, where: str, names: Sequence[object]) -> list[str]:
    """Return what follows ``ok``, or raise the error.

    Args:
        value: the answer.
        where: the question, for people.
        names: file names that the error carries.

    Raises:
        OSError: the disk said so.
        IntegrityError: the answer is not one of ours.
    """
    if not isinstance(value, list) or not value or any(type(item) is not str for item in value):
        raise _malformed(where)
    if value[0] == "error":
        raise raised(value[1:], names, where)
    if value[0] != "ok":
        raise _malformed(where)
    return value[1:]


def pack_stat(result: os.stat_result) -> list[str]:
    """Return a stat result as text."""
    values = [*result[:7], *(getattr(result, f"{name}_ns") for name in _TIMES)]
    values += [getattr(result, name, None) or 0 for name in _MORE]
    return [str(value) for value in values]


def unpack_stat(packed: list[str], where: str) -> os.stat_result:
    """Return the stat result that was packed.

    Raises:
        IntegrityError: it is none.
    """
    if len(packed) != 14 or any(_NUMBER.fullmatch(text) is None for text in packed):
        raise _malformed(where)
    numbers = [int(text) for text in packed]
    times = numbers[7:10]
    more: dict[str, float] = dict(zip(_MORE, numbers[10:], strict=True))
    for name, nanoseconds in zip(_TIMES, times, strict=True):
        seconds, rest = divmod(nanoseconds, _SECOND_NS)
        # As the interpreter computes it, so that the program sees the very same number.
        more[name] = seconds + 1e-9 * rest
        more[f"{name}_ns"] = nanoseconds
    known = {name: value for name, value in more.items() if hasattr(os.stat_result, name)}
    return os.stat_result([*numbers[:7], *(t // _SECOND_NS for t in times)], known)


def _malformed(where: str) -> IntegrityError:
    return IntegrityError("an answer of the disk is malformed", where=where)
