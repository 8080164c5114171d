"""What a recorded run knows behind a position, by identity: the source of a fork.

A question is found again by its task, its kind and its index; if that one asked something else, by
its content among those of its task and kind that nobody asked yet, since one call more moves the
indexes of those behind it. The threads of one pool count as one task there: which of them takes a
piece of work is a matter of how long the others wait. Each recorded answer is given once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from replay.events.kinds import (
    EffectCancelled,
    PromptSent,
    ResponseReceived,
    TaskSpawned,
    ThreadStarted,
    WireObserved,
)
from replay.events.payload import decode_payload
from replay.sources.identity import IdentityIndex, Paths

if TYPE_CHECKING:
    from replay.events.entry import Entry
    from replay.events.header import Header
    from replay.events.kinds import Reading
    from replay.log.port import LogReader
    from replay.sources.identity import Path

__all__ = ["QUESTIONS", "Recollection", "Usage"]

#: Kinds of records that ask the outside.
QUESTIONS: Final = frozenset({"RequestSent", "EffectStarted", "ProcessStarted"})
_ENDS: Final = frozenset({"ResponseEnded", "EffectReturned", "ProcessEnded"})
_SPAWNS: Final = frozenset({"TaskSpawned", "ThreadStarted"})
#: The name that `concurrent.futures` and `asyncio.to_thread` give a thread of a pool.
_POOLED: Final = re.compile(r"(.+)_[0-9]+")
_READ: Final = frozenset({"ResponseReceived", "PromptSent", "EffectCancelled"})


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What one recorded request cost.

    Attributes:
        seq: of its record.
        model: as the program asked for it; None where no dialect read it.
        input_tokens, output_tokens: as the provider counted; None where it did not.
    """

    seq: int
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class Recollection(IdentityIndex):
    """See the module docstring.

    Args:
        reader: the recorded run.
        position: what stands before it is made again in order, and not recalled.
        anew: whether what stands behind it is not recalled either.
    """

    def __init__(self, reader: LogReader, position: int, *, anew: bool = False) -> None:
        self._position = position
        #: Whether nothing is recalled.
        self.is_anew = anew
        #: Spawn paths of the tasks from before the position.
        self.paths = Paths()
        #: Tasks of which something went live: what they read from here on is read from the world.
        self.gone_live: set[Path] = set()
        self._ended: set[int] = set()
        self._taken: set[int] = set()
        #: Questions of which an answer is erased: as good as never asked.
        self._gone: set[int] = set()
        self._by_kind: dict[tuple[Path, str], list[int]] = {}
        self._by_pool: dict[tuple[str, str], list[int]] = {}
        self._pools: dict[Path, str] = {}
        self._data: dict[int, bytes] = {}
        self._requests: list[tuple[Path, int, Usage, int]] = []
        self._closed = -1
        super().__init__(reader)

    def _enter(self, entry: Entry, data: bytes, paths: Paths) -> None:
        header = entry.header
        before = header.seq < self._position
        self._measure(entry, data, paths)
        if header.kind in _SPAWNS:
            payload, _ = decode_payload(header.media, data, header.seq)
            assert isinstance(payload, TaskSpawned | ThreadStarted)
            path = (*paths.of(header.task), (payload.label, payload.ordinal))
            self._note_pool(path, payload)
            if before:
                self.paths.spawned(header, payload.label, payload.ordinal)
        if before and header.kind not in {*_SPAWNS, "RunStarted"}:
            return
        if self.is_anew and header.kind != "RunStarted":
            return
        if header.answers is not None and header.kind in _ENDS:
            self._ended.add(header.answers)
        super()._enter(entry, data, paths)
        if not before and header.answers is None:
            path = paths.of(header.task)
            self._by_kind.setdefault((path, header.kind), []).append(header.seq)
            if path in self._pools:
                key = (self._pools[path], header.kind)
                self._by_pool.setdefault(key, []).append(header.seq)
            self._data[header.seq] = data

    def _enter_hole(self, entry: Entry, data: bytes, paths: Paths) -> None:
        """Forget what a payload would have said; who asks goes to the world."""
        if entry.header.answers is not None:
            self._gone.add(entry.header.answers)

    def _measure(self, entry: Entry, data: bytes, paths: Paths) -> None:
        """Read from a record what a request cost."""
        header = entry.header
        if header.kind == "RequestSent":
            usage = Usage(seq=header.seq)
            self._requests.append((paths.of(header.task), header.index, usage, len(data)))
        elif header.kind == "ResponseEnded" and header.answers is not None:
            self._closed = header.answers
        elif header.kind in _READ:
            payload, _ = decode_payload(header.media, data, header.seq)
            if isinstance(payload, EffectCancelled):
                self._closed = payload.effect
            elif isinstance(payload, PromptSent) and self._requests:
                self._change(self._requests[-1][2].seq, model=payload.model)
            elif isinstance(payload, ResponseReceived):
                tokens = {
                    "input_tokens": payload.input_tokens,
                    "output_tokens": payload.output_tokens,
                }
                self._change(self._closed, **tokens)

    def _change(self, seq: int, **fields: object) -> None:
        for number in range(len(self._requests) - 1, -1, -1):
            path, index, usage, size = self._requests[number]
            if usage.seq == seq:
                changed = msgspec.structs.replace(usage, **fields)
                self._requests[number] = (path, index, changed, size)
                return

    def _note_pool(self, path: Path, payload: TaskSpawned | ThreadStarted) -> None:
        found = _POOLED.fullmatch(payload.label) if isinstance(payload, ThreadStarted) else None
        if found is not None:
            self._pools[path] = found[1]

    # --- recalling ----------------------------------------------------------------------------

    def spawned(self, header: Header, payload: TaskSpawned | ThreadStarted) -> None:
        """Enter a task of the fork."""
        self._note_pool(self.paths.spawned(header, payload.label, payload.ordinal), payload)

    def find(self, path: Path, kind: str, index: int, data: bytes) -> int | None:
        """Return the seq of the recorded record that a task makes again, if there is one.

        Args:
            path: of the task.
            kind: of the record.
            index: among the records of that kind of its task.
            data: its payload.
        """
        exact = self.questions.get((path, kind, index))
        candidates = [] if exact is None else [exact[0]]
        candidates += self._by_kind.get((path, kind), ())
        if path in self._pools:
            candidates += self._by_pool.get((self._pools[path], kind), ())
        for seq in candidates:
            if seq in self._taken or seq in self._gone:
                continue
            if self._data.get(seq) == data:
                self._taken.add(seq)
                return seq
        return None

    def has_answer(self, seq: int) -> bool:
        """Return whether a question was answered in full."""
        return seq in self._ended

    def went_to(self, seq: int) -> tuple[str, str] | None:
        """Return scheme and host of a recorded request, if a response came from there."""
        for header, data in self.answers.get(seq, ()):
            if header.kind == "WireObserved":
                payload, _ = decode_payload(header.media, data, header.seq)
                if isinstance(payload, WireObserved) and payload.http_version:
                    return payload.scheme, payload.host
        return None

    def reading(self, path: Path, source: str, argument: str) -> Reading | None:
        """Return what a task read next of a source, unless something of it went live."""
        known = self.environment.get((source, argument))
        if known is not None:
            return known
        own = self.readings.get(path)
        if not own or path in self.gone_live:
            return None
        found = next((r for r in own if r.source == source and r.argument == argument), None)
        if found is not None:
            own.remove(found)
        return found

    @property
    def requests(self) -> tuple[Usage, ...]:
        """All requests of the recorded run, with what each cost."""
        return tuple(each[2] for each in self._requests)

    def like(self, path: Path, index: int, size_bytes: int) -> Usage | None:
        """Return the cost of the recorded request that is nearest: in task, index and size."""
        if not self._requests:
            return None
        return min(
            self._requests,
            key=lambda each: (
                each[0] != path,
                each[0][:-1] != path[:-1],
                abs(each[1] - index) if each[0] == path else 0,
                abs(each[3] - size_bytes),
                each[2].seq,
            ),
        )[2]
