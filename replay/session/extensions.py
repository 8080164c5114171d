"""Dialects and adapters, found by entry point, so that every way to run finds the same."""

from __future__ import annotations

from importlib.metadata import entry_points
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
    loaded: dict[str, object] = {}
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        if point.name not in loaded:
            loaded[point.name] = point.load()
    return tuple(loaded.values())
