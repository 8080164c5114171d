"""Ids that ``uuid_utils`` makes in Rust: LangChain numbers its runs and messages with them.

The library draws from the system itself, so its functions are answered here: what they need comes
from ``os.urandom`` and the clock, which have doors of their own. The Python half is exchanged by
code and works under every name; the compiled half by name, so the library is imported before the
program does it. What is made of a given name or node alone is left as it is.
"""

from __future__ import annotations

import importlib
import os
import time
import uuid
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from replay.doors.context import current
from replay.doors.counted import CountedDoor
from replay.doors.exchanging.rebinding import FunctionExchange

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RustIdDoor"]

_LIBRARY: Final = "uuid_utils"
#: RFC 9562, section 4.1: the variant's two bits, above 62 others.
_VARIANT: Final = 0b10 << 62
_NS_A_MS: Final = 1_000_000


class RustIdDoor(CountedDoor):
    """Puts the door into ``uuid_utils`` and ``uuid_utils.compat``, where they are installed."""

    def __init__(self) -> None:
        super().__init__()
        self._exchanges: list[FunctionExchange] = []
        self._attributes: list[tuple[Any, str, Any]] = []

    def put(self) -> None:
        """Exchange what draws."""
        try:
            library = importlib.import_module(_LIBRARY)
            compat = importlib.import_module(f"{_LIBRARY}.compat")
        except ImportError:
            return
        for name, make in _MAKERS.items():
            function = getattr(compat, name, None)
            if isinstance(function, FunctionType):
                exchange = FunctionExchange(function)
                exchange.put(_door(exchange.real, make, lambda number: uuid.UUID(int=number)))
                self._exchanges.append(exchange)
            self._set(library, name, make, lambda number: library.UUID(int=number))
        for name, make in (("_uuid4_int", _uuid4), ("_uuid7_int", _uuid7)):
            for owner in (library, compat):
                self._set(owner, name, make, int)

    def take_back(self) -> None:
        """Give everything back."""
        while self._exchanges:
            self._exchanges.pop().take_back()
        while self._attributes:
            owner, name, value = self._attributes.pop()
            setattr(owner, name, value)

    def _set(
        self, owner: Any, name: str, make: Callable[..., int], build: Callable[[int], object]
    ) -> None:
        real = getattr(owner, name, None)
        if real is not None:
            self._attributes.append((owner, name, real))
            setattr(owner, name, _door(real, make, build))


def _door(
    real: Callable[..., object], make: Callable[..., int], build: Callable[[int], object]
) -> Callable[..., object]:
    def door(*args: Any, **options: Any) -> object:
        if current() is None:
            return real(*args, **options)
        return build(make(*args, **options))

    return door


def _uuid1(node: int | None = None, clock_seq: int | None = None) -> int:
    return uuid.uuid1(node, clock_seq).int


def _uuid4() -> int:
    return uuid.uuid4().int


def _uuid6(node: int | None = None, timestamp: int | None = None) -> int:
    """Return version 6: version 1 with its time from the highest bits down (RFC 9562, 5.6)."""
    made = uuid.uuid1(node)
    ticks = made.time if timestamp is None else timestamp * 10_000_000 + 0x01B21DD213814000
    high = (ticks >> 12 << 16 | 0x6000 | ticks & 0x0FFF) & 0xFFFF_FFFF_FFFF_FFFF
    return high << 64 | made.int & 0xFFFF_FFFF_FFFF_FFFF


def _uuid7(timestamp: int | None = None, nanos: int | None = None) -> int:
    """Return version 7: milliseconds, their fraction, then chance (RFC 9562, 5.7 and 6.2)."""
    now = time.time_ns() if timestamp is None else timestamp * 1_000_000_000 + (nanos or 0)
    milliseconds, rest = divmod(now, _NS_A_MS)
    high = (milliseconds & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | rest * 4096 // _NS_A_MS
    return high << 64 | _VARIANT | int.from_bytes(os.urandom(8)) >> 2


_MAKERS: Final[dict[str, Callable[..., int]]] = {
    "uuid1": _uuid1,
    "uuid4": _uuid4,
    "uuid6": _uuid6,
    "uuid7": _uuid7,
}
