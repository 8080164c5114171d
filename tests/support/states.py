"""Reads the state records of a recorded run."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from replay.events.kinds import StateChanged
from replay.log.duckdb_store import DuckDBStore
from replay.sources.history import History


def records_of(directory):
    """Every header and payload of a run."""
    with closing(DuckDBStore.open(Path(directory), read_only=True)) as store:
        history = History(store)
        return [(entry.header, history.payload(entry)[0]) for entry in store.entries()]


def changes_of(directory) -> list[StateChanged]:
    """What a run did to its state, in order."""
    return [payload for _, payload in records_of(directory) if isinstance(payload, StateChanged)]


def told(changes):
    """Operation, key, version and value of each change, short enough to compare."""
    return [
        (each.operation, each.key, each.version, bytes(each.value).decode()) for each in changes
    ]
