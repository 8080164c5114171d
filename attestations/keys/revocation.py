"""What a revoked key signed: what of it still counts, and on whose word.

The one invariant: a revocation only ever takes away, and a sighting only ever gives back what was
there before. "Before" is a place in a workspace's log, never a clock: whoever has a stolen key can
write any time into what they sign, and, with the disk, any log. So what stands before the
revocation counts only where somebody else kept a head of that log from before it: a pin, a time
stamp, a witness.

These are plain values: where they come from, and that each was verified, is the caller's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from attestations.keys.trust import Revocation

__all__ = ["Place", "Sighting", "is_earlier", "still_counts"]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where it stands that something was signed.

    Attributes:
        origin: that of a workspace's log.
        size: the smallest size of that log which holds the record of it (its position plus 1); for
            a signed checkpoint of that log itself, the checkpoint's size.
    """

    origin: str
    size: int


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A head of a workspace's log that somebody else saw, proven to be part of the log at hand.

    Attributes:
        by: who kept it.
        origin: the log's.
        size: how many records it had.
    """

    by: Literal["pinned", "timestamped", "witnessed"]
    origin: str
    size: int


def is_earlier(signed: Place | None, revocation: Revocation, sightings: Iterable[Sighting]) -> bool:
    """Return whether something was signed before a revocation, as far as others saw.

    Args:
        signed: where it stands; None if nobody knows.
        revocation: of the key that signed it.
        sightings: what others saw.
    """
    if signed is None or signed.origin != revocation.origin:
        return False
    return any(
        seen.origin == revocation.origin and signed.size <= seen.size <= revocation.size
        for seen in sightings
    )


def still_counts(
    keyid: str,
    signed: Place | None,
    revocations: Iterable[Revocation],
    sightings: Iterable[Sighting],
) -> bool:
    """Return whether a key's signature counts: no revocation of it, or each of them came later."""
    seen = tuple(sightings)
    return all(is_earlier(signed, each, seen) for each in revocations if each.keyid == keyid)
