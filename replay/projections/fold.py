"""The shape that all projections share: a first state, and what one record makes of a state.

The one invariant: the public face is a pure fold, ``apply(state, header, payload) -> state``. A
state is deeply immutable, so it can be kept, compared and written down. Copying it for each record
would cost the square of the log; so a fold over many records goes through a builder, which is
mutable, private to one call, and made from a state in one go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from replay.events.header import Header
from replay.events.kinds import Payload

__all__ = ["Builder", "Projection", "Record", "apply", "fold"]

#: A header and the payload it commits to.
Record = tuple[Header, Payload]

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)


class Builder(Protocol[S_co]):
    """Takes records in log order and gives the state after them."""

    def add(self, header: Header, payload: Payload) -> None:
        """Take one record."""
        ...

    def state(self) -> S_co:
        """Return the state after the records taken so far; the builder can go on."""
        ...


class Projection(Protocol[S]):
    """A way to read a log."""

    def initial(self) -> S:
        """Return the state before the first record."""
        ...

    def builder(self, state: S) -> Builder[S]:
        """Return a builder that goes on from a state and leaves it as it is.

        Complexity: linear in the state.
        """
        ...

    def apply(self, state: S, header: Header, payload: Payload) -> S:
        """Return the state after one more record.

        Complexity: linear in the state; :func:`fold` over many records is linear in the records.
        """
        ...


def apply(projection: Projection[S], state: S, header: Header, payload: Payload) -> S:
    """Return the state after one more record; what every projection's ``apply`` does."""
    builder = projection.builder(state)
    builder.add(header, payload)
    return builder.state()


def fold(projection: Projection[S], records: Iterable[Record], state: S | None = None) -> S:
    """Return the state after some records.

    Args:
        projection: how to read them.
        records: headers and payloads, in log order, going on where ``state`` ends.
        state: where to go on; None for the start.
    """
    builder = projection.builder(projection.initial() if state is None else state)
    for header, payload in records:
        builder.add(header, payload)
    return builder.state()
