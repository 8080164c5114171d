"""Actors: who owns an entry in the causal clock, and what it knows.

An actor is a task, a worker thread or the main thread. Its records form a chain. A hand-over
(wake-up, lock, queue item, result) gives the receiver the giver's knowledge; the receiver's next
record names it as a cause. This module only keeps that bookkeeping.
"""

from __future__ import annotations

from typing import TypeAlias

__all__ = ["Actor", "Stamp"]

#: Knowledge at a moment: the actor, its last record, the Lamport time, and what it was given since.
Stamp: TypeAlias = "tuple[Actor, int, int, tuple[tuple[Actor, int], ...]]"


class Actor:
    """One owner of records.

    Attributes:
        number: seq of the record that spawned it; -1 until that record exists.
        participant: number of the thread it runs on.
        parent: the actor that spawned it; None for the main thread.
        label, ordinal: step of the spawn path: name among siblings, position among equals.
        last: seq of its last record, -1 before the first.
        lamport: Lamport time of its last record or of what it was given, whichever is later.
        ended: whether no further record of it can come.
        coroutine: what it runs, for arguments and await chains; None for threads.
    """

    __slots__ = (
        "__weakref__",
        "_given",
        "children",
        "coroutine",
        "counts",
        "ended",
        "failure",
        "label",
        "lamport",
        "last",
        "number",
        "ordinal",
        "parent",
        "participant",
        "seed",
    )

    def __init__(self, parent: Actor | None, participant: int) -> None:
        self.number = -1
        self.parent = parent
        self.participant = participant
        self.label = ""
        self.ordinal = 0
        self.seed = b""
        self.last = -1
        self.lamport = -1
        self.ended = False
        self.failure: BaseException | None = None
        self.coroutine: object = None
        # Written only by the recorder: records so far by kind, children so far by label.
        self.counts: dict[str, int] = {}
        self.children: dict[str, int] = {}
        self._given: dict[Actor, int] = {}

    def path(self) -> tuple[tuple[str, int], ...]:
        """Return the spawn path: (label, ordinal) from the main thread down."""
        steps: list[tuple[str, int]] = []
        actor: Actor | None = self
        while actor is not None and actor.parent is not None:
            steps.append((actor.label, actor.ordinal))
            actor = actor.parent
        return tuple(reversed(steps))

    def stamp(self) -> Stamp:
        """Return what this actor knows now."""
        given = self._given
        return (self, self.last, self.lamport, tuple(given.items()) if given else ())

    def receive(self, stamp: Stamp) -> None:
        """Take over what another actor knew at a moment, and nothing that it did later."""
        giver, last, lamport, more = stamp
        if giver is self:
            return
        given = self._given
        if last > given.get(giver, -1):
            given[giver] = last
        for actor, seq in more:
            if actor is not self and seq > given.get(actor, -1):
                given[actor] = seq
        self.lamport = max(self.lamport, lamport)

    def receive_end(self, stamp: Stamp) -> None:
        """Take over another actor's knowledge, and its end if it has ended.

        For callbacks: those of a finished task are put in line before its end is recorded, and
        run after that.
        """
        giver = stamp[0]
        self.receive(giver.stamp() if giver.ended else stamp)

    def learn(self, actor: Actor, seq: int, lamport: int) -> None:
        """Take over the knowledge of one record."""
        if seq > self._given.get(actor, -1):
            self._given[actor] = seq
        self.lamport = max(self.lamport, lamport)

    def advance(self, seq: int) -> tuple[tuple[int, ...], int]:
        """Enter a record of this actor; return its causes, ascending, and its Lamport time."""
        given = self._given
        if given:
            causes = set(given.values())
            if self.last >= 0:
                causes.add(self.last)
            listed = tuple(sorted(causes))
            given.clear()
        else:
            listed = (self.last,) if self.last >= 0 else ()
        self.last = seq
        self.lamport += 1
        return listed, self.lamport
