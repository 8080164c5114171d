"""The stores of a run: which keys of state were touched, by whom, and how often they changed.

The one invariant: what becomes a record is a function of what the program did. A change is always
one. A read is one if its reader has not read or changed that version of the key before: whatever
a later read of the same version depends on, the first one depends on too. Who reads is an actor
and, where a library reads for several, the one that it reads for.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final
from weakref import ref

from replay.doors.plain_values import Encode, PlainEncoder
from replay.events.state_kinds import StateChanged

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

    from replay.events.kind_base import Names
    from replay.events.state_kinds import StateOperation
    from replay.recording.recorder import Recorder
    from replay.scheduler.actor import Actor

__all__ = ["Store", "Stores"]

_PLAIN: Final = PlainEncoder().encode


class Store:
    """One store of the program's state.

    Args:
        recorder: makes the records.
        name: of the mapping, graph or agent.
        ordinal: among the stores of that name.

    Attributes:
        values: what the store holds, for whoever keeps it here.
        memory: what an adapter remembers of it.
    """

    def __init__(self, recorder: Recorder, name: str, ordinal: int) -> None:
        self.name = name
        self.ordinal = ordinal
        self.values: dict[str, object] = {}
        self.memory: list[tuple[object, bytes]] = []
        self._recorder = recorder
        self._versions: dict[str | None, int] = {}
        #: Who knows the present version of a key; asked by membership only.
        self._readers: dict[str | None, set[tuple[Actor, Names]]] = {}
        self._digests: dict[str, bytes] = {}

    def version(self, key: str | None) -> int:
        """Return how many changes a key has seen; None is the set of keys."""
        return self._versions.get(key, 0)

    def held(
        self,
        key: str,
        value: object,
        by: Names = (),
        encode: Encode = _PLAIN,
        *,
        item: int | None = None,
    ) -> None:
        """Record what was there before, unless that is what the run itself left there."""
        encoded, opaque = encode(value)
        if item is not None or self._digests.get(key) != _digest(encoded):
            self._change("held", key, encoded, opaque, by, item)

    def written(
        self,
        key: str,
        value: object,
        by: Names = (),
        encode: Encode = _PLAIN,
        *,
        item: int | None = None,
    ) -> None:
        """Record a write, of one item of the list under the key if that is given."""
        encoded, opaque = encode(value)
        self._change("written", key, encoded, opaque, by, item)

    def deleted(self, key: str, by: Names = (), *, item: int | None = None) -> None:
        """Record that a key is gone, or the items of its list from one on."""
        self._change("deleted", key, None, (), by, item)

    def offered(self, key: str, value: object, by: Names = (), encode: Encode = _PLAIN) -> None:
        """Record what somebody handed in, for the store to merge."""
        encoded, opaque = encode(value)
        self._derive("offered", key, encoded, opaque, by, None)

    def read(self, key: str | None, by: Names = ()) -> None:
        """Record a read, if this reader does not know the present version yet."""
        readers = self._readers.setdefault(key, set())
        reader = (self._recorder.scheduler.actor(), by)
        if reader not in readers:
            self._derive("read", key, None, (), by, None)
            readers.add(reader)

    def knows(self, key: str) -> bool:
        """Return whether the key was written or held, and is there still."""
        return key in self._digests

    def _change(
        self,
        operation: StateOperation,
        key: str,
        encoded: msgspec.Raw | None,
        opaque: Names,
        by: Names,
        item: int | None,
    ) -> None:
        self._versions[key] = self.version(key) + 1
        self._derive(operation, key, encoded, opaque, by, item)
        was_there = key in self._digests
        if encoded is not None:
            self._digests[key] = b"" if item is not None else _digest(encoded)
        elif item is None:
            self._digests.pop(key, None)
        self._known_to_changer(key, by)
        if was_there != (key in self._digests):
            self._versions[None] = self.version(None) + 1
            self._known_to_changer(None, by)

    def _known_to_changer(self, key: str | None, by: Names) -> None:
        """A new version is known to whoever made it."""
        self._readers[key] = {(self._recorder.scheduler.actor(), by)}

    def _derive(
        self,
        operation: StateOperation,
        key: str | None,
        encoded: msgspec.Raw | None,
        opaque: Names,
        by: Names,
        item: int | None,
    ) -> None:
        fields = {} if encoded is None else {"value": encoded}
        self._recorder.derive(
            StateChanged(
                store=self.name,
                ordinal=self.ordinal,
                key=key,
                operation=operation,
                version=self.version(key),
                item=item,
                by=by,
                opaque=opaque,
                **fields,
            )
        )


class Stores:
    """All stores of a run, in the order in which it touched them."""

    def __init__(self, recorder: Recorder) -> None:
        #: Whatever an adapter finds a store by again, and whom it stands for there.
        self.marks: dict[str, tuple[Store, str]] = {}
        self._recorder = recorder
        self._ordinals: dict[str, int] = {}
        self._named: dict[str, Store] = {}
        # By address, because what owns a store may have no hash; the reference says whether it
        # is still that owner.
        self._owned: dict[int, tuple[ref[object], Store]] = {}

    def of(self, owner: object, name: Callable[[], str]) -> tuple[Store, bool]:
        """Return the store of an object of the program, and whether it is new.

        Args:
            owner: what holds the state.
            name: names a new store.
        """
        found = self._owned.get(id(owner))
        if found is not None and found[0]() is owner:
            return found[1], False
        store = self._new(name())
        self.adopt(owner, store)
        return store, True

    def named(self, name: str) -> Store:
        """Return the one store of a name, whoever opens it."""
        store = self._named.get(name)
        if store is None:
            store = self._named[name] = self._new(name)
        return store

    def adopt(self, owner: object, store: Store) -> None:
        """Let an object be the owner of a store for as long as it lives."""
        address, owned = id(owner), self._owned

        def forget(gone: ref[object]) -> None:
            found = owned.get(address)
            if found is not None and found[0] is gone:
                del owned[address]

        owned[address] = (ref(owner, forget), store)

    def _new(self, name: str) -> Store:
        ordinal = self._ordinals.get(name, 0)
        self._ordinals[name] = ordinal + 1
        return Store(self._recorder, name, ordinal)


def _digest(encoded: msgspec.Raw) -> bytes:
    return hashlib.blake2b(encoded, digest_size=16).digest()
