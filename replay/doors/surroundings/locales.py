"""Answers what the program asks about the locale of its process.

What formats by a locale is C code, so a replay also sets the recorded one where it is installed.
The one invariant: how a locale was chosen (`""` means the environment) is answered, never asked
again.
"""

from __future__ import annotations

import _locale
import json
import locale
import sys
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, FrameType
from typing import Any, Final, cast

from replay.doors.exchanging.callbacks import Door
from replay.doors.exchanging.functions import ModuleFunctionExchange
from replay.doors.surroundings.answering import (
    ANSWERING,
    Value,
    ask,
    checked_text,
    checked_text_or_none,
    refused,
)
from replay.doors.surroundings.facts import TEXT, Fact, Form, openings_of
from replay.doors.surroundings.opening import Opening

__all__ = ["locale_openings"]

_SOURCE: Final = "setlocale"
_LANGINFO: Final = frozenset(
    value
    for name, value in vars(_locale).items()
    if type(value) is int and not name.startswith(("LC_", "CHAR_MAX"))
)
_early_setlocale = _locale.setlocale


def locale_openings() -> Iterator[Opening]:
    """Yields one opening for each function that this platform has."""
    exchange = ModuleFunctionExchange(cast("BuiltinFunctionType", _locale.setlocale))
    door = _setlocale(cast("Callable[..., str]", exchange.real))
    yield Opening(
        "locale.setlocale", exchange, door, lambda: _early_setlocale(locale.LC_CTYPE), _SOURCE, "C"
    )
    yield from openings_of(_facts())


def _facts() -> Iterator[Fact]:
    yield Fact("locale.localeconv", _locale.localeconv, "localeconv", Form(json.dumps, _conv, "{}"))
    if hasattr(_locale, "nl_langinfo"):
        yield Fact(
            "locale.nl_langinfo",
            _locale.nl_langinfo,
            "nl_langinfo",
            TEXT,
            argument=lambda key: str(key) if key in _LANGINFO else None,
            example=(min(_LANGINFO),),
        )
    encoding = vars(_locale).get("getencoding")
    if encoding is not None:
        yield Fact("locale.getencoding", encoding, "locale_encoding", TEXT)
    # As a whole: whether it sets a locale meanwhile depends on how the interpreter was started.
    yield Fact(
        "locale.getpreferredencoding",
        locale.getpreferredencoding,
        "preferred_encoding",
        TEXT,
        argument=lambda do_setlocale=True: "" if do_setlocale else "as it is",
    )


def _setlocale(real: Callable[..., str]) -> Door:
    def setlocale(category: object, wanted: object = None, /) -> object:
        answerer = ANSWERING.lookup()
        if answerer is None or type(category) is not int or not isinstance(wanted, str | None):
            return real(category, wanted)
        if wanted is None and _is_for_tables(sys._getframe(1)):
            return real(category)
        called: list[str] = []

        def live() -> Value:
            try:
                called.append(real(category, wanted))
            except locale.Error:
                return None
            return called[0]

        argument = f"{category}" if wanted is None else f"{category} {wanted}"
        answer = checked_text_or_none(ask(answerer, _SOURCE, argument, live), _SOURCE, argument)
        if answer is None:
            raise locale.Error("unsupported locale setting")
        if wanted is not None and not called:
            _set(real, category, answer)
        return answer

    return setlocale


def _is_for_tables(frame: FrameType | None) -> bool:
    """Returns whether `_strptime` looks if its own tables are of the locale in force.

    It keeps them for the process, and looks once more when it makes them.
    """
    if frame is not None and frame.f_globals.get("__name__") == "locale":
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__") == "_strptime"


def _set(real: Callable[..., str], category: int, name: str) -> None:
    """Sets the recorded locale; one that is not installed here shows in what it would format."""
    try:
        real(category, name)
    except (locale.Error, ValueError):
        return


def _conv(value: Value, source: str, argument: str) -> dict[str, Any]:
    text = checked_text(value, source, argument)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(_is_entry(each) for each in found.values()):
        raise refused(source, argument, value, "the conventions of a locale")
    return found


def _is_entry(value: object) -> bool:
    if isinstance(value, list):
        return all(type(each) is int for each in value)
    return type(value) in {int, str}
