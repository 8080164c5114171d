"""The program's own state, on record: a mapping whose reads and changes are derived records.

Outside a run it is an ordinary mapping, with values that do not change in place. In a run it starts
from its initial values, whatever it held before: what an earlier run left would be an input that
no record has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Generic, TypeVar

from replay.doors.context import current
from replay.doors.state.frozen_values import frozen
from replay.doors.state.stores import Store
from replay.errors import UsageError

__all__ = ["State", "state"]

V = TypeVar("V")


def state(name: str, initial: Mapping[str, Any] | None = None) -> State[Any]:
    """Return a mapping for the program's own state.

    Args:
        name: the name in the record; a second mapping of that name is a second store.
        initial: what it holds at the start of each run, and outside of runs.

    Raises:
        UsageError: a key is not text, or a value holds itself.
    """
    return State(name, {} if initial is None else initial)


class State(MutableMapping[str, V], Generic[V]):
    """A mapping from text to values; see :func:`state`.

    Lists, dictionaries, sets and byte arrays are copied when they are assigned, and what is handed
    out refuses to change in place: such a change would be in no record. ``state[key] += […]``
    assigns and works. Other objects are kept as they are and recorded by their type.
    """

    def __init__(self, name: str, initial: Mapping[str, V]) -> None:
        self.name = name
        self._initial: dict[str, Any] = {_key(key): _frozen(name, initial[key]) for key in initial}
        self._outside = dict(self._initial)

    def __getitem__(self, key: str) -> V:
        store, values = self._there()
        if store is not None:
            store.read(_key(key))
        value: V = values[key]
        return value

    def __setitem__(self, key: str, value: V) -> None:
        kept = _frozen(self.name, value)
        store, values = self._there()
        if store is not None:
            store.written(_key(key), kept)
        values[_key(key)] = kept

    def __delitem__(self, key: str) -> None:
        store, values = self._there()
        if store is not None:
            if key not in values:
                store.read(_key(key))
                raise KeyError(key)
            store.deleted(key)
        del values[key]

    def __iter__(self) -> Iterator[str]:
        store, values = self._there()
        if store is not None:
            store.read(None)
        return iter(values)

    def __len__(self) -> int:
        store, values = self._there()
        if store is not None:
            store.read(None)
        return len(values)

    def __contains__(self, key: object) -> bool:
        store, values = self._there()
        if store is not None and isinstance(key, str):
            store.read(key)
        return key in values

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def _there(self) -> tuple[Store | None, dict[str, Any]]:
        """Return the store of the run on the calling thread, if there is one, and what it holds."""
        context = current()
        if context is None:
            return None, self._outside
        store, is_new = context.stores.of(self, lambda: self.name)
        if is_new:
            for key, value in self._initial.items():
                store.held(key, value)
                store.values[key] = value
        return store, store.values


def _key(key: object) -> str:
    if isinstance(key, str):
        return key
    raise UsageError(f"a key of recorded state is text, not {type(key).__name__}")


def _frozen(name: str, value: object) -> Any:
    try:
        return frozen(value)
    except RecursionError:
        raise UsageError(
            f"a value of state {name!r} holds itself, or is nested too deeply"
        ) from None
