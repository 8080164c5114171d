"""What a policy file may say in a place where it says something else, read from the policy's types.

The one invariant: what is told is what is accepted, since both are the same types.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import inspect

from attestations.admission.policy import Policy

__all__ = ["ELSEWHERE", "hint_of"]

_PLACE: Final = re.compile(r"at `\$([^`]*)`")
_STEP: Final = re.compile(r"\.([a-z_]+)|\[")
#: What to try where the file itself does not tell.
ELSEWHERE: Final = "docs/reference/policy.md says what a policy holds"


def hint_of(error: msgspec.ValidationError | RecursionError) -> str:
    """Return what to try where a file is not of the form: the allowed values or keys, if closed."""
    if isinstance(error, RecursionError):
        return ELSEWHERE
    place = _PLACE.search(str(error))
    found = _inner(inspect.type_info(Policy))
    for name in _STEP.findall(place[1] if place else ""):
        found = _inner(_below(found, name))
    if isinstance(found, inspect.LiteralType):
        return f"it can be {', '.join(map(str, found.values))}"
    if isinstance(found, inspect.StructType):
        return f"its keys can be {', '.join(each.encode_name for each in found.fields)}"
    return ELSEWHERE


def _below(found: inspect.Type, name: str) -> inspect.Type:
    """Return the type a step further down; an empty name is any member of a list or table."""
    if isinstance(found, inspect.StructType):
        return next((each.type for each in found.fields if each.encode_name == name), found)
    if isinstance(found, inspect.DictType):
        return found.value_type
    if isinstance(found, inspect.VarTupleType):
        return found.item_type
    return found


def _inner(found: inspect.Type) -> inspect.Type:
    """Return what a type is where something stands."""
    if isinstance(found, inspect.Metadata):
        return _inner(found.type)
    if isinstance(found, inspect.UnionType):
        return _inner(next(t for t in found.types if not isinstance(t, inspect.NoneType)))
    return found
