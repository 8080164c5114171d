"""Whom a door asks when an owned thread reads the outside world, and what may be answered.

The one invariant: an answer is checked here before the program sees it, because in a replay it
comes from a record, and a record is hostile input. The module knows no clock and no environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from replay.errors import IntegrityError

__all__ = [
    "ANSWERING",
    "KEPT",
    "Answerer",
    "Answering",
    "Lookup",
    "SystemFailure",
    "Value",
    "ask",
    "checked_bytes",
    "checked_integer",
    "checked_names",
    "checked_text",
    "checked_text_or_none",
    "refused",
]

KEPT: Final = "process."
"""What the name of a source begins with that is asked once a run for each argument: facts of the
process that do not change, so that how often a library looks is no part of the record."""


@dataclass(frozen=True, slots=True)
class SystemFailure:
    """The system said no.

    Attributes:
        number: its error number.
    """

    number: int


Value: TypeAlias = (
    int | float | str | bytes | bool | tuple[str, ...] | list[str] | SystemFailure | None
)
"""Everything an answer can be."""


class Answerer(Protocol):
    """Answers one synchronous question about the outside world.

    There is one answerer for each run, the same object for all threads of the run. What it asks
    itself while answering would come back to it: its lookup must give None meanwhile.
    """

    def answer(self, source: str, argument: str, live: Callable[[], Value]) -> Value:
        """Returns the value of `source` for `argument`; `live()` asks the real source."""
        ...


Lookup: TypeAlias = Callable[[], Answerer | None]
"""Gives the answerer of the calling thread's run, or None: the real function is used then."""


class Answering:
    """The lookups of all runs that are active in this process.

    Doors call `lookup` on each reading, so with one run it is that run's own lookup.
    """

    __slots__ = ("lookup", "lookups")

    def __init__(self) -> None:
        self.lookups: tuple[Lookup, ...] = ()
        self.lookup: Lookup = _nobody

    def add(self, lookup: Lookup) -> None:
        """Asks `lookup` too, after those that are there."""
        self._set((*self.lookups, lookup))

    def discard(self, lookup: Lookup) -> None:
        """Asks `lookup` once less than before."""
        left = list(self.lookups)
        left.remove(lookup)
        self._set(tuple(left))

    def _set(self, lookups: tuple[Lookup, ...]) -> None:
        self.lookups = lookups
        if not lookups:
            self.lookup = _nobody
        elif len(lookups) == 1:
            self.lookup = lookups[0]
        else:
            self.lookup = self._first

    def _first(self) -> Answerer | None:
        for lookup in self.lookups:
            answerer = lookup()
            if answerer is not None:
                return answerer
        return None


def refused(source: str, argument: str, value: object, wanted: str) -> IntegrityError:
    """Builds the error for an answer of the wrong form; the value itself is not shown."""
    place = f"{source}({argument})" if argument else source
    return IntegrityError(
        f"an answer must be {wanted}, not {type(value).__name__}",
        where=place,
        hint="the record is damaged, or was written by another version",
    )


def ask(
    answerer: Answerer,
    source: str,
    argument: str,
    live: Callable[[], Value],
    path: object = None,
) -> Value:
    """Returns the answer; what the system refuses is an answer too.

    Args:
        answerer: Who answers.
        source: What is asked.
        argument: Of what.
        live: Asks the system.
        path: What an error names.

    Raises:
        OSError: The system refused, now or when it was recorded.
    """
    failure: list[OSError] = []

    def tried() -> Value:
        try:
            return live()
        except OSError as error:
            if error.errno is None:
                raise
            failure.append(error)
            return SystemFailure(error.errno)

    value = answerer.answer(source, argument, tried)
    if type(value) is SystemFailure:
        if failure:
            raise failure[0]
        raise OSError(value.number, os.strerror(value.number), *(() if path is None else (path,)))
    return value


def checked_integer(value: Value, source: str, argument: str) -> int:
    """Returns `value` if it is an integer.

    Raises:
        IntegrityError: It is not.
    """
    if type(value) is not int:
        raise refused(source, argument, value, "an integer")
    return value


def checked_bytes(value: Value, source: str, size_bytes: int) -> bytes:
    """Returns `value` if it is exactly `size_bytes` bytes.

    Raises:
        IntegrityError: It is not.
    """
    if type(value) is not bytes or len(value) != size_bytes:
        raise refused(source, str(size_bytes), value, f"{size_bytes} bytes")
    return value


def checked_text(value: Value, source: str, argument: str) -> str:
    """Returns `value` if it is text.

    Raises:
        IntegrityError: It is not.
    """
    if type(value) is not str:
        raise refused(source, argument, value, "text")
    return value


def checked_text_or_none(value: Value, source: str, argument: str) -> str | None:
    """Returns `value` if it is text or None.

    Raises:
        IntegrityError: It is neither.
    """
    return None if value is None else checked_text(value, source, argument)


def checked_names(value: Value, source: str) -> tuple[str, ...]:
    """Returns `value` as a tuple if it is a list or tuple of text.

    Raises:
        IntegrityError: It is not.
    """
    if not isinstance(value, list | tuple):
        raise refused(source, "", value, "a list of text")
    for name in value:
        if type(name) is not str:
            raise refused(source, "", name, "a list of text")
    return tuple(value)


def _nobody() -> Answerer | None:
    return None


# Process-wide because what it serves is: the exchanged C definitions belong to the process.
ANSWERING: Final = Answering()
