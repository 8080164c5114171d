"""Values that are handed out to be read: a change inside them would be in no record, so it fails.

Lists and dictionaries stay lists and dictionaries for whoever asks (`isinstance`, JSON, equality),
and give ordinary ones when copied or added to.
"""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["FrozenDict", "FrozenList", "frozen", "thawed"]


def _refuse(_self: object, *_: object, **__: object) -> NoReturn:
    raise TypeError(
        "a value in recorded state does not change in place: "
        "copy it, change the copy, and assign it to its key"
    )


class FrozenList(list[Any]):
    """A list that does not change."""

    append = extend = insert = remove = pop = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __imul__ = _refuse

    def __iadd__(self, other: Any) -> Any:  # type: ignore[misc]
        """Make an ordinary list, so that ``state[key] += […]`` assigns one."""
        return [*self, *other]

    def __copy__(self) -> list[Any]:
        return list(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return thawed(self)

    def copy(self) -> list[Any]:
        """Return an ordinary list of the same values."""
        return list(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return (list, (list(self),))


class FrozenDict(dict[Any, Any]):
    """A dictionary that does not change."""

    pop = popitem = clear = update = setdefault = _refuse
    __setitem__ = __delitem__ = _refuse

    def __ior__(self, other: Any) -> Any:  # type: ignore[misc]
        """Make an ordinary dictionary, so that ``state[key] |= {…}`` assigns one."""
        return {**self, **dict(other)}

    def __copy__(self) -> dict[Any, Any]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return thawed(self)

    def copy(self) -> dict[Any, Any]:
        """Return an ordinary dictionary of the same values."""
        return dict(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return (dict, (dict(self),))


def frozen(value: Any) -> Any:
    """Return a copy of plain data that does not change; other objects are kept as they are.

    Raises:
        RecursionError: the value holds itself.
    """
    kind = type(value)
    if kind is list or kind is FrozenList:
        return FrozenList([frozen(item) for item in value])
    if kind is dict or kind is FrozenDict:
        return FrozenDict({key: frozen(item) for key, item in value.items()})
    if kind is tuple:
        return tuple([frozen(item) for item in value])
    if kind is set:
        return frozenset(value)
    return bytes(value) if kind is bytearray else value


def thawed(value: Any) -> Any:
    """Return an ordinary copy of a frozen value."""
    kind = type(value)
    if kind is FrozenList:
        return [thawed(item) for item in value]
    if kind is FrozenDict:
        return {key: thawed(item) for key, item in value.items()}
    return tuple([thawed(item) for item in value]) if kind is tuple else value
