"""Makes well-formed runs for tests, record by record, and spoils them on request.

The records are what a recorder would make: canonical headers, committed parts, true causes. Salts
are a counter, so two runs built alike are equal.
"""

from __future__ import annotations

import msgspec

from replay.events.digest import content_hash
from replay.events.entry import Entry
from replay.events.header import Header, encode_header
from replay.events.kinds import (
    EffectReturned,
    EffectStarted,
    Payload,
    RunEnded,
    RunSealed,
    RunStarted,
    TaskEnded,
    TaskSpawned,
    kind_of,
)
from replay.events.parts import PartTable
from replay.events.payload import encode_head, split
from replay.log.port import lean_of
from replay.tree import Frontier, event_leaf

RUN_ID = "01K9ZZZZZZZZZZZZZZZZZZZZZZ"


def salt_for(ordinal: int) -> bytes:
    return ordinal.to_bytes(16, "big")


def run_started(run: str = RUN_ID) -> RunStarted:
    return RunStarted(
        run=run,
        entry="command",
        arguments=("agent.py",),
        directory="/srv",
        seed="0" * 32,
        flags={},
        monotonic=0,
        versions=(),
        dialects=(),
        hash_seed="0",
    )


class Recording:
    """A run being built; `entries` is what a reader of it would yield."""

    def __init__(self, *, first: Payload | None = None) -> None:
        self.entries: list[Entry] = []
        self.table = PartTable(salt_for)
        self._lamports: list[int] = []
        self._last: dict[int, int] = {}
        self._indexes: dict[tuple[int, str], int] = {}
        self.add(first if first is not None else run_started())

    def add(
        self, payload: Payload, *, body: bytes | None = None, task: int = 0, heard=(), **fields
    ) -> int:
        """Append a record of `task` that also depends on the records in `heard`."""
        kind = kind_of(payload)
        return self.add_head(
            kind, encode_head(payload), body=body, task=task, heard=heard, **fields
        )

    def add_head(self, kind, head, *, body=None, task=0, heard=(), **fields) -> int:
        seq = len(self.entries)
        before = self._last.get(task, task)
        causes = tuple(sorted({before, *heard})) if seq else ()
        index = self._indexes.get((task, kind), 0)
        self._indexes[task, kind] = index + 1
        refs, brought, commitment, size = self.table.commit(split(head, body))
        values = {
            "causes": causes,
            "commitment": commitment,
            "index": index,
            "kind": kind,
            "lamport": 1 + max((self._lamports[cause] for cause in causes), default=-1),
            "media": "json" if body is None else "framed",
            "participant": 0,
            "seq": seq,
            "size": size,
            "task": task,
            "time": 1_700_000_000_000_000 + seq,
            "v": 1,
        }
        header = Header(**(values | fields))
        self.entries.append(
            Entry(header=header, raw=encode_header(header), parts=refs, brought=brought)
        )
        self._lamports.append(header.lamport)
        self._last[task] = seq
        return seq

    def seal(self, reason="completed") -> Recording:
        self.add(RunEnded())
        self.add(RunSealed(reason=reason, events=len(self.entries) + 1))
        return self

    def root(self, size: int | None = None) -> bytes:
        frontier = Frontier()
        for entry in self.entries[:size]:
            frontier.append(event_leaf(entry.raw))
        return frontier.root()

    def names(self) -> list[str]:
        return [content_hash(entry.raw) for entry in self.entries]


class ListReader:
    """A reader of any list of entries, however damaged."""

    def __init__(self, entries, *, size=None, fails_at=None, error=None) -> None:
        self._entries = list(entries)
        self._size = len(self._entries) if size is None else size
        self._fails_at, self._error = fails_at, error

    def size(self):
        return self._size

    def entries(self, first=0, last=None, *, decode=None):
        for seq, entry in enumerate(self._entries[first:last], first):
            if seq == self._fails_at:
                raise self._error
            yield entry

    def lean(self, wanted, *, decode=None):
        return lean_of(self.entries(), wanted)

    def parts(self, ordinals):
        every = [part for entry in self._entries for part in entry.brought]
        return {ordinal: every[ordinal] for ordinal in ordinals}

    def salts(self, first, last):
        return [part.salt for entry in self._entries for part in entry.brought][first:last]


def changed(entry: Entry, **fields) -> Entry:
    """The entry with other header fields, encoded again, so that only the checks can tell."""
    header = msgspec.structs.replace(entry.header, **fields)
    return msgspec.structs.replace(entry, header=header, raw=encode_header(header))


def effects(recording: Recording, count: int, size: int = 150) -> Recording:
    """Add pairs of effects and answers in one spawned task."""
    raw = msgspec.Raw
    task = recording.add(
        TaskSpawned(label="worker", ordinal=0, arguments=raw(b"{}"), seed="0" * 32)
    )
    for number in range(count):
        text = f'"{number:0{size}}"'.encode()
        started = recording.add(
            EffectStarted(name="lookup", arguments=raw(b'{"q":' + text + b"}")), task=task
        )
        recording.add(EffectReturned(value=raw(text)), task=task, answers=started, part=0)
    ended = recording.add(TaskEnded(), task=task)
    recording._last[0] = ended
    return recording
