"""A recorded run by identity: who asked what, as (spawn path, kind, index), and what came back.

Identity is causal, content is asserted: the same question of the same task is found again in
whatever order tasks start, and whether it still asks the same is compared, never assumed.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from replay.events.kinds import (
    FileRead,
    Payload,
    Reading,
    ReadingsTaken,
    RunStarted,
    SecretRegistered,
    TaskSpawned,
    ThreadStarted,
    role_of,
)
from replay.events.payload import decode_payload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.events.entry import Entry
    from replay.events.header import Header
    from replay.log.port import LogReader

__all__ = ["Answer", "Identity", "IdentityIndex", "Path", "Paths"]

Path: TypeAlias = "tuple[tuple[str, int], ...]"
#: Spawn path of the task, kind of the record, index among its task's records of that kind.
Identity: TypeAlias = "tuple[Path, str, int]"
#: Header and payload bytes of one recorded answer.
Answer: TypeAlias = "tuple[Header, bytes]"


class Paths:
    """Spawn paths by the seq of the record that spawned."""

    def __init__(self) -> None:
        self._paths: dict[int, Path] = {0: ()}

    def of(self, task: int) -> Path:
        """Return the spawn path of a task."""
        return self._paths.get(task, (("?", task),))

    def spawned(self, header: Header, label: str, ordinal: int) -> Path:
        """Enter the task that a record spawned; return its path."""
        path = (*self.of(header.task), (label, ordinal))
        self._paths[header.seq] = path
        return path


class IdentityIndex:
    """All questions of a recorded run and their answers, in memory: a tool for forensics.

    Attributes:
        questions: seq and payload bytes of each recorded derived record, by identity.
        answers: recorded answers by the seq of the question, in order.
        readings: readings by spawn path, in order.
        started, secrets: what stands at the beginning.
    """

    def __init__(self, reader: LogReader) -> None:
        self.questions: dict[Identity, tuple[int, bytes]] = {}
        self.answers: dict[int, deque[Answer]] = {}
        self.readings: dict[Path, deque[Reading]] = {}
        self.environment: dict[tuple[str, str], Reading] = {}
        self.secrets: list[SecretRegistered] = []
        #: Contents by path, in order.
        self.files: dict[str, list[tuple[FileRead, bytes | None]]] = {}
        self.started: RunStarted | None = None
        self.start_time = 0
        paths = Paths()
        for entry, data, is_whole in _with_payloads(reader):
            if is_whole:
                self._enter(entry, data, paths)
            else:
                self._enter_hole(entry, data, paths)

    def _enter_hole(self, entry: Entry, data: bytes, paths: Paths) -> None:
        """Enter a record of whose payload a part is gone."""
        self._enter(entry, data, paths)

    def _enter(self, entry: Entry, data: bytes, paths: Paths) -> None:
        header = entry.header
        role = role_of(header.kind)
        if header.answers is not None:
            self.answers.setdefault(header.answers, deque()).append((header, data))
            return
        payload: Payload | None = None
        if role in {"answered", "noted"} or header.kind in {"TaskSpawned", "ThreadStarted"}:
            payload, body = decode_payload(header.media, data, header.seq)
        path = paths.of(header.task)
        if isinstance(payload, TaskSpawned | ThreadStarted):
            child = paths.spawned(header, payload.label, payload.ordinal)
            self.questions[child, header.kind, 0] = (header.seq, data)
        elif isinstance(payload, ReadingsTaken):
            for reading in payload.readings:
                if reading.source.startswith("env"):
                    self.environment[reading.source, reading.argument] = reading
                else:
                    self.readings.setdefault(path, deque()).append(reading)
        elif isinstance(payload, FileRead):
            taken = (payload, body if header.media == "framed" else None)
            self.files.setdefault(payload.path, []).append(taken)
        elif isinstance(payload, RunStarted):
            self.started, self.start_time = payload, header.time
        elif isinstance(payload, SecretRegistered):
            self.secrets.append(payload)
        elif role == "derived":
            self.questions[path, header.kind, header.index] = (header.seq, data)


def _with_payloads(reader: LogReader) -> Iterator[tuple[Entry, bytes, bool]]:
    """Yield each record with its payload, and whether that is all there."""
    parts: dict[int, bytes | None] = {}
    for entry in reader.entries():
        for part in entry.brought:
            parts[part.ordinal] = part.data
        found = [parts[ordinal] for ordinal in entry.parts]
        yield entry, b"".join(data or b"" for data in found), None not in found
