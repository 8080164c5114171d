"""Text that no reader of a report obeys: what could steer or reorder it is spelled out."""

from __future__ import annotations

import unicodedata
from typing import Final

__all__ = ["spelled"]

_STEERING: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def spelled(text: str, limit: int | None = None) -> str:
    """Return text without a character that steers, at most ``limit`` characters of the original.

    Args:
        text: anything.
        limit: how much of it is kept; the rest becomes an ellipsis.
    """
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(c) if unicodedata.category(c) in _STEERING else c for c in text)


def _escape(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
