"""Valid chains of records for tests of stores: seeded, and made by the real encoders."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec

from replay.events.entry import Entry
from replay.events.header import Header, encode_header
from replay.events.kinds import (
    EffectReturned,
    EffectStarted,
    OutputWritten,
    Payload,
    RequestSent,
    RunSealed,
    RunStarted,
)
from replay.events.parts import PartTable
from replay.events.payload import encode_head, split

__all__ = ["Chain", "chain", "lean_lines", "lean_lines_of"]

_START_TIME = 1_790_000_000_000_000


class Chain:
    """Makes the records of one run, one after another.

    A chat that grows repeats its earlier messages, so payloads share parts; some records name a
    place, some parts are public (no salt), some tasks are others' children.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        run: str = "01JDTESTRUN0000000000000",
        cut: Callable[[bytes, bytes | None], list[bytes]] = split,
    ) -> None:
        self.cut = cut
        self.random = random.Random(seed)
        self.run = run
        self.table = PartTable(self._salt)
        self.seq = 0
        self.lamports: list[int] = []
        self.indices: dict[tuple[int, str], int] = {}
        self.messages: list[str] = []

    def _salt(self, ordinal: int) -> bytes:
        return b"" if ordinal % 11 == 10 else self.random.randbytes(16)

    def next(self, size: int | None = None) -> Entry:
        """Make the next record; ``size`` asks for an effect with about that many bytes."""
        if self.seq == 0:
            return self.record(
                RunStarted(
                    run=self.run,
                    entry="command",
                    arguments=("python", "agent.py"),
                    directory="/tmp/here",
                    seed="00" * 16,
                    flags={},
                    monotonic=0,
                    versions=(("python", "3.11.7"),),
                    dialects=(),
                    hash_seed="0",
                )
            )
        if size is not None:
            return self.record(EffectStarted(name="tool", arguments=_json("x" * size)))
        choice = self.random.randrange(4)
        if choice == 0:
            self.messages.append(f"message {self.seq} \N{SNOWMAN} " * self.random.randrange(1, 9))
            body = msgspec.json.encode(
                {"model": "m", "messages": [{"role": "user", "content": m} for m in self.messages]}
            )
            request = RequestSent(
                method="POST", path="/v1/messages", query="", headers=(), credentials=()
            )
            return self.record(request, body)
        if choice == 1:
            return self.record(EffectReturned(value=_json(self.random.random())))
        if choice == 2:
            body = self.random.randbytes(self.random.randrange(40_000))
            return self.record(OutputWritten(stream="stdout", marks=((0, len(body)),)), body)
        return self.record(EffectStarted(name="search", arguments=_json({"q": self.seq})))

    def take(self, count: int) -> list[Entry]:
        """Make the next ``count`` records."""
        return [self.next() for _ in range(count)]

    def seal(self) -> Entry:
        """Make the last record of the run."""
        return self.record(RunSealed(reason="completed", events=self.seq + 1))

    def record(self, payload: Payload, body: bytes | None = None) -> Entry:
        """Make a record of a payload, with everything else about it drawn at random."""
        seq, draw = self.seq, self.random
        refs, brought, commitment, size = self.table.commit(self.cut(encode_head(payload), body))
        kind = type(payload).__name__
        causes = tuple(sorted({seq - 1, draw.randrange(seq)})) if seq else ()
        lamport = 1 + max((self.lamports[cause] for cause in causes), default=-1)
        task = draw.choice((0, 0, 0, 1)) if seq > 1 else 0
        index = self.indices.get((task, kind), 0)
        self.indices[task, kind] = index + 1
        delivered = isinstance(payload, EffectReturned)
        header = Header(
            answers=draw.randrange(seq) if delivered else None,
            callbacks=draw.choice((None, 10_000)) if delivered else None,
            causes=causes,
            commitment=commitment,
            index=index,
            kind=kind,
            lamport=lamport,
            media="json" if body is None else "framed",
            outcome=draw.choice(("ok", "error")) if delivered else "ok",
            part=0 if delivered else None,
            participant=0,
            principal=0 if draw.random() < 0.1 else None,
            seq=seq,
            size=size,
            task=task,
            time=_START_TIME + seq,
            trigger="delivery" if seq else "start",
            v=1,
        )
        self.seq += 1
        self.lamports.append(lamport)
        return Entry(
            header=header,
            raw=encode_header(header),
            parts=refs,
            brought=brought,
            place=f"agent.py:{seq} “main”" if draw.random() < 0.5 else None,
        )


def chain(count: int, seed: int = 0) -> list[Entry]:
    """Return the first ``count`` records of the run with this seed."""
    return Chain(seed).take(count)


def lean_lines(store, wanted, **options) -> list[Entry | bytes]:
    """The lines of a lean reading; of those that come whole, a store may leave out the place."""
    lines = (line for batch in store.lean(frozenset(wanted), **options) for line in batch)
    return [line if isinstance(line, bytes) else _placeless(line) for line in lines]


def lean_lines_of(entries: list[Entry], wanted) -> list[Entry | bytes]:
    """What a lean reading of these entries is."""
    return [_placeless(e) if e.header.kind in wanted else e.raw for e in entries]


def _placeless(entry: Entry) -> Entry:
    return msgspec.structs.replace(entry, place=None)


def _json(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
