"""Closes the coroutines that a halted program left, those included that never began.

Python warns of a coroutine that goes without having begun: it takes that for a forgotten `await`.
After a halt it is none, so such a coroutine is closed too. The warning is not filtered out: filters
belong to the whole process, in which other runs may be on stage.
"""

from __future__ import annotations

import contextlib
import inspect
from collections import deque
from itertools import chain, islice
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator, Iterator

__all__ = ["close_coroutine"]

#: How many values are looked at, nearest first: variables, what lies in lists of them, and so on.
_VALUES_MAX: Final = 10_000
#: Only what a built-in class iterates: no code of the program's runs for the sake of looking.
_PLAIN: Final = (list.__iter__, tuple.__iter__, set.__iter__)


def close_coroutine(coroutine: Coroutine[Any, Any, Any] | Generator[Any, Any, Any]) -> None:
    """Close a coroutine, and then what it held and had not begun; nothing is raised.

    What it held is kept until then, so that its ``finally`` blocks find it as it was.
    """
    held = list(_unstarted(coroutine))
    for each in (coroutine, *held):
        with contextlib.suppress(BaseException):
            each.close()


def _unstarted(coroutine: object) -> Iterator[CoroutineType[Any, Any, Any]]:
    """Yield the coroutines in the variables of a coroutine that have not begun, and itself."""
    left = deque([coroutine])
    for _ in range(_VALUES_MAX):
        if not left:
            return
        value = left.popleft()
        # `isinstance` alone would ask a stand-in what it stands for, which is code of its own.
        kind = type(value)
        more: Iterator[object] = iter(())
        if kind is CoroutineType and isinstance(value, CoroutineType):
            if inspect.getcoroutinestate(value) == inspect.CORO_CREATED:
                yield value
            frame = value.cr_frame
            more = chain(() if frame is None else frame.f_locals.values(), (value.cr_await,))
        elif issubclass(kind, dict) and isinstance(value, dict):
            more = iter(dict.values(value))
        elif issubclass(kind, list | tuple | set) and isinstance(value, list | tuple | set):
            more = iter(value if kind.__iter__ in _PLAIN else ())
        left.extend(islice(more, _VALUES_MAX - len(left)))
