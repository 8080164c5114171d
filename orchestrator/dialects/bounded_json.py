"""JSON from outside, read field by field within bounds.

The one invariant: what is read depends on the bytes only. The parser's own limit on nesting
depends on how deep the calling program stands, so nesting is bounded here, before it parses.
Wrong types are read as absent: a vendor adds and changes fields, and one odd field must not hide
the rest of an answer.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Final, Literal

import msgspec

__all__ = [
    "Fields",
    "Reason",
    "UnreadableError",
    "boolean",
    "compact_text",
    "exact_text",
    "fields",
    "integer",
    "is_given",
    "items",
    "parse_object",
    "text",
    "text_or_none",
]

#: Why bytes could not be read; the words that a record carries.
Reason = Literal["content-encoding", "json", "nesting", "shape", "too-large", "truncated", "utf-8"]
#: The members of a JSON object, not yet decoded themselves.
Fields = dict[str, msgspec.Raw]

#: Objects and arrays inside one another; tool schemas reach about 20.
NESTING_MAX: Final = 128
#: Integers that every reader of canonical JSON holds exactly (RFC 8785).
INTEGER_MAX: Final = 2**53 - 1

_OBJECT: Final = msgspec.json.Decoder(Fields)
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str)
_INTEGER: Final = msgspec.json.Decoder(int)
_BOOLEAN: Final = msgspec.json.Decoder(bool)

# Possessive, and content with the end of the input in place of a closing quote: linear time on
# any bytes.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
# One up or one down, as signed bytes.
_BRACKET_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_ALL_BUT_BRACKETS: Final = bytes(sorted(set(range(256)) - set(b"[]{}")))
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPE: Final = re.compile(
    rb"\\(?:(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


class UnreadableError(Exception):
    """Bytes cannot be read. Never leaves the room: a dialect turns it into a fact."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


def parse_object(data: bytes) -> Fields:
    """Parse a JSON object.

    A lone surrogate escape, which no UTF-8 text can carry, is read as U+FFFD.

    Raises:
        UnreadableError: The bytes are not UTF-8, not JSON, nested too deep, or no object.
    """
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableError("utf-8") from None
    if _is_nested_deeper(data, NESTING_MAX):
        raise UnreadableError("nesting")
    if _SURROGATE.search(data):
        data = _ESCAPE.sub(lambda found: b"\\ufffd" if found[2] else found[0], data)
    try:
        return _OBJECT.decode(data)
    except msgspec.ValidationError:
        raise UnreadableError("shape") from None
    except (ValueError, RecursionError):
        raise UnreadableError("json") from None


def fields(raw: msgspec.Raw | None) -> Fields:
    """Return the members of an object; none if it is no object."""
    try:
        return {} if raw is None else _OBJECT.decode(raw)
    except (ValueError, RecursionError):
        return {}


def items(raw: msgspec.Raw | None) -> list[msgspec.Raw]:
    """Return the items of a list, in order; none if it is no list."""
    try:
        return [] if raw is None else _LIST.decode(raw)
    except (ValueError, RecursionError):
        return []


def text_or_none(raw: msgspec.Raw | None) -> str | None:
    """Return a string, or None if it is none."""
    try:
        return None if raw is None else _TEXT.decode(raw)
    except ValueError:
        return None


def text(raw: msgspec.Raw | None) -> str:
    """Return a string; the empty one if it is none."""
    return text_or_none(raw) or ""


def integer(raw: msgspec.Raw | None) -> int | None:
    """Return an integer that canonical JSON can carry, or None."""
    try:
        value = None if raw is None else _INTEGER.decode(raw)
    except ValueError:
        return None
    return value if value is not None and -INTEGER_MAX <= value <= INTEGER_MAX else None


def boolean(raw: msgspec.Raw | None) -> bool:
    """Say whether the value is ``true``."""
    try:
        return raw is not None and _BOOLEAN.decode(raw)
    except ValueError:
        return False


def is_given(raw: msgspec.Raw | None) -> bool:
    """Say whether a member is there and not ``null``."""
    return raw is not None and bytes(raw) != b"null"


def exact_text(raw: msgspec.Raw) -> str:
    """Return the JSON text of a value as it was written."""
    return bytes(raw).decode("utf-8", "replace")


def compact_text(raw: msgspec.Raw | None) -> str:
    """Return the JSON text of a value without white space between tokens; ``null`` if absent."""
    if raw is None:
        return "null"
    try:
        return msgspec.json.format(bytes(raw), indent=-1).decode("utf-8", "replace")
    except (ValueError, RecursionError):
        return exact_text(raw)


def _is_nested_deeper(data: bytes, depth_max: int) -> bool:
    """Say whether brackets outside strings stand deeper than allowed, in linear time."""
    if data.count(b"{") + data.count(b"[") <= depth_max:
        return False
    steps = _STRING.sub(b"", data).translate(_BRACKET_STEPS, _ALL_BUT_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0) > depth_max
