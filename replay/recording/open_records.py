"""What is under way while a run goes on: open questions, and records that are not complete yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from replay.events.header import Header
from replay.recording.place import place

if TYPE_CHECKING:
    from replay.events.header import Media, Outcome, Trigger
    from replay.events.kinds import Payload, Reading
    from replay.scheduler.actor import Actor
    from replay.secrets.deltas import DeltaScrubber

__all__ = ["Asked", "Draft", "OpenChunks", "OpenReadings", "PendingOutput", "Target"]


class Target(Protocol):
    """Who waits for the answers to a question."""

    def receive(self, payload: Payload, body: bytes, outcome: Outcome) -> None:
        """Take one answer; runs on the schedule, as the actor that asked."""
        ...


class Asked:
    """A question that is open: an effect or an exchange in flight."""

    __slots__ = ("actor", "index", "parts", "scrubber", "seq", "target")

    def __init__(self, seq: int, actor: Actor, index: int, target: Target) -> None:
        self.seq = seq
        self.actor = actor
        self.index = index
        self.target = target
        self.parts = 0
        self.scrubber: DeltaScrubber | None = None


class Draft(msgspec.Struct, gc=False):
    """What is fixed about a record when it begins, before its payload is complete."""

    seq: int
    kind: str
    index: int
    causes: tuple[int, ...]
    lamport: int
    task: int
    participant: int
    time: int
    trigger: Trigger
    answers: int | None
    part: int | None
    callbacks: int | None

    def header(self, commitment: str, size: int, media: Media, outcome: Outcome) -> Header:
        """Make the header; the usual defaults are not passed, which costs a third."""
        if self.answers is None and self.callbacks is None and outcome == "ok":
            return Header(
                causes=self.causes,
                commitment=commitment,
                index=self.index,
                kind=self.kind,
                lamport=self.lamport,
                media=media,
                participant=self.participant,
                seq=self.seq,
                size=size,
                task=self.task,
                time=self.time,
                trigger=self.trigger,
                v=1,
            )
        return Header(
            answers=self.answers,
            callbacks=self.callbacks,
            causes=self.causes,
            commitment=commitment,
            index=self.index,
            kind=self.kind,
            lamport=self.lamport,
            media=media,
            outcome=outcome,
            part=self.part,
            participant=self.participant,
            seq=self.seq,
            size=size,
            task=self.task,
            time=self.time,
            trigger=self.trigger,
            v=1,
        )


class OpenReadings:
    """An open record of readings."""

    def __init__(self, draft: Draft, actor: Actor) -> None:
        self.draft = draft
        self.actor = actor
        self.readings: list[Reading] = []


class OpenChunks:
    """An open record of chunks of one exchange."""

    def __init__(self, draft: Draft, asked: Asked) -> None:
        self.draft = draft
        self.asked = asked
        self.chunks: list[tuple[int, int]] = []
        self.data: list[bytes] = []
        self.size = 0


class PendingOutput:
    """Bytes written since the last record."""

    def __init__(self, actor: Actor, stream: str) -> None:
        self.actor = actor
        self.stream = stream
        self.marks: list[tuple[int, int]] = []
        self.data: list[bytes] = []
        #: Where in the program the first of them were written.
        self.where = place()
