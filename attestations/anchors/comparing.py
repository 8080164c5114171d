"""Whether two heads can both be true of one log that only ever grows.

The one invariant: a later head continues an earlier one if its own records say so. Its prefix is
computed anew from the records at hand; no proof of somebody else is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from replay.tree import Checkpoint

__all__ = ["Comparison", "compare"]

#: ``same``; ``grown``, the log at hand continues what was known; ``shorter``, it is smaller than
#: what was known; ``fork``, it has other records in the same places; ``other``, it is another log.
Comparison = Literal["same", "grown", "shorter", "fork", "other"]


def compare(now: Checkpoint, known: Checkpoint, prefix_root: Callable[[int], bytes]) -> Comparison:
    """Compare the head of the log at hand with one that is known from elsewhere.

    Args:
        now: the head of the log at hand, computed from its records.
        known: a head from elsewhere.
        prefix_root: computes the root over the first so many records of the log at hand; called
            only if it has more than what is known.
    """
    if now.origin != known.origin:
        return "other"
    if now.size < known.size:
        return "shorter"
    if now.size == known.size:
        return "same" if now.root == known.root else "fork"
    return "grown" if prefix_root(known.size) == known.root else "fork"
