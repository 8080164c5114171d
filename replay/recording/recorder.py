"""The recorder: the only writer of records, the same while recording and while replaying.

It gives each record its position, causes, Lamport time, index and commitment, and hands it to a
tape. While replaying the tape compares; nothing else differs. Readings that follow one another and
chunks that follow one another share a record, which stays open until any other record comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from replay.events.entry import Entry
from replay.events.header import encode_header
from replay.events.kinds import (
    ChunksReceived,
    EffectCancelled,
    OutputWritten,
    Payload,
    ProcessWrote,
    Reading,
    ReadingsTaken,
    kind_of,
)
from replay.events.payload import encode_head, split
from replay.recording.divergence import Diverged
from replay.recording.open_records import Asked, Draft, OpenChunks, OpenReadings, PendingOutput
from replay.recording.place import place
from replay.scheduler.ports import Halted
from replay.secrets.deltas import DeltaScrubber
from replay.secrets.patterns import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.events.header import Outcome
    from replay.events.kinds import SecretRegistered
    from replay.events.parts import PartTable
    from replay.recording.divergence import Divergence
    from replay.recording.open_records import Target
    from replay.recording.tape import Tape
    from replay.scheduler.actor import Actor
    from replay.scheduler.core import Scheduler
    from replay.secrets.scrub import Scrubber, StreamScrubber

__all__ = ["CHUNKS_BYTES_MAX", "READINGS_MAX", "Recorder"]

CHUNKS_BYTES_MAX: Final = 64 * 1024
READINGS_MAX: Final = 1024


class Recorder:
    """Makes the records of one run, in order."""

    def __init__(self, tape: Tape, parts: PartTable, scrubber: Scrubber, start: int) -> None:
        self.tape = tape
        self.scrubber = scrubber
        self.scheduler: Scheduler  # set once, by the session, before the first record of a task
        self.size = 0
        self.open: dict[int, Asked] = {}
        #: Claimed time of the last input.
        self.time = start
        #: Chunks in the record of chunks that came last, 0 once any other record came.
        self._chunk_count = 0
        self._parts = parts
        self._streams: dict[str, StreamScrubber] = {}
        self._group: OpenReadings | OpenChunks | None = None
        self._output: PendingOutput | None = None
        self.settle: Callable[[], None] = lambda: None
        #: Takes an input that nobody asked for, when it is on record; set by the stage.
        self.entered: Callable[[Payload], None] = lambda _: None
        #: How many spawns are announced; set by the ledger.
        self.announced: Callable[[], int] = lambda: 0
        #: Whether any secret is registered; kept here because every record asks.
        self.scrubbing = False

    # --- derived ------------------------------------------------------------------------------

    def derive(
        self,
        payload: Payload,
        body: bytes | None = None,
        *,
        actor: Actor | None = None,
        outcome: Outcome = "ok",
        where: str | None = None,
    ) -> int:
        """Record what the program did; return its seq.

        Args:
            payload: what it did.
            body: exact bytes that belong to it, if any.
            actor: who did it; whoever runs now, if not given.
            outcome: how it ended.
            where: the place in the program, if that is not where it is now.
        """
        self._begin()
        draft = self._draft(actor or self.scheduler.actor(), kind_of(payload))
        self._commit(draft, payload, body, outcome, where=where)
        return draft.seq

    def ask(self, payload: Payload, body: bytes | None, target: Target) -> Asked:
        """Record a question to the outside and keep it open until closed."""
        self._begin()
        actor = self.scheduler.actor()
        draft = self._draft(actor, kind_of(payload))
        self._commit(draft, payload, body, "ok")
        asked = self.open[draft.seq] = Asked(draft.seq, actor, draft.index, target)
        return asked

    def close(self, asked: Asked) -> None:
        """Close a question that was answered in full."""
        self.open.pop(asked.seq, None)

    def cancel(self, asked: Asked) -> bool:
        """Record that the program gave up on a question; late answers are dropped unlogged."""
        if self.open.pop(asked.seq, None) is None or self.scheduler.halted is not None:
            return False
        self.derive(EffectCancelled(effect=asked.seq), outcome="cancelled")
        return True

    def write(self, stream: str, data: bytes) -> None:
        """Take bytes that the program wrote; they become a record when the next one comes."""
        self._check_halted()
        if self.scheduler.unsettled:
            self._before()  # a task made before this was written does not know of it
        actor = self.scheduler.actor()
        output = self._output
        if output is not None and (output.actor is not actor or output.stream != stream):
            self._before()
            output = None
        if output is None:
            output = self._output = PendingOutput(actor, stream)
        marks = output.marks
        earlier = marks.pop()[1] if marks and marks[-1][0] == self._chunk_count else 0
        marks.append((self._chunk_count, earlier + len(data)))
        output.data.append(data)

    def register(self, secret: Secret) -> None:
        """Let a surrogate stand for a secret in every payload from now on."""
        self.scrubber.add(secret)
        self.scrubbing = True

    def register_surrogate(self, registered: SecretRegistered) -> None:
        """Know a surrogate from the record; the value stays unknown."""
        self.register(Secret(value=None, **msgspec.structs.asdict(registered)))

    # --- inputs -------------------------------------------------------------------------------

    def note(self, payload: Payload, body: bytes | None = None) -> int:
        """Record something about the run that the program does not see; return its seq."""
        self._begin()
        draft = self._draft(self.scheduler.actor(), kind_of(payload))
        self._commit(draft, payload, body, "ok")
        return draft.seq

    def answer(self, payload: Payload, body: bytes | None) -> int:
        """Record the answer to a question that was asked at this very point, such as a file.

        Args:
            payload: what is recorded.
            body: exact bytes that belong to it, if any.
        """
        self._begin()
        self.time = self.scheduler.now
        return self.note(payload, body)

    def deliver(
        self,
        asked: Asked | None,
        payload: Payload,
        body: bytes | None,
        outcome: Outcome,
        callbacks: int | None,
        seen: Payload | None = None,
    ) -> None:
        """Record an answer from outside and hand it to whoever asked.

        Args:
            asked: the question; None for what nobody asked for.
            payload: what is recorded.
            body: exact bytes that belong to it, if any.
            outcome: how it ended.
            callbacks: callbacks run since the last delivery, into a busy program only.
            seen: what the program gets, if not the payload.
        """
        self._begin()
        self.time = self.scheduler.now
        actor = self.scheduler.root if asked is None else asked.actor
        draft = self._draft(actor, kind_of(payload), asked, callbacks)
        if isinstance(payload, ProcessWrote) and asked is not None:
            # A secret may come piece by piece.
            kept = self._scrubbed_output(f"{asked.seq} {payload.stream}", body or b"")
            self._commit(draft, payload, kept, outcome, scrubbed=True)
        else:
            self._commit(draft, payload, body, outcome)
        if asked is None:
            self.entered(payload)
        else:
            before = self.scheduler.acting(actor)
            try:
                asked.target.receive(seen or payload, body or b"", outcome)
            finally:
                self.scheduler.acting(before)

    def deliver_chunk(
        self, asked: Asked, data: bytes, callbacks: int | None, *, fresh: bool | None = None
    ) -> None:
        """Record a chunk of a body, with the chunks before it if nothing came between.

        Args:
            asked: the exchange.
            data: exact bytes.
            callbacks: callbacks run since the last delivery, into a busy program only.
            fresh: whether the chunk begins a record; None lets the rules of recording decide.
        """
        group = self._group
        if fresh is None:
            fresh = not (
                isinstance(group, OpenChunks)
                and group.asked is asked
                and group.size < CHUNKS_BYTES_MAX
                and callbacks is None
                and group.draft.callbacks is None
            )
        if fresh or not isinstance(group, OpenChunks):
            self._before()
            self.time = self.scheduler.now
            draft = self._draft(asked.actor, "ChunksReceived", asked, callbacks)
            group = self._group = OpenChunks(draft, asked)
        kept = data
        if self.scrubbing:
            if asked.scrubber is None:
                asked.scrubber = DeltaScrubber(self.scrubber)
            kept = asked.scrubber.feed(data)
        group.chunks.append((len(kept), self.scheduler.now))
        group.data.append(kept)
        group.size += len(kept)
        self.time = self.scheduler.now
        self._chunk_count = len(group.chunks)
        before = self.scheduler.acting(asked.actor)
        try:
            asked.target.receive(_CHUNK, data, "ok")
        finally:
            self.scheduler.acting(before)

    def reading(self, reading: Reading, *, fresh: bool | None = None) -> None:
        """Record a reading, with those of the same actor before it if nothing came between."""
        scheduler = self.scheduler
        if scheduler.halted is not None:  # a call less: a program may read its clock in a loop
            self._check_halted()
        actor, group = scheduler.actor(), self._group
        if (
            fresh
            or type(group) is not OpenReadings
            or (fresh is None and (group.actor is not actor or len(group.readings) >= READINGS_MAX))
        ):
            self._before()
            self.time = reading.time
            group = self._group = OpenReadings(self._draft(actor, "ReadingsTaken"), actor)
        group.readings.append(reading)

    @property
    def open_chunks(self) -> Asked | None:
        """The exchange whose record of chunks is open."""
        group = self._group
        return group.asked if isinstance(group, OpenChunks) else None

    @property
    def output_waits(self) -> bool:
        """Whether output waits for an open record of readings to be closed."""
        return self._output is not None and isinstance(self._group, OpenReadings)

    @property
    def reading_actor(self) -> Actor | None:
        """The actor whose record of readings is open."""
        group = self._group
        return group.actor if isinstance(group, OpenReadings) else None

    def close_group(self) -> None:
        """Close the open record of readings or chunks."""
        group, self._group = self._group, None
        if group is None:
            return
        if isinstance(group, OpenReadings):
            self._commit(group.draft, ReadingsTaken(readings=tuple(group.readings)), None, "ok")
        else:
            head = ChunksReceived(chunks=tuple(group.chunks))
            # Scrubbed chunk by chunk already: cuts do not fall where the whole would be cut.
            self._commit(group.draft, head, b"".join(group.data), "ok", scrubbed=True)

    def flush(self) -> None:
        """Close what is open: the group, then the output written during it."""
        self._before()

    # --- the one way to a record --------------------------------------------------------------

    def _begin(self) -> None:
        """Let a record begin, unless the run was stopped: close what it closes."""
        scheduler = self.scheduler
        if scheduler.halted is not None:
            self._check_halted()
        self._chunk_count = 0
        if self._group is not None or self._output is not None or scheduler.unsettled:
            self._before()

    def _check_halted(self) -> None:
        if self.scheduler.halted is not None and (stopped := self.scheduler.stopped()):
            raise Halted from stopped

    def _before(self) -> None:
        """Close what another record closes: open group, pending output, announced spawns."""
        if self._group is not None:
            self.close_group()
        output = self._output
        if output is not None:
            self._output = None
            draft = self._draft(output.actor, "OutputWritten")
            head = OutputWritten(stream=output.stream, marks=tuple(output.marks))
            written = self._scrubbed_output(output.stream, b"".join(output.data))
            self._commit(draft, head, written, "ok", scrubbed=True, where=output.where)
        self._chunk_count = 0
        if self.scheduler.unsettled:
            self.settle()

    def _scrubbed_output(self, stream: str, data: bytes) -> bytes:
        """Scrub what was written: a secret may come out piece by piece, over several records."""
        if not self.scrubbing:
            return data
        scrubber = self._streams.get(stream)
        if scrubber is None:
            scrubber = self._streams[stream] = self.scrubber.stream()
        return self.scrubber.scrub(scrubber.feed(data))

    @property
    def pending_records(self) -> int:
        """How many records come before the next one: output and spawns not on record yet."""
        return (0 if self._output is None else 1) + self.announced()

    def _draft(
        self,
        actor: Actor,
        kind: str,
        asked: Asked | None = None,
        callbacks: int | None = None,
    ) -> Draft:
        seq = self.size
        self.size = seq + 1
        causes, lamport = actor.advance(seq)
        if asked is None:
            index = actor.counts.get(kind, 0)
            actor.counts[kind] = index + 1
            answers = part = None
        else:
            index, answers, part = asked.index, asked.seq, asked.parts
            asked.parts = part + 1
            if asked.seq not in causes:
                causes = tuple(sorted({*causes, asked.seq}))
        task, thread = actor.number, actor.participant
        time, trigger = self.time, self.scheduler.trigger
        return Draft(
            seq, kind, index, causes, lamport, task, thread, time, trigger, answers, part, callbacks
        )

    def _commit(
        self,
        draft: Draft,
        payload: Payload,
        body: bytes | None,
        outcome: Outcome,
        *,
        scrubbed: bool = False,
        where: str | None = None,
    ) -> None:
        head = encode_head(payload)
        if self.scrubbing:
            head = self.scrubber.scrub(head)
            if body and not scrubbed:
                body = self.scrubber.scrub(body)
        refs, brought, commitment, size = self._parts.commit(split(head, body))
        header = draft.header(commitment, size, "json" if body is None else "framed", outcome)
        raw, tape = encode_header(header), self.tape
        if tape.take(draft.kind, raw):
            return
        where = where or (place() if tape.wants_places else None)
        if where and self.scrubbing:  # a path may hold a secret
            where = self.scrubber.scrub(where.encode("utf-8", "replace")).decode("utf-8", "replace")
        entry = Entry(header=header, raw=raw, parts=refs, brought=brought, place=where)
        if (divergence := tape.put(entry)) is not None:
            self.diverge(divergence)

    def diverge(self, divergence: Divergence) -> None:
        """Fix the verdict and stop the program."""
        reason = Diverged(divergence)
        self.scheduler.halt(reason)
        raise Halted from reason


_CHUNK: Final = ChunksReceived(chunks=())
