"""JSON of a program's values, saying by type what is no plain data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

__all__ = ["VALUE_BYTES_MAX", "Encode", "PlainEncoder"]

#: Gives JSON of a value, and the types of what in it is named instead of shown.
Encode: TypeAlias = Callable[[object], tuple[msgspec.Raw, tuple[str, ...]]]
#: A larger value is recorded by its type alone.
VALUE_BYTES_MAX: Final = 64 << 20
_OPAQUE_MAX: Final = 32
_FAILURES: Final = (TypeError, ValueError, OverflowError, RecursionError)


class PlainEncoder:
    """Encodes values; what is not data comes out as its type, never as a repr with an address.

    Args:
        open_up: returns plain data of an object of a library, or the object itself.
    """

    def __init__(self, open_up: Callable[[object], object] | None = None) -> None:
        self._open_up = open_up
        self._opaque: dict[str, None] = {}
        # Sets come out sorted, and so do keys.
        self._encoder = msgspec.json.Encoder(enc_hook=self._other, order="deterministic")

    def encode(self, value: object) -> tuple[msgspec.Raw, tuple[str, ...]]:
        """Return JSON of a value, and the types of what in it is named instead of shown."""
        self._opaque.clear()
        try:
            encoded = self._encoder.encode(value)
        except _FAILURES:
            self._opaque.clear()
            encoded = self._encoder.encode(self._named(value))
        if len(encoded) > VALUE_BYTES_MAX:
            self._opaque.clear()
            encoded = self._encoder.encode({**self._named(value), "bytes": len(encoded)})
        return msgspec.Raw(encoded), tuple(sorted(self._opaque)[:_OPAQUE_MAX])

    def _other(self, value: object) -> object:
        if self._open_up is not None:
            opened = self._open_up(value)
            if opened is not value:
                return opened
        return self._named(value)

    def _named(self, value: object) -> dict[str, object]:
        kind = type(value)
        name = f"{kind.__module__}:{kind.__qualname__}"
        self._opaque[name] = None
        return {"type": name}
