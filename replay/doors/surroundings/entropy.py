"""Answers what the program draws from the system's randomness.

`uuid4`, `secrets`, `SystemRandom` and temporary names draw from `os.urandom`, under whatever name
they hold it, so it is enough to answer there. The one invariant: an answer has exactly the size
that was asked for.
"""

from __future__ import annotations

import _random
import os
import random
import sys
import uuid
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, FunctionType
from typing import Final, cast

from replay.doors.exchanging.callbacks import Door
from replay.doors.exchanging.functions import ModuleFunctionExchange
from replay.doors.exchanging.rebinding import AttributeExchange, FunctionExchange
from replay.doors.surroundings.answering import ANSWERING, checked_bytes, checked_text, refused
from replay.doors.surroundings.opening import Opening
from replay.errors import IntegrityError

__all__ = ["SEED_BYTES", "entropy_openings"]

SEED_BYTES: Final = 32
"""How many bytes a seeding without argument draws: as strong as the generator is used for."""

_PROBE_UUID: Final = "13814000-1dd2-11b2-8000-000000000000"
_early_urandom = os.urandom
_early_uuid1 = uuid.uuid1


def entropy_openings() -> Iterator[Opening]:
    """Yields one opening for each source of randomness that this platform has."""
    exchange = ModuleFunctionExchange(cast("BuiltinFunctionType", os.urandom))
    real = cast("Callable[[int], bytes]", exchange.real)
    urandom = _urandom(real)
    yield Opening("os.urandom", exchange, urandom, lambda: _early_urandom(1), "urandom", bytes(1))
    if hasattr(os, "getrandom"):
        early = os.getrandom
        getrandom = ModuleFunctionExchange(cast("BuiltinFunctionType", early))
        door = _getrandom(cast("Callable[..., bytes]", getrandom.real))
        yield Opening("os.getrandom", getrandom, door, lambda: early(1), "urandom", bytes(1))
    seed = AttributeExchange(_random.Random, "seed")
    door = _seed(seed.real, real)
    # Not on the global generator: a check must not change what the program draws from it.
    other = random.Random(0)  # noqa: S311 - not for secrets
    yield Opening("random.seed", seed, door, other.seed, "urandom")
    made = AttributeExchange(_random.Random, "__init__")
    door = _made(made.real)
    yield Opening("_random.Random", made, door, _random.Random, "urandom")
    uuid1 = FunctionExchange(cast("FunctionType", uuid.uuid1))
    door = _uuid1(cast("Callable[..., uuid.UUID]", uuid1.real))
    yield Opening("uuid.uuid1", uuid1, door, _early_uuid1, "uuid1", _PROBE_UUID)


def _urandom(real: Callable[[int], bytes]) -> Door:
    def urandom(size: int, /) -> bytes:
        answerer = ANSWERING.lookup()
        if answerer is None or type(size) is not int or size < 0:
            return real(size)
        value = answerer.answer("urandom", str(size), lambda: real(size))
        return checked_bytes(value, "urandom", size)

    return urandom


def _getrandom(real: Callable[..., bytes]) -> Door:
    def getrandom(size: int, flags: int = 0) -> bytes:
        answerer = ANSWERING.lookup()
        if answerer is None or type(size) is not int or size < 0:
            return real(size, flags)
        value = answerer.answer("urandom", str(size), lambda: real(size, flags))
        return checked_bytes(value, "urandom", size)

    return getrandom


def _seed(real: Callable[..., object], real_urandom: Callable[[int], bytes]) -> Door:
    def seed(self: _random.Random, a: object = None, /) -> object:
        if a is None:
            answerer = ANSWERING.lookup()
            if answerer is not None:
                live = lambda: real_urandom(SEED_BYTES)  # noqa: E731 - said in one line
                value = answerer.answer("urandom", str(SEED_BYTES), live)
                a = int.from_bytes(checked_bytes(value, "urandom", SEED_BYTES), "big")
        return real(self, a)

    return seed


def _made(real: Callable[..., object]) -> Door:
    def made(self: _random.Random, *args: object, **kwargs: object) -> object:
        """Seeds again what the C constructor seeded from the system."""
        if sys.version_info >= (3, 12):
            real(self, *args, **kwargs)
        if args in {(), (None,)} and ANSWERING.lookup() is not None:
            self.seed()
        return None

    return made


def _uuid1(real: Callable[..., uuid.UUID]) -> Door:
    def uuid1(node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
        answerer = ANSWERING.lookup()
        if answerer is None:
            return real(node, clock_seq)
        argument = "" if node is clock_seq is None else f"node={node} clock_seq={clock_seq}"
        value = answerer.answer("uuid1", argument, lambda: str(real(node, clock_seq)))
        text = checked_text(value, "uuid1", argument)
        try:
            # Whether the system made it safely is not recorded: `is_safe` stays unknown.
            answered = uuid.UUID(text)
        except ValueError:
            raise _not_uuid1(argument) from None
        if str(answered) != text or answered.version != 1:
            raise _not_uuid1(argument)
        return answered

    return uuid1


def _not_uuid1(argument: str) -> IntegrityError:
    return refused("uuid1", argument, "", "the text of a version 1 UUID")
