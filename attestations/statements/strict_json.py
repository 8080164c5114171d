"""JSON in which nothing is said twice: the form of everything that is signed or holds signatures.

The one invariant: two readers cannot see different values in what is accepted. A repeated name, of
which readers keep the first or the last, is refused, and so is what JSON does not know.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final, NoReturn

__all__ = ["DEPTH_MAX", "check_json"]

DEPTH_MAX: Final = 64
"""Deepest nesting of objects and lists."""


def check_json(data: bytes) -> dict[str, object]:
    """Return the object that the bytes are, once nothing in it is ambiguous.

    Args:
        data: the bytes; the caller has bounded their number.

    Raises:
        ValueError: they are not one JSON object in UTF-8, or a name is repeated, a number is no
            JSON number, or the nesting is too deep.
    """
    try:
        found: object = json.loads(
            data.decode(), object_pairs_hook=_object, parse_constant=_refuse_constant
        )
    except RecursionError:
        # Deeper than the interpreter goes; where that is depends on who calls.
        raise ValueError(f"the JSON is nested deeper than {DEPTH_MAX}") from None
    if not isinstance(found, dict):
        raise ValueError("the JSON value is no object")  # noqa: TRY004 - the data is wrong
    _check_depth(found)
    return found


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated in an object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _check_depth(found: object) -> None:
    level = [found]
    for _ in range(DEPTH_MAX):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise ValueError(f"the JSON is nested deeper than {DEPTH_MAX}")


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
