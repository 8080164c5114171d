"""Plain data of the objects that frameworks keep in their state."""

from __future__ import annotations

from replay.doors.plain_values import PlainEncoder

__all__ = ["encode_library_value"]


def _open_up(value: object) -> object:
    """Return the fields of a pydantic model; anything else as it is."""
    dump = getattr(type(value), "model_dump", None)
    if dump is None:
        return value
    try:
        return dump(value)
    except Exception:  # noqa: BLE001 - a model's own serializer may raise anything
        return value


encode_library_value = PlainEncoder(_open_up).encode
"""Encode a value; models of pydantic, such as messages of LangChain, by their fields."""
