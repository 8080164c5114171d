"""How an attack is tried: a small action in an empty directory, and what must come of it.

An attempt either is refused with an error of a class, or gives a value that says what was found.
Each belongs to one of the 48 cases of :mod:`tests.attacks.cases`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from replay.bundle import BundleReader
from tests.support import second_reader
from tests.support.bundle_forging import build

__all__ = ["ATTEMPTS", "Attempt", "attempt", "opened"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to try one case.

    Args:
        case: its number.
        name: of the function.
        act: does it in a directory of its own.
        refused: the class of the error that it must end with, None if it gives a value.
        says: what the error's message must hold.
        gives: the value that it must give, where it is not refused.
    """

    case: int
    name: str
    act: Callable[[Path], object]
    refused: type[Exception] | None
    says: str
    gives: object


ATTEMPTS: list[Attempt] = []


def attempt(case, *, refused=None, says="", gives=None):
    """Enter a function as an attempt at a case."""

    def enter(act):
        ATTEMPTS.append(Attempt(case, act.__name__, act, refused, says, gives))
        return act

    return enter


def opened(members, place, **options):
    """Build a forged bundle and open it; the second reader must refuse what the engine does."""
    path = build(place / "forged.ritornello", members, **options)
    holds = second_reader.holds(path)
    try:
        BundleReader.open(path).close()
    except Exception:
        assert not holds, "the second reader accepts it"
        raise
    assert holds, "the second reader refuses it"
