"""Dialects and adapters, found by entry point, so that every way to run finds the same."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final

from replay.doors.dialect import NamesFields, RequestView

if TYPE_CHECKING:
    from replay.doors.dialect import Dialect
    from replay.doors.state.adapter import Adapter
    from replay.events.exchange_kinds import FieldRoles, RequestSent

__all__ = [
    "ADAPTER_GROUP",
    "DIALECT_GROUP",
    "load_adapters",
    "load_dialects",
    "roles_in_request",
]

ADAPTER_GROUP: Final = "ritornello.adapters"
DIALECT_GROUP: Final = "ritornello.dialects"


def load_dialects() -> tuple[Dialect, ...]:
    """Return the installed dialects, ordered by entry point name."""
    return _load(DIALECT_GROUP)


def load_adapters() -> tuple[Adapter, ...]:
    """Return the installed adapters, ordered by entry point name; no library is imported."""
    return _load(ADAPTER_GROUP)


def roles_in_request(request: RequestSent, body: bytes) -> tuple[str, FieldRoles] | None:
    """Return the installed dialect that reads a request, and what it says of the body's fields."""
    view = RequestView(
        method=request.method,
        path=request.path,
        query=request.query,
        headers=request.headers,
        body=body,
    )
    for dialect in load_dialects():
        if dialect.matches(view) and isinstance(dialect, NamesFields):
            return dialect.name, dialect.field_roles
    return None


def _load(group: str) -> tuple[Any, ...]:
    return tuple(point.load() for point in _points(group, _search_path()))


@lru_cache(maxsize=8)
def _points(group: str, places: tuple[tuple[str, int], ...]) -> tuple[EntryPoint, ...]:  # noqa: ARG001
    """Return the entry points of a group by name, the first of each.

    To look for them takes 10 ms where 150 distributions are installed, and a test run replays many
    times; so they are looked for once while the places in which they are found do not change.
    """
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        found.setdefault(point.name, point)
    return tuple(found.values())


def _search_path() -> tuple[tuple[str, int], ...]:
    """Return where distributions are found, and when each place changed last."""
    places: list[tuple[str, int]] = []
    for name in sys.path:
        place = name or os.getcwd()  # noqa: PTH109 - runs for every replay
        try:
            places.append((place, os.stat(place).st_mtime_ns))  # noqa: PTH116
        except OSError:
            places.append((place, 0))
    return tuple(places)
