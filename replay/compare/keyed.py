"""Comparison by identity: the tape of a keyed replay.

A task that is spawned under a recorded identity with other arguments, or a question that asks
something else, stops the replay at once: it must not get an answer that was given to another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replay.compare.fields import changed_fields
from replay.events.kinds import TaskSpawned, ThreadStarted
from replay.events.payload import decode_payload
from replay.recording.divergence import Divergence
from replay.recording.place import place
from replay.sources.identity import Paths

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.events.entry import Entry
    from replay.sources.identity import Identity, IdentityIndex
    from replay.sources.keyed import KeyedInputs

__all__ = ["KeyedComparer"]

_QUESTIONS: Final = frozenset({"RequestSent", "EffectStarted", "ProcessStarted"})
_COMPARED: Final = _QUESTIONS | {"TaskSpawned"}


class KeyedComparer:
    """Compares spawns and questions with the recorded ones of the same identity."""

    wants_places = False

    def __init__(self, index: IdentityIndex) -> None:
        self._index = index
        self._paths = Paths()
        self._parts: dict[int, bytes] = {}
        self.inputs: KeyedInputs
        self.matched = 0
        self.asked: set[Identity] = set()

    def take(self, kind: str, raw: bytes) -> bool:
        """Ask for the whole record: identity stands in its payload."""
        return False

    def put(self, entry: Entry) -> Divergence | None:
        """Compare a computed record, if it is of a kind that carries identity."""
        header = entry.header
        for part in entry.brought:
            self._parts[part.ordinal] = part.data or b""
        data = b"".join(self._parts[ordinal] for ordinal in entry.parts)
        if header.kind == "ThreadStarted":
            self._identity(entry, data)  # threads are shared: who starts one is of no moment
        if header.kind not in _COMPARED:
            return None
        identity = self._identity(entry, data)
        recorded = self._index.questions.get(identity)
        if recorded is None or recorded[1] != data:
            return self._difference(entry, identity, recorded, data)
        self.matched += 1
        if header.kind in _QUESTIONS:
            self.asked.add(identity)
            self.inputs.opened(header.seq, recorded[0])
        return None

    def after(self, seq: int, action: Callable[[], None]) -> None:
        """Run an action: a replay has nothing to wait for."""
        action()

    def unused(self) -> int:
        """Return how many recorded questions were never asked."""
        return sum(
            1 for key in self._index.questions if key[1] in _QUESTIONS and key not in self.asked
        )

    def _identity(self, entry: Entry, data: bytes) -> Identity:
        header = entry.header
        if header.kind in _QUESTIONS:
            return self._paths.of(header.task), header.kind, header.index
        payload, _ = decode_payload(header.media, data, header.seq)
        assert isinstance(payload, TaskSpawned | ThreadStarted)
        return self._paths.spawned(header, payload.label, payload.ordinal), header.kind, 0

    def _difference(
        self,
        entry: Entry,
        identity: Identity,
        recorded: tuple[int, bytes] | None,
        data: bytes,
    ) -> Divergence:
        path, kind, index = identity
        who = " > ".join(f"{label}[{ordinal}]" for label, ordinal in path) or "main"
        return Divergence(
            seq=entry.header.seq if recorded is None else recorded[0],
            category="extra" if recorded is None else "changed",
            recorded_kind=None if recorded is None else kind,
            replayed_kind=kind,
            task=who,
            fields=changed_fields(None if recorded is None else recorded[1], data),
            replayed_place=entry.place or place(),
            note=(
                f"the recording has no {kind} {index} of {who}"
                if recorded is None
                else f"{kind} {index} of {who} is not what it was; name tasks that differ"
            ),
        )
