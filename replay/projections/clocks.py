"""Exact vector clocks, as a projection of the causes that headers name.

The one invariant: ``order(a, b)`` is ``before`` exactly if a path of causes leads from ``b`` back
to ``a``. Nothing is assumed of the log that is not in it: records of one task are taken as a chain
only as far as their causes make them one, and where two of them are concurrent the task has a
second chain.

Complexity. A clock maps chains to the position of the last record known of each. A record whose
only cause is the one before it in its chain shares that one's clock, so it costs three integers.
Where knowledge is handed over, clocks are merged as persistent tries of 32 branches, which share
what did not change: a spawn or a join costs one path (about 100 words), a merge at most one node
for each 32 chains. ``order`` is five steps down a trie, whatever the number of actors. A full
vector in each record would cost records times actors.
"""

from __future__ import annotations

from array import array
from itertools import zip_longest
from typing import Any, Final, Literal, TypeAlias

import msgspec

from replay.errors import IntegrityError, UsageError
from replay.events.header import Header
from replay.events.kinds import Payload
from replay.projections import fold

__all__ = ["ClockState", "Order", "VectorClocks"]

Order = Literal["before", "after", "concurrent", "equal"]

#: A leaf holds positions, an inner node tries; both are cut after their last entry. The level says
#: which it is, and no type can.
_Trie: TypeAlias = tuple[Any, ...]

_EMPTY: Final[_Trie] = ()
_BITS: Final = 5
_MASK: Final = (1 << _BITS) - 1
#: Five levels of five bits: 33 million chains.
_TOP: Final = 4 * _BITS
_UNKNOWN: Final = -1


class ClockState(msgspec.Struct, frozen=True, kw_only=True):
    """The clocks of all records so far.

    Fold it anew rather than write it down: no encoding keeps what clocks share.

    Attributes:
        chain_of: chain of each record.
        position_of: position of each record in its chain, from 0.
        clocks: what each record knew of other chains.
        tails: last record of each chain.
        tasks: task of each chain; all but few tasks have one chain.
    """

    chain_of: tuple[int, ...] = ()
    position_of: tuple[int, ...] = ()
    clocks: tuple[_Trie, ...] = ()
    tails: tuple[int, ...] = ()
    tasks: tuple[int, ...] = ()

    def order(self, first: int, second: int) -> Order:
        """Say how two records stand to each other, by their seqs.

        Raises:
            UsageError: there is no such record.
        """
        if not (0 <= first < len(self.chain_of) and 0 <= second < len(self.chain_of)):
            raise UsageError(f"there are {len(self.chain_of)} records, from 0")
        if first == second:
            return "equal"
        # Causes lie below a record, so the later of the two cannot come before the earlier.
        if first > second:
            return "after" if self._knows(first, second) else "concurrent"
        return "before" if self._knows(second, first) else "concurrent"

    def vector(self, seq: int) -> dict[int, int]:
        """Return, for each chain that a record knows of, how many of its records it knows.

        The record itself and its chain are part of it.

        Raises:
            UsageError: there is no such record.

        Complexity: linear in the number of chains.
        """
        if not 0 <= seq < len(self.chain_of):
            raise UsageError(f"there are {len(self.chain_of)} records, from 0")
        clock = self.clocks[seq]
        own = self.chain_of[seq]
        known = {chain: _get(clock, chain) + 1 for chain in range(len(self.tails))}
        known[own] = self.position_of[seq] + 1
        return {chain: count for chain, count in known.items() if count}

    def _knows(self, later: int, earlier: int) -> bool:
        chain, position = self.chain_of[earlier], self.position_of[earlier]
        if self.chain_of[later] == chain:
            return True
        return _get(self.clocks[later], chain) >= position


class VectorClocks:
    """The projection; see :class:`ClockState`. The actor of a record is its task."""

    def initial(self) -> ClockState:
        """Return the state before the first record."""
        return ClockState()

    def builder(self, state: ClockState) -> _Builder:
        """Return a builder that goes on from a state."""
        return _Builder(state)

    def apply(self, state: ClockState, header: Header, payload: Payload) -> ClockState:
        """Return the state after one more record."""
        return fold.apply(self, state, header, payload)


class _Builder:
    def __init__(self, state: ClockState) -> None:
        self._chain_of = array("q", state.chain_of)
        self._position_of = array("q", state.position_of)
        self._clocks = list(state.clocks)
        self._tails = array("q", state.tails)
        self._tasks = array("q", state.tasks)

    def add(self, header: Header, payload: Payload | None = None) -> None:
        seq, causes = header.seq, header.causes
        if seq != len(self._chain_of) or (causes and not 0 <= min(causes) <= max(causes) < seq):
            raise IntegrityError("position or causes do not follow", where=f"event {seq}")
        chain = self._extended(header.task, causes)
        if chain is None:
            chain = len(self._tails)
            self._tails.append(seq)
            self._tasks.append(header.task)
            position = 0
        else:
            position = self._position_of[self._tails[chain]] + 1
            self._tails[chain] = seq
        clock = _EMPTY
        for cause in causes:
            clock = _merged(clock, self._clocks[cause], _TOP)
        for cause in causes:
            if self._chain_of[cause] != chain:
                clock = _raised(clock, self._chain_of[cause], self._position_of[cause], _TOP)
        self._chain_of.append(chain)
        self._position_of.append(position)
        self._clocks.append(clock)

    def state(self) -> ClockState:
        return ClockState(
            chain_of=tuple(self._chain_of),
            position_of=tuple(self._position_of),
            clocks=tuple(self._clocks),
            tails=tuple(self._tails),
            tasks=tuple(self._tasks),
        )

    def _extended(self, task: int, causes: tuple[int, ...]) -> int | None:
        """Return the chain of the task that ends in one of these causes, if there is one."""
        for cause in reversed(causes):
            chain = self._chain_of[cause]
            if self._tails[chain] == cause and self._tasks[chain] == task:
                return chain
        return None


def _get(trie: _Trie, chain: int) -> int:
    """Return the position known of a chain, or ``_UNKNOWN``."""
    shift = _TOP
    node = trie
    while shift:
        index = chain >> shift & _MASK
        if index >= len(node):
            return _UNKNOWN
        node = node[index]
        shift -= _BITS
    index = chain & _MASK
    return node[index] if index < len(node) else _UNKNOWN


def _raised(trie: _Trie, chain: int, position: int, shift: int) -> _Trie:
    """Return a trie that knows of a chain at least to a position."""
    index = chain >> shift & _MASK
    if not shift:
        known = trie[index] if index < len(trie) else _UNKNOWN
        if known >= position:
            return trie
        padded = trie + (_UNKNOWN,) * (index - len(trie))
        return (*padded[:index], position, *padded[index + 1 :])
    child = trie[index] if index < len(trie) else _EMPTY
    raised = _raised(child, chain, position, shift - _BITS)
    if raised is child:
        return trie
    padded = trie + (_EMPTY,) * (index - len(trie))
    return (*padded[:index], raised, *padded[index + 1 :])


def _merged(one: _Trie, other: _Trie, shift: int) -> _Trie:
    """Return the larger position of each chain, sharing what one of the two already has."""
    if one is other or not other:
        return one
    if not one:
        return other
    if not shift:
        merged = tuple(map(max, zip_longest(one, other, fillvalue=_UNKNOWN)))
    else:
        merged = tuple(
            _merged(left, right, shift - _BITS)
            for left, right in zip_longest(one, other, fillvalue=_EMPTY)
        )
        if len(merged) == len(one) and all(a is b for a, b in zip(merged, one, strict=True)):
            return one
        if len(merged) == len(other) and all(a is b for a, b in zip(merged, other, strict=True)):
            return other
        return merged
    return one if merged == one else other if merged == other else merged
