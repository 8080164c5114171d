"""The comparer: the tape of a replay. It sees a recorded record only after the computed one.

Equal means equal header bytes, and a header binds its payload through the commitment, so nothing of
a recorded derived payload is needed to reach the recorded root. Payloads are read only to explain a
difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from replay.compare.contents import first_difference
from replay.compare.fields import changed_fields, nearest
from replay.errors import IntegrityError
from replay.events.kinds import CATALOGUE, role_of
from replay.recording.divergence import Category, Divergence, FieldChange
from replay.recording.place import place
from replay.sources.history import ErasedPayloadError
from replay.tree import Frontier, event_leaves

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from replay.events.entry import Entry, PartState
    from replay.sources.history import History

__all__ = ["Comparer", "KeepingComparer"]

#: How far ahead a record is looked for that the program did too early.
_LOOK_AHEAD: Final = 256
#: The tree grows by so many records at once, level by level.
_HASHED_AT_ONCE: Final = 512
_DERIVED: Final = frozenset(kind for kind, role in CATALOGUE.items() if role == "derived")
_CAUSAL: Final = ("causes", "lamport", "task", "participant", "trigger", "index", "time")


class Comparer:
    """Compares each computed record with the recorded one and keeps the replay's own tree.

    Args:
        history: the recorded run.
        places: finds the recorded place of a record in the user's program, for explanations.
    """

    wants_places = False

    def __init__(
        self,
        history: History,
        places: Callable[[int], str | None] = lambda _: None,
    ) -> None:
        self._history = history
        self._places = places
        self._frontier = Frontier()
        self._unhashed: list[bytes] = []
        self._size = 0
        self.derived_computed = 0
        #: The record that cannot be compared, because a part is gone with its salt, and why.
        self.erased_at: int | None = None
        self.erased_as: PartState = "erased"

    @property
    def root(self) -> bytes:
        """Root of the replay's own tree so far."""
        self._settle()
        return self._frontier.root()

    def frontier(self) -> Frontier:
        """Return a copy of the replay's own tree so far."""
        self._settle()
        return self._frontier.copy()

    @property
    def size(self) -> int:
        """Number of records that were equal so far."""
        return self._size

    def take(self, kind: str, raw: bytes) -> bool:
        """Compare the next computed record by its header bytes; False if they are not equal."""
        seq = self._size
        if self._history.take(seq) != raw:
            return False
        self._size = seq + 1
        if kind in _DERIVED:
            self.derived_computed += 1
        unhashed = self._unhashed
        unhashed.append(raw)
        if len(unhashed) == _HASHED_AT_ONCE:
            self._settle()
        return True

    def put(self, entry: Entry) -> Divergence | None:
        """Say how the next computed record differs from the recorded one."""
        seq = self._size
        recorded = self._history.whole(seq)
        gone = None if recorded is None else _gone(recorded, entry)
        if gone is not None:
            self.erased_at, self.erased_as = seq, gone
        return self._explain(entry, recorded)

    def _settle(self) -> None:
        """Let the tree grow over the records that were equal since it last did."""
        self._frontier.extend(event_leaves(self._unhashed))
        self._unhashed.clear()

    def after(self, seq: int, action: Callable[[], None]) -> None:
        """Run an action: a replay has nothing to wait for."""
        action()

    def missing(self, recorded: Entry) -> Divergence:
        """Return the divergence for a recorded record that the program did not bring."""
        header = recorded.header
        return Divergence(
            seq=header.seq,
            category="missing",
            recorded_kind=header.kind,
            replayed_kind=None,
            task=str(header.task),
            fields=tuple(self._only(recorded)),
            recorded_place=recorded.place or self._places(header.seq),
            note="the program waits or has ended where the recording goes on",
        )

    def _explain(self, computed: Entry, recorded: Entry | None) -> Divergence:
        header = computed.header
        data = b"".join(part.data or b"" for part in computed.brought)
        whole = self._computed_payload(computed)
        candidate = self._candidate(computed, recorded, whole or data)
        if recorded is None:
            return Divergence(
                seq=header.seq,
                category="extra",
                recorded_kind=None,
                replayed_kind=header.kind,
                task=str(header.task),
                fields=changed_fields(None, whole or data),
                replayed_place=computed.place or place(),
                candidate=candidate,
                note="the recording ends here",
            )
        gone = self._incomparable(recorded, computed)
        # Against nothing every field would seem to differ, and header fields alone to be all.
        fields = () if gone is not None else self._header_changes(recorded, computed)
        category: Category = "changed"
        if recorded.header.kind != header.kind:
            category = "order" if candidate is not None else "extra"
            if role_of(header.kind) in {"answered", "delivered"}:
                category = "missing"
        else:
            if gone is None:
                fields += changed_fields(self._payload(recorded), whole or data)
            if role_of(header.kind) in {"answered", "delivered"}:
                category = "missing"  # inputs are copied: one that differs was cut short
            elif candidate not in {None, header.seq} and self._is_at(candidate, whole):
                category = "order"
        return Divergence(
            seq=header.seq,
            category=category,
            recorded_kind=recorded.header.kind,
            replayed_kind=header.kind,
            task=str(header.task),
            fields=fields,
            recorded_place=recorded.place or self._places(header.seq),
            replayed_place=computed.place or place(),
            candidate=candidate,
            note=self._note(recorded, computed, whole, gone),
        )

    def _note(self, recorded: Entry, computed: Entry, whole: bytes | None, gone: str | None) -> str:
        kind = computed.header.kind
        if gone is not None:
            how = "is missing" if gone == "missing" else f"was {gone}"
            return (
                f"the payload of event {recorded.header.seq} {how}; its content cannot be compared"
            )
        if role_of(kind) != "derived":
            return "the program did something before this input was complete"
        if kind == recorded.header.kind == "FileWritten":
            return first_difference(self._payload(recorded), whole)
        return ""

    def _header_changes(self, recorded: Entry, computed: Entry) -> tuple[FieldChange, ...]:
        pairs = (
            (name, getattr(recorded.header, name), getattr(computed.header, name))
            for name in _CAUSAL
        )
        return tuple(
            FieldChange(f"header.{name}", _text(before), _text(after))
            for name, before, after in pairs
            if before != after
        )

    def _candidate(self, computed: Entry, recorded: Entry | None, data: bytes) -> int | None:
        """Return the seq of the recorded record of this kind whose payload is nearest."""
        found: list[tuple[int, bytes]] = []
        first = computed.header.seq
        for seq in range(first, min(first + _LOOK_AHEAD, self._history.size)):
            entry = recorded if seq == first else self._history.entry(seq)
            if entry is not None and entry.header.kind == computed.header.kind:
                payload = self._payload(entry)
                if payload is not None:
                    found.append((seq, payload))
        return nearest(found, data)

    def _is_at(self, seq: int | None, data: bytes | None) -> bool:
        entry = None if seq is None else self._history.entry(seq)
        return entry is not None and data is not None and self._payload(entry) == data

    def _incomparable(self, recorded: Entry, computed: Entry) -> str | None:
        """Return why the recorded payload is gone, if it is and is another; None if not."""
        before, after = recorded.header, computed.header
        if before.kind != after.kind or before.commitment == after.commitment:
            return None
        try:
            self._history.raw_payload(recorded)
        except ErasedPayloadError as error:
            return error.state
        return None

    def _payload(self, entry: Entry) -> bytes | None:
        try:
            return self._history.raw_payload(entry)
        except IntegrityError:
            return None  # a stripped or erased payload explains nothing, and that is no error

    def _computed_payload(self, entry: Entry) -> bytes | None:
        """Put the computed payload together; parts met before are found in the recording."""
        own = {part.ordinal: part.data for part in entry.brought}
        if any(own.get(ordinal) is None for ordinal in entry.parts):
            try:
                return self._history.raw_payload(entry)
            except IntegrityError:
                return None
        return b"".join(own[ordinal] or b"" for ordinal in entry.parts)

    def _only(self, recorded: Entry) -> Sequence[FieldChange]:
        payload = self._payload(recorded)
        return () if payload is None else changed_fields(payload, None)


class KeepingComparer(Comparer):
    """Compares as a comparer does, and keeps each record that is equal.

    Args:
        history: the recorded run.
        places: finds the recorded place of a record in the user's program, for explanations.
        keep: takes each record for the replay's own log.
    """

    def __init__(
        self,
        history: History,
        places: Callable[[int], str | None],
        keep: Callable[[Entry], None],
    ) -> None:
        super().__init__(history, places)
        self._keep = keep

    def take(self, kind: str, raw: bytes) -> bool:
        """Ask for the whole record: it is to be kept."""
        return False

    def put(self, entry: Entry) -> Divergence | None:
        """Compare the next computed record; keep it, or say how it differs."""
        if not super().take(entry.header.kind, entry.raw):
            return super().put(entry)
        self._keep(entry)
        return None


def _gone(recorded: Entry, computed: Entry) -> PartState | None:
    """Return why a part is gone with its salt, if nothing but the commitment differs."""
    states = [part.state for part in recorded.brought if part.data is None and not part.salt]
    commitment = computed.header.commitment
    same = msgspec.structs.replace(recorded.header, commitment=commitment) == computed.header
    return states[0] if states and same else None


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
