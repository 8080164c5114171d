"""The global random generator: one a process, and yet one for each run.

`random.random()` and its sisters are methods of one hidden generator. While a run is on stage they
ask which run the calling thread belongs to and draw from that run's own; a thread without a run
draws from the real one, which is never touched. The one invariant: after `take_back` the hidden
generator is of its own class, in the state in which the process would be without any run.

The Python methods all end in five C methods, found along the class's order of resolution, so
exchanging the hidden generator's class reaches them under whatever name they were imported. Two C
methods are bound in the module itself and are exchanged as functions.
"""

from __future__ import annotations

import _random
import contextlib
import random
from _thread import get_ident
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any, Final, cast

from replay.doors.context import current
from replay.doors.counted import CountedDoor
from replay.doors.exchanging.functions import BoundMethodExchange

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["GlobalRandomDoor"]

_hidden: Final[random.Random] = vars(random)["_inst"]


# By thread: what is drawn from while the engine imports something.
_spares: dict[int, random.Random] = {}


def _own() -> random.Random | None:
    """Return what the calling thread draws from, None for the process's own."""
    context = current()
    return _spares.get(get_ident()) if context is None else context.random


class _PerRun(_random.Random):
    """Between `random.Random` and its C base: each call goes to the run's own generator."""

    __slots__ = ()

    def random(self) -> float:
        """Draw a float."""
        own = _own()
        return super().random() if own is None else own.random()

    def getrandbits(self, k: int, /) -> int:
        """Draw so many bits."""
        own = _own()
        return super().getrandbits(k) if own is None else own.getrandbits(k)

    def seed(self, n: Any = None, /) -> None:
        """Seed; `random.Random.seed` has made an integer of it, or None."""
        _random.Random.seed(_own() or self, n)

    def getstate(self) -> Any:
        """Return the C part of the state."""
        return _random.Random.getstate(_own() or self)

    def setstate(self, state: Any, /) -> None:
        """Set the C part of the state."""
        _random.Random.setstate(_own() or self, state)

    # A property stands before the generator's own attribute, which keeps the process's value.
    @property
    def gauss_next(self) -> float | None:
        """The second of a pair that `gauss` made."""
        return cast("float | None", vars(_own() or self)["gauss_next"])

    @gauss_next.setter
    def gauss_next(self, value: float | None) -> None:
        vars(_own() or self)["gauss_next"] = value


class _Dispatching(random.Random, _PerRun):
    """The class of the hidden generator while a run is on stage."""

    __slots__ = ()


class GlobalRandomDoor(CountedDoor):
    """Gives each run its own `random.random`, `random.seed`, `random.choice` and so on."""

    def __init__(self) -> None:
        super().__init__()
        # Made at the first use: an interpreter that cannot be exchanged is refused then.
        self._exchanges: tuple[BoundMethodExchange, BoundMethodExchange] | None = None

    def put(self) -> None:
        """Put the door in."""
        if self._exchanges is None:
            self._exchanges = (
                BoundMethodExchange(cast("BuiltinFunctionType", random.random)),
                BoundMethodExchange(cast("BuiltinFunctionType", random.getrandbits)),
            )
        _hidden.__class__ = _Dispatching
        self._exchanges[0].put(_random_door)
        self._exchanges[1].put(_bits_door)

    @contextlib.contextmanager
    def spared(self) -> Iterator[None]:
        """Let the calling thread draw from a generator that is thrown away.

        For imports that the engine makes: some libraries draw while they are imported.
        """
        _spares[get_ident()] = random.Random(0)  # noqa: S311 - nobody's
        try:
            yield
        finally:
            del _spares[get_ident()]

    def take_back(self) -> None:
        """Take the door out."""
        for exchange in self._exchanges or ():
            exchange.take_back()
        _hidden.__class__ = random.Random


def _random_door() -> float:
    return _hidden.random()


def _bits_door(k: int, /) -> int:
    return _hidden.getrandbits(k)
