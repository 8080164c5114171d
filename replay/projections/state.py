"""The program's state: what each store holds under each key, who wrote it last, and who else did.

The one invariant: after every record, what is folded here is what the store held at that moment,
as far as the values are plain data. An offer is nobody's value yet and a read changes nothing.

Two writes of one key are concurrent if neither knows of the other. Each write is compared with
those before it that no later one knows of: whoever comes after all of these comes after the rest.
What was held from the start was written by nobody of the run and is concurrent with nothing.
"""

from __future__ import annotations

import msgspec

from replay.events.header import Header
from replay.events.kinds import Payload, StateChanged
from replay.projections import fold
from replay.projections.clocks import ClockState, VectorClocks

__all__ = ["KeyState", "ProgramState", "State"]

_CLOCKS = VectorClocks()


class KeyState(msgspec.Struct, frozen=True, kw_only=True):
    """One key of one store.

    Attributes:
        store, ordinal: the store, and its position among those of that name.
        key: the key.
        version: how many changes it has seen.
        present: whether it is there.
        value: JSON of its value; ``null`` if it is not there.
        items: JSON of each item, where the store changes a list item by item; None elsewhere.
        writer: seq of the last write or deletion; None if the run has only found it there.
        readers: seqs of the reads of the present version.
        latest: seqs of the writes that no later write knows of.
        concurrent: pairs (earlier, later) of seqs of concurrent writes, in the order of the later.
    """

    store: str
    ordinal: int
    key: str
    version: int = 0
    present: bool = False
    value: str = "null"
    items: tuple[str, ...] | None = None
    writer: int | None = None
    readers: tuple[int, ...] = ()
    latest: tuple[int, ...] = ()
    concurrent: tuple[tuple[int, int], ...] = ()


class ProgramState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a program after some of its records.

    Attributes:
        keys: every key ever touched, in the order in which they were.
        clocks: the clocks of all records so far.
    """

    keys: tuple[KeyState, ...] = ()
    clocks: ClockState = ClockState()

    def values(self, store: str, ordinal: int = 0) -> dict[str, str]:
        """Return JSON of what a store holds, by key."""
        return {
            each.key: each.value
            for each in self.keys
            if each.present and (each.store, each.ordinal) == (store, ordinal)
        }


class State:
    """The projection; see :class:`ProgramState`."""

    def initial(self) -> ProgramState:
        """Return the state before the first record."""
        return ProgramState()

    def builder(self, state: ProgramState) -> _Builder:
        """Return a builder that goes on from a state."""
        return _Builder(state)

    def apply(self, state: ProgramState, header: Header, payload: Payload) -> ProgramState:
        """Return the state after one more record."""
        return fold.apply(self, state, header, payload)


class _Key:
    """One key while it is folded; writes wait until all clocks are known."""

    def __init__(self, state: KeyState) -> None:
        self.state = state
        self.items = None if state.items is None else list(state.items)
        self.value = state.value
        self.version = state.version
        self.present = state.present
        self.writer = state.writer
        self.readers = list(state.readers)
        self.waiting: list[int] = []

    def add(self, seq: int, payload: StateChanged) -> None:
        if payload.operation == "offered":
            return
        if payload.operation == "read":
            self.readers.append(seq)
            return
        self.version = payload.version
        self.readers.clear()
        if payload.operation != "held":
            self.writer = seq
            self.waiting.append(seq)
        if payload.operation == "deleted":
            self._take_away(payload.item)
        else:
            self._put(bytes(payload.value).decode(), payload.item)

    def _take_away(self, item: int | None) -> None:
        if item is None:
            self.present, self.value, self.items = False, "null", None
        elif self.items is not None:
            del self.items[max(item, 0) :]

    def _put(self, value: str, item: int | None) -> None:
        self.present = True
        if item is None:
            self.value, self.items = value, None
            return
        if self.items is None:
            self.items = []
        # A record is hostile: an item beyond the end stands at the end.
        self.items[max(item, 0) : max(item, 0) + 1] = [value]

    def folded(self, clocks: ClockState) -> KeyState:
        latest = list(self.state.latest)
        concurrent = list(self.state.concurrent)
        for seq in self.waiting:
            beside = [other for other in latest if clocks.order(other, seq) == "concurrent"]
            concurrent.extend((other, seq) for other in beside)
            latest = [*beside, seq]
        items = self.items
        return msgspec.structs.replace(
            self.state,
            version=self.version,
            present=self.present,
            value=self.value if items is None else f"[{','.join(items)}]",
            items=None if items is None else tuple(items),
            writer=self.writer,
            readers=tuple(self.readers),
            latest=tuple(latest),
            concurrent=tuple(concurrent),
        )


class _Builder:
    def __init__(self, state: ProgramState) -> None:
        self._clocks = _CLOCKS.builder(state.clocks)
        self._keys = {(each.store, each.ordinal, each.key): _Key(each) for each in state.keys}

    def add(self, header: Header, payload: Payload) -> None:
        self._clocks.add(header, payload)
        if not isinstance(payload, StateChanged) or payload.key is None:
            return
        place = (payload.store, payload.ordinal, payload.key)
        key = self._keys.get(place)
        if key is None:
            store, ordinal, name = place
            key = self._keys[place] = _Key(KeyState(store=store, ordinal=ordinal, key=name))
        key.add(header.seq, payload)

    def state(self) -> ProgramState:
        clocks = self._clocks.state()
        return ProgramState(
            keys=tuple(key.folded(clocks) for key in self._keys.values()), clocks=clocks
        )
