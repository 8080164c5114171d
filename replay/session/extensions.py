"""Dialects that are installed, found by entry point, so that every way to run finds the same."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from replay.doors.dialect import Dialect

__all__ = ["DIALECT_GROUP", "load_dialects"]

DIALECT_GROUP: Final = "ritornello.dialects"


def load_dialects() -> tuple[Dialect, ...]:
    """Return the installed dialects, ordered by entry point name."""
    found = sorted(entry_points(group=DIALECT_GROUP), key=lambda point: point.name)
    dialects: list[Dialect] = []
    seen: set[str] = set()
    for point in found:
        if point.name not in seen:
            seen.add(point.name)
            dialects.append(point.load())
    return tuple(dialects)
