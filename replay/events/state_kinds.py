"""The kind of a program's own state: what was read, written and deleted, by its own name."""

from __future__ import annotations

from typing import Literal

import msgspec

from replay.events.kind_base import JsonText, Names, PayloadBase, null

__all__ = ["StateChanged", "StateOperation"]

#: ``held``: there when the run first touched the store, nobody of the run wrote it. ``offered``:
#: handed to a store that merges it later, so it is nobody's value yet.
StateOperation = Literal["held", "read", "written", "deleted", "offered"]


class StateChanged(PayloadBase, frozen=True, tag="StateChanged", omit_defaults=True):
    """A store of the program's state was read or changed: one key of it.

    Attributes:
        store: name of the store: of a mapping, a graph, an agent.
        ordinal: position among the stores of that name in the run.
        key: the key; None for which keys there are.
        operation: what was done.
        version: how many changes the key has seen, this one included; of a read or an offer, the
            version that it found. 0 before the first.
        value: JSON of the value that is there afterwards, or was offered; null otherwise.
        item: position in the list under the key, where only that item changed; a deletion takes
            away all items from there on.
        by: who did it, in the store's own words, such as the nodes of a graph.
        opaque: types that ``value`` names where the value itself is no plain data.
    """

    store: str
    key: str | None
    operation: StateOperation
    version: int
    ordinal: int = 0
    value: JsonText = msgspec.field(default_factory=null)
    item: int | None = None
    by: Names = ()
    opaque: Names = ()
