"""Choices that are a function of a seed, the same on every Python and platform.

`random.Random` keeps its stream between versions only for `random()`; answers of the pure mode
stand in golden files, so the stream here is our own: SHA-256 over seed and counter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Draws"]

_Item = TypeVar("_Item")
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Draws:
    """A stream of choices.

    Args:
        seed: any bytes; equal seeds give equal streams.
    """

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._counter = 0

    def below(self, bound: int) -> int:
        """Return an integer from 0 to bound - 1; the bias of 64 bits is of no account here."""
        counter = self._counter.to_bytes(8, "big")
        self._counter += 1
        digest = hashlib.sha256(counter + self._seed).digest()
        return int.from_bytes(digest[:8], "big") % bound

    def one_of(self, items: Sequence[_Item]) -> _Item:
        """Return one item of a sequence that is not empty."""
        return items[self.below(len(items))]

    def name(self, prefix: str, length: int = 24) -> str:
        """Return an id as the vendor writes them, such as ``msg_01Xy...``."""
        return prefix + "01" + "".join(self.one_of(_ALPHABET) for _ in range(length - 2))
