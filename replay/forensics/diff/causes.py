"""Which records stand behind which: difference carried along causes.

The one invariant: a record is behind another exactly if a path of causes leads back to it; time and
position prove nothing. One pass over the causes, one byte a record.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replay.forensics.diff.index import RunIndex

__all__ = ["ancestors", "behind"]


def behind(run: RunIndex, sources: Iterable[int]) -> bytearray:
    """Return for each record whether one of the sources is among its causes.

    Args:
        run: the run.
        sources: records; each is behind itself only if another is among its causes.
    """
    size, causes, starts = run.size, run.causes, run.causes_from
    source = bytearray(size)
    for seq in sources:
        source[seq] = 1
    found = bytearray(size)
    carried = bytearray(size)
    start = 0
    for seq in range(size):
        end = starts[seq + 1]
        for position in range(start, end):
            if carried[causes[position]]:
                found[seq] = 1
                break
        start = end
        carried[seq] = found[seq] or source[seq]
    return found


def ancestors(run: RunIndex, seq: int) -> bytearray:
    """Return for each record whether it is among the causes of one."""
    causes, starts = run.causes, run.causes_from
    found = bytearray(run.size)
    found[seq] = 1
    for each in range(seq, -1, -1):
        if found[each]:
            for position in range(starts[each], starts[each + 1]):
                found[causes[position]] = 1
    found[seq] = 0
    return found
