"""Answers where temporary files go and how they are named.

`tempfile` keeps both for the process: the directory that it found by trying, and a generator that
it seeded once. The one invariant: a run gets a generator of its own, seeded by its answers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

from replay.doors.exchanging.callbacks import Door
from replay.doors.exchanging.rebinding import FunctionExchange
from replay.doors.surroundings.answering import ANSWERING, KEPT, Answerer, Value, ask, checked_text
from replay.doors.surroundings.opening import Opening

__all__ = ["temporary_openings"]

_DIRECTORY: Final = KEPT + "temporary_directory"
_early_names: Callable[[], Any] = vars(tempfile)["_get_candidate_names"]
_early_directory: Callable[[], str | bytes] = vars(tempfile)["_gettempdir"]


def temporary_openings() -> Iterator[Opening]:
    """Yields the directory's opening and the names'."""
    directory = _DirectoryExchange(cast("FunctionType", _early_directory))
    door = _directory(directory)
    yield Opening("tempfile.gettempdir", directory, door, _early_directory, _DIRECTORY, "probe")
    names = FunctionExchange(cast("FunctionType", _early_names))
    yield Opening(
        "tempfile names", names, _names(names.real), lambda: next(_early_names()), "urandom"
    )


class _DirectoryExchange(FunctionExchange):
    """Knows what `tempfile` kept before there was a run."""

    before: str | bytes | None = None

    def put(self, door: Door) -> None:
        """Lets `door` do the work."""
        self.before = tempfile.tempdir
        super().put(door)


def _directory(exchange: _DirectoryExchange) -> Door:
    real = cast("Callable[[], str | bytes]", exchange.real)

    def directory() -> object:
        answerer = ANSWERING.lookup()
        chosen = tempfile.tempdir
        if answerer is None:
            return real()
        if chosen is not None and chosen is not exchange.before:
            return chosen  # the program has set it

        def live() -> Value:
            found = real()
            tempfile.tempdir = chosen
            return found

        value = ask(answerer, _DIRECTORY, "", live)
        return value if type(value) is bytes else checked_text(value, _DIRECTORY, "")

    return directory


def _names(real: Callable[..., object]) -> Door:
    generator: type = vars(tempfile)["_RandomNameSequence"]
    made: WeakKeyDictionary[Answerer, object] = WeakKeyDictionary()

    def names() -> object:
        answerer = ANSWERING.lookup()
        if answerer is None:
            return real()
        found = made.get(answerer)
        if found is None:
            found = made[answerer] = generator()
        return found

    return names
