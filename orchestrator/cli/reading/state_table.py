"""The state a run ended with, for `show`: each key with its last writer and concurrent writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.cli.reading.records import Event
from orchestrator.cli.terminal import table
from replay.events.kinds import StateChanged
from replay.projections.state import KeyState, State

__all__ = ["state_fields", "state_lines", "state_of"]

_LONG = 60


def state_of(events: Iterable[Event]) -> tuple[KeyState, ...]:
    """Return what the stores of a run hold; nothing if any payload is not there."""
    builder = State().builder(State().initial())
    changes = 0
    for event in events:
        if event.payload is None:
            return ()
        builder.add(event.header, event.payload)
        changes += isinstance(event.payload, StateChanged)
    return builder.state().keys if changes else ()


def state_fields(keys: Sequence[KeyState]) -> list[dict[str, object]]:
    """Return the keys for JSON."""
    return [
        {
            "store": each.store,
            "ordinal": each.ordinal,
            "key": each.key,
            "present": each.present,
            "version": each.version,
            "writer": each.writer,
            "concurrent": [list(pair) for pair in each.concurrent],
            "value": each.value,
        }
        for each in keys
    ]


def state_lines(keys: Sequence[KeyState]) -> list[str]:
    """Return a table for a person; no line if there is no state."""
    if not keys:
        return []
    rows = [
        (
            f"{each.store}:{each.ordinal}" if each.ordinal else each.store,
            each.key,
            str(each.version),
            "" if each.writer is None else str(each.writer),
            str(len(each.concurrent) or ""),
            each.value[:_LONG] if each.present else "(deleted)",
        )
        for each in keys
    ]
    return ["", *table(("STATE", "KEY", "VERSION", "WRITER", "CONCURRENT", "VALUE"), rows)]
