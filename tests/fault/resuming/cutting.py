"""Runs that stopped behind an event of our choice, made from a run that came to its end."""

from __future__ import annotations

import hashlib

from replay.log.duckdb_store import DuckDBStore
from replay.log.head import head_writer
from replay.log.workspace import Workspace
from replay.log.writer import Writer


def entries_of(directory):
    store = DuckDBStore.open(directory, read_only=True)
    try:
        return list(store.entries())
    finally:
        store.close()


def cut(entries, run_id, size, place):
    """Make a workspace in which a run stopped behind so many events; return its directory."""
    directory = Workspace.open(place).register(run_id, "program", 1)
    store = DuckDBStore.create(directory)
    writer = Writer(store, on_commit=head_writer(directory, run_id))
    for entry in entries[:size]:
        writer.submit(entry)
    writer.close()
    store.close()
    return directory


def cut_behind(recording, place, kind, *, count=1):
    """Make such a workspace behind the first records of a kind, or so many of them."""
    entries = entries_of(recording.directory)
    seqs = [entry.header.seq for entry in entries if entry.header.kind == kind]
    return cut(entries, recording.run_id, seqs[count - 1] + 1, place)


def digests(place):
    """Return the digest of each file of a workspace, by its path."""
    return {
        str(file.relative_to(place)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(place.rglob("*"))
        if file.is_file()
    }
