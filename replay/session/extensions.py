"""Dialects and adapters, found by entry point, so that every way to run finds the same."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from replay.doors.dialect import Dialect
    from replay.doors.state.adapter import Adapter

__all__ = ["ADAPTER_GROUP", "DIALECT_GROUP", "load_adapters", "load_dialects"]

ADAPTER_GROUP: Final = "ritornello.adapters"
DIALECT_GROUP: Final = "ritornello.dialects"


def load_dialects() -> tuple[Dialect, ...]:
    """Return the installed dialects, ordered by entry point name."""
    return _load(DIALECT_GROUP)


def load_adapters() -> tuple[Adapter, ...]:
    """Return the installed adapters, ordered by entry point name; no library is imported."""
    return _load(ADAPTER_GROUP)


def _load(group: str) -> tuple[Any, ...]:
    loaded: dict[str, object] = {}
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        if point.name not in loaded:
            loaded[point.name] = point.load()
    return tuple(loaded.values())
