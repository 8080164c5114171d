"""One run made ready for comparison: a key and a digest for each thing that happened.

The one invariant: one pass, and memory that grows with the number of records and not with what they
hold. What follows one another by chance of timing is one item here: the chunks of an answer, the
output of a task between two other things that it did; readings are taken apart.
"""

from __future__ import annotations

import hashlib
from array import array
from typing import TYPE_CHECKING, Final

import msgspec

from replay.errors import IntegrityError, UsageError
from replay.events.kinds import (
    CATALOGUE,
    CodeLoaded,
    EffectCancelled,
    FileWritten,
    OutputWritten,
    Payload,
    ProcessFed,
    ProcessSignalled,
    PromptSent,
    ReadingsTaken,
    ResponseReceived,
    RunEnded,
    RunSealed,
    RunStarted,
    SecretRegistered,
    SecretSuspected,
    TaskSpawned,
    ThreadStarted,
    ToolCalled,
)
from replay.events.payload import decode_payload
from replay.forensics.diff.contents import DIGEST_SIZE, Contents, digest_of
from replay.forensics.diff.totals import Totals

if TYPE_CHECKING:
    from replay.events.entry import Entry
    from replay.events.header import Header
    from replay.forensics.diff.names import Identity, Names
    from replay.forensics.diff.rules import Rules
    from replay.log.port import LogReader

__all__ = ["DIGEST_ONLY", "FACTS", "HOLE", "READ", "RECORDS_MAX", "RunIndex"]

RECORDS_MAX: Final = 2_000_000
ITEMS_MAX: Final = 4_000_000
CAUSES_MAX: Final = 40_000_000

#: Flags of an item: a part of it is not here; a file that is on record as a keyed digest; an answer
#: of an exchange that a dialect reads; one that it has read.
HOLE, DIGEST_ONLY, READ, FACTS = 1, 2, 4, 8

_LOOKED_INTO: Final = frozenset(
    str(kind.__struct_config__.tag)
    for kind in (
        *(RunStarted, RunEnded, RunSealed, TaskSpawned, ThreadStarted, ReadingsTaken),
        *(OutputWritten, FileWritten, CodeLoaded, ResponseReceived, ToolCalled, PromptSent),
        *(SecretRegistered, SecretSuspected, EffectCancelled, ProcessFed, ProcessSignalled),
    )
)
_ENCODER: Final = msgspec.json.Encoder()


class RunIndex:
    """One run, item by item.

    Attributes:
        keys, seqs, digests, flags: of each item, in log order; see the flags.
        by_key: item by key.
        item_of: the first item of each record, -1 where it belongs to an earlier one.
        heard: digest of the tasks that an item heard from, where there are any.
        more: further records of an item that has several.
        totals: what the run did and spent, by task and as a whole.
        facts: of an answer, what a dialect read in it.
        contents: reads its payloads.
    """

    def __init__(self, reader: LogReader, names: Names, rules: Rules) -> None:
        size = reader.size()
        if size > RECORDS_MAX:
            raise UsageError(f"a run of {size} records; at most {RECORDS_MAX} are compared")
        self.reader, self.names, self.rules = reader, names, rules
        self.contents = Contents(reader, ids=rules.ids)
        self.totals = Totals()
        self.size = 0
        self.keys: list[Identity] = []
        self.seqs = array("q")
        self.digests = bytearray()
        self.flags = bytearray()
        self.by_key: dict[Identity, int] = {}
        self.heard: dict[int, bytes] = {}
        self.more: dict[int, array[int]] = {}
        self.facts: dict[int, int] = {}
        self.item_of = array("q")
        self.commitments: dict[int, bytes] = {}
        #: By record: the path of its task, its kind, and where its causes begin.
        self.path_of = array("q")
        self.kind_of = array("q")
        self.causes = array("q")
        self.causes_from = array("q", [0])
        self._paths: dict[int, int] = {0: 0}
        self._pool = 0
        self._counts: dict[tuple[int, int], int] = {}
        self._again: dict[Identity, int] = {}
        # By item: what is not complete yet.
        self._open: dict[int, hashlib.blake2b] = {}
        # By question: its chunks, -1 where a dialect reads it and none came yet.
        # By task: the output it is writing.
        self._chunks: dict[int, int] = {}
        self._output: dict[int, tuple[int, str]] = {}
        # By task: the exchange it is in.
        self._current: dict[int, int] = {}
        for entry in reader.entries():
            self._enter(entry)
        for item in list(self._open):
            self._close(item)

    # --- one record -----------------------------------------------------------------------------

    def _enter(self, entry: Entry) -> None:
        header, seq = entry.header, self.size
        if header.seq != seq or seq >= RECORDS_MAX:
            raise IntegrityError("positions do not follow", where=f"event {seq}")
        self.contents.take(entry)
        payload, body = self._look(entry)
        path = self._path(header, payload)
        self._link(header, path)
        self.size = seq + 1
        before = len(self.keys)
        if isinstance(payload, ReadingsTaken):
            self._readings(header, path, payload)
        elif header.kind == "ChunksReceived" and header.answers is not None:
            self._chunk(entry, path, header.answers)
        elif isinstance(payload, OutputWritten):
            self._written(entry, path, payload, body)
        else:
            self._plain(entry, path, payload)
        if len(self.keys) > ITEMS_MAX:
            raise UsageError(f"a run of more than {ITEMS_MAX} readings and records")
        self.item_of.append(before if len(self.keys) > before else -1)
        if len(self.keys) > before and header.kind not in {"ReadingsTaken", "OutputWritten"}:
            known = self._output.pop(path, None)
            if known is not None:
                self._close(known[0])
        self.totals.add(header, path, payload, body)

    def _look(self, entry: Entry) -> tuple[Payload | None, bytes]:
        header = entry.header
        if header.kind not in _LOOKED_INTO or not self.contents.complete(entry):
            return None, b""
        return decode_payload(header.media, self.contents.data(entry), header.seq)

    def _path(self, header: Header, payload: Payload | None) -> int:
        """Return the path of a record; the spawn of a task belongs to the task."""
        if header.task in self._paths:
            path = self._paths[header.task]
        else:  # its spawn is no spawn, or erased
            path = self._paths[header.task] = self.names.child(0, "?", header.task)
        if isinstance(payload, ThreadStarted) and payload.label == _POOL:
            # The pool is the run's, and who was the first to need it is chance.
            path = self._paths[header.seq] = self.names.child(0, _POOL, self._pool)
            self._pool += 1
        elif isinstance(payload, TaskSpawned | ThreadStarted):
            path = self.names.child(path, payload.label, payload.ordinal)
            self._paths[header.seq] = path
        return path

    def _link(self, header: Header, path: int) -> None:
        causes, seq = header.causes, header.seq
        if causes and not 0 <= min(causes) <= max(causes) < seq:
            raise IntegrityError("causes do not follow", where=f"event {seq}")
        self.causes.extend(causes)
        if len(self.causes) > CAUSES_MAX:
            raise UsageError(f"a run of more than {CAUSES_MAX} causes")
        self.causes_from.append(len(self.causes))
        self.path_of.append(path)
        self.kind_of.append(self.names.kind(header.kind))

    def _item(self, header: Header, path: int, kind: str, index: int, digest: bytes) -> int:
        """Add an item; return its number."""
        base = self.names.key(path, self.names.kind(kind), index)
        key, nth = base, 0
        if base in self.by_key:
            nth = self._again.get(base, 1)
            self._again[base] = nth + 1
            key = base + nth
        item = self.by_key[key] = len(self.keys)
        self.keys.append(key)
        self.seqs.append(header.seq)
        self.digests += digest
        self.flags.append(0)
        others = {self.path_of[cause] for cause in header.causes} - {self.path_of[header.seq]}
        if others:
            names = " ".join(str(number) for number in sorted(others))
            self.heard[item] = digest_of(names.encode())
        return item

    def _next(self, path: int, kind: str) -> int:
        place = path, self.names.kind(kind)
        index = self._counts.get(place, 0)
        self._counts[place] = index + 1
        return index

    # --- sorts of records -----------------------------------------------------------------------

    def _plain(self, entry: Entry, path: int, payload: Payload | None) -> None:
        header, kind = entry.header, entry.header.kind
        if header.answers is not None:
            index = self._index_of(header.answers, header.seq)
        else:
            index = self._next(path, kind)
        item = self._item(header, path, kind, index, b"\0" * DIGEST_SIZE)
        if not self.contents.complete(entry):
            self._fix(item, digest_of(header.commitment.encode()), HOLE, header)
            return
        if isinstance(payload, FileWritten) and payload.digest is not None:
            shape = _ENCODER.encode((payload.path, payload.mode, payload.offset, payload.size))
            self._fix(item, digest_of(shape), DIGEST_ONLY, header)
            return
        self._learn(item, payload)
        headers, paths = self.rules.fields(kind, self.names.path_text(path))
        digest = self.contents.digest(entry, headers, (*paths, *_REFERENCES.get(kind, ())))
        target = _target(payload)
        if target is not None:
            digest = digest_of(digest, self.name_of(target).encode())
        self._fix(item, digest, 0, header)
        self._exchange(header, path, item, payload)

    def _exchange(self, header: Header, path: int, item: int, payload: Payload | None) -> None:
        """Follow the exchange that a task is in, and what a dialect reads in it."""
        if header.kind == "RequestSent":
            self._current[path] = header.seq
        elif header.kind == "ResponseEnded" and header.answers is not None:
            self._current[path] = header.answers
            self._close(self._chunks.get(header.answers, -1))
        elif isinstance(payload, PromptSent) and path in self._current:
            # What answers it will be read by the dialect too.
            self._chunks.setdefault(self._current[path], -1)
        elif isinstance(payload, ResponseReceived | ToolCalled) and self.rules.ids:
            chunks = self._chunks.get(self._current.get(path, -1), -1)
            if chunks >= 0:
                # The answer is what was read in it, from its first chunk on.
                self._close(chunks)
                known = self.digest(chunks) if self.flags[chunks] & FACTS else b""
                start = chunks * DIGEST_SIZE
                digest = digest_of(known, self.digest(item))
                self.digests[start : start + DIGEST_SIZE] = digest
                self.flags[chunks] |= FACTS
                self.facts.setdefault(chunks, item)

    def _learn(self, item: int, payload: Payload | None) -> None:
        """Take the ids that a record gives, and what they name."""
        if isinstance(payload, ToolCalled):
            self.contents.name_id(payload.call_id, self.names.text(self.keys[item]))
        elif isinstance(payload, ResponseReceived):
            self.contents.name_id(payload.response_id, self.names.text(self.keys[item]))
        elif isinstance(payload, SecretRegistered):
            self.contents.name_surrogate(payload.surrogate, payload.number)

    def _fix(self, item: int, digest: bytes, flag: int, header: Header) -> None:
        self.digests[item * DIGEST_SIZE : (item + 1) * DIGEST_SIZE] = digest
        self.flags[item] |= flag
        if flag:
            self.commitments[item] = digest_of(header.commitment.encode())

    def _readings(self, header: Header, path: int, payload: ReadingsTaken) -> None:
        """Take readings apart by source; those of an ignored one stay together."""
        together: dict[str, list[bytes]] = {}
        task = self.names.path_text(path)
        for reading in payload.readings:
            argument = f" {reading.argument}" if reading.argument else ""
            source = reading.source + argument
            value = self.contents.plain(bytes(reading.value))
            if self.rules.whole("ReadingsTaken", task, source, read=False) is not None:
                together.setdefault(source, []).append(value)
            else:
                kind = f"ReadingsTaken {source}"
                # Who is the first to ask what is asked once a run, is chance.
                asker = 0 if source.startswith(_ONCE) else path
                self._item(header, asker, kind, self._next(asker, kind), digest_of(value))
        for source, values in together.items():
            kind = f"ReadingsTaken {source}"
            self._item(header, path, kind, self._next(path, kind), digest_of(*values))

    def _chunk(self, entry: Entry, path: int, question: int) -> None:
        header, kind = entry.header, "ChunksReceived"
        known = self._chunks.get(question)
        if known is None or known < 0:
            item = self._item(header, path, kind, self._index_of(question, header.seq), _NONE)
            self._open[item] = hashlib.blake2b(digest_size=DIGEST_SIZE)
            self.flags[item] |= 0 if known is None else READ
            self._chunks[question] = item
        else:
            item = known
            self.more.setdefault(item, array("q")).append(header.seq)
        if not self.contents.complete(entry):
            self._fix(item, _NONE, HOLE, header)
        elif self._has_body(kind, path):
            _, _, body = self.contents.data(entry).partition(b"\n")
            self._open[item].update(body)

    def _written(self, entry: Entry, path: int, payload: OutputWritten, body: bytes) -> None:
        header = entry.header
        known = self._output.get(path)
        if known is None or known[1] != payload.stream:
            kind = "OutputWritten"
            item = self._item(header, path, kind, self._next(path, kind), _NONE)
            self._open[item] = hashlib.blake2b(payload.stream.encode(), digest_size=DIGEST_SIZE)
            if known is not None:
                self._close(known[0])
            self._output[path] = item, payload.stream
        else:
            item = known[0]
            self.more.setdefault(item, array("q")).append(header.seq)
        if self._has_body("OutputWritten", path):
            self._open[item].update(self.contents.plain(body))

    def _has_body(self, kind: str, path: int) -> bool:
        """Return whether no rule ignores the bodies of a kind."""
        _, paths = self.rules.fields(kind, self.names.path_text(path))
        return ("body",) not in paths and (None,) not in paths

    def _close(self, item: int) -> None:
        hasher = self._open.pop(item, None)
        if hasher is not None and not self.flags[item] & HOLE:
            start = item * DIGEST_SIZE
            self.digests[start : start + DIGEST_SIZE] = hasher.digest()

    # --- names of records -----------------------------------------------------------------------

    def _index_of(self, question: int, seq: int) -> int:
        if question >= seq or self.item_of[question] < 0:
            raise IntegrityError("answers what is no question", where=f"event {seq}")
        return self.names.parts(self.keys[self.item_of[question]])[2]

    def name_of(self, seq: int) -> str:
        """Return the identity of a record as text, for comparing references to it."""
        item = self.item_of[seq] if 0 <= seq < len(self.item_of) else -1
        return str(seq) if item < 0 else self.names.text(self.keys[item])

    def digest(self, item: int) -> bytes:
        """Return the digest of an item."""
        return bytes(self.digests[item * DIGEST_SIZE : (item + 1) * DIGEST_SIZE])


_NONE: Final = b"\0" * DIGEST_SIZE
#: Sources that are asked once a run for each argument, and the label of the threads of the pool.
_ONCE: Final = ("env", "process.")
_POOL: Final = "executor"
#: Fields that name another record by its position, compared by that record's identity; and what
#: is a task's name already.
_REFERENCES: Final[dict[str, tuple[tuple[str], ...]]] = {
    "EffectCancelled": (("effect",),),
    "TaskSpawned": (("label",), ("ordinal",)),
    "ThreadStarted": (("label",), ("ordinal",)),
    "ProcessFed": (("process",),),
    "ProcessSignalled": (("process",),),
    "SecretSuspected": (("record",),),
}


def _target(payload: Payload | None) -> int | None:
    match payload:
        case EffectCancelled():
            return payload.effect
        case ProcessFed() | ProcessSignalled():
            return payload.process
        case SecretSuspected():
            return payload.record
        case _:
            return None


assert frozenset(CATALOGUE) >= _LOOKED_INTO
