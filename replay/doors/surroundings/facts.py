"""A function that says something about the process or the system, answered as a row of a table.

A row says what its question is and how its value stands in the record. The one invariant: what a
door gives back is built from the answer alone, live too, so both sides of a record see the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType
from typing import Any, Final, cast

from replay.doors.exchanging.callbacks import Door
from replay.doors.exchanging.functions import Exchange, ModuleFunctionExchange
from replay.doors.exchanging.rebinding import FunctionExchange
from replay.doors.surroundings.answering import (
    ANSWERING,
    Value,
    ask,
    checked_integer,
    checked_text,
    refused,
)
from replay.doors.surroundings.opening import Opening

__all__ = ["FLAG", "INTEGER", "TEXT", "Fact", "Form", "numbers", "openings_of", "texts"]


_ENGINE: Final = f"{__name__.partition('.')[0]}."


@dataclass(frozen=True, slots=True)
class Form:
    """How a value of the interpreter stands in the record.

    Args:
        pack: Makes the answer of a real value.
        unpack: Makes the value of an answer, or raises IntegrityError; takes the answer, the
            source and the argument.
        probe: An answer that `unpack` accepts.
    """

    pack: Callable[[Any], Value]
    unpack: Callable[[Value, str, str], object]
    probe: Value


@dataclass(frozen=True, slots=True)
class Fact:
    """One function.

    Args:
        name: The function, as a reader knows it.
        function: The function object.
        source: What it asks.
        form: How its value is recorded.
        argument: Makes the question's argument of the call's; None passes the call through.
        example: Arguments for the check at install.
        past: Names of modules whose own calls pass through.
        absent: What it raises if there is no such thing; its message is an answer too.
        of_path: Whether its first argument is a path, which an error names.
    """

    name: str
    function: Callable[..., object]
    source: str
    form: Form
    argument: Callable[..., str | None] = lambda: ""
    example: tuple[object, ...] = ()
    past: tuple[str, ...] = ()
    absent: type[Exception] | None = None
    of_path: bool = False


def openings_of(facts: Iterable[Fact]) -> Iterator[Opening]:
    """Yields the opening of each row."""
    for fact in facts:
        exchange: Exchange
        if isinstance(fact.function, FunctionType):
            exchange = FunctionExchange(fact.function)
        else:
            exchange = ModuleFunctionExchange(cast("BuiltinFunctionType", fact.function))
        yield Opening(
            fact.name,
            exchange,
            _door(fact, exchange.real),
            _call(fact.function, fact.example),
            fact.source,
            fact.form.probe,
        )


def _door(fact: Fact, real: Callable[..., object]) -> Door:
    source, past = fact.source, fact.past
    pack, unpack, question = fact.form.pack, fact.form.unpack, fact.argument
    absent: type[Exception] = fact.absent or _NeverRaisedError

    def read(*args: object, **kwargs: object) -> object:
        # First: `threading` asks in a thread that it does not know yet. And the engine itself asks
        # on the program's threads: the reader of the log, which process it is in. (The check at
        # install asks from this module.)
        asking = sys._getframe(1).f_globals.get("__name__") or ""
        if asking in past or (asking.startswith(_ENGINE) and asking != __name__):
            return real(*args, **kwargs)
        answerer = ANSWERING.lookup()
        if answerer is None:
            return real(*args, **kwargs)
        try:
            argument = question(*args, **kwargs)
        except (TypeError, ValueError):
            argument = None  # the real function says what is wrong
        if argument is None:
            return real(*args, **kwargs)

        def live() -> Value:
            try:
                return pack(real(*args, **kwargs))
            except absent as error:
                return str(error.args[0])

        path = args[0] if fact.of_path and args else None
        value = ask(answerer, source, argument, live, path)
        if fact.absent is not None and type(value) is str:
            raise fact.absent(value)
        return unpack(value, source, argument)

    return read


class _NeverRaisedError(Exception):
    """Stands where a function has no way to say that there is no such thing."""


def _call(function: Callable[..., object], example: tuple[object, ...]) -> Callable[[], object]:
    return lambda: function(*example)


def _plain(value: Any) -> Value:
    return cast("Value", value)


def _flag(value: Value, source: str, argument: str) -> bool:
    if type(value) is not bool:
        raise refused(source, argument, value, "true or false")
    return value


INTEGER: Final = Form(_plain, checked_integer, 1)
TEXT: Final = Form(_plain, checked_text, "probe")
FLAG: Final = Form(_plain, _flag, False)


def texts(
    build: Callable[[list[str]], object], size: int, pack: Callable[[Any], list[str]]
) -> Form:
    """Returns the form of a value that is a list of text in the record.

    Args:
        build: Makes the value; whatever it raises is an answer of the wrong form.
        size: How many texts there are, -1 if any number.
        pack: Makes the texts of a real value.
    """

    def unpack(value: Value, source: str, argument: str) -> object:
        given = list(value) if isinstance(value, list | tuple) else None
        if given is None or (size >= 0 and len(given) != size):
            raise refused(source, argument, value, "a list of text")
        for text in given:
            checked_text(text, source, argument)
        try:
            return build(given)
        except (ArithmeticError, LookupError, TypeError, ValueError):
            raise refused(source, argument, value, "the parts of its value") from None

    return Form(pack, unpack, ["0"] * max(size, 0))


def numbers(build: Callable[[Any], object], size: int) -> Form:
    """Returns the form of a value that is a list of numbers; each is text in the record."""
    return texts(lambda given: build([_number(text) for text in given]), size, _shown)


def _shown(value: Iterable[int | float]) -> list[str]:
    return [repr(number) for number in value]


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdecimal() else float(text)
