"""What a dialect is: a pure reading of the bytes of an exchange as prompts, responses and tools.

The engine knows HTTP and bytes; a dialect knows one vendor's meaning of them. It is found by entry
point (group ``ritornello.dialects``), so that the command, pytest and library runs derive the same
records. The one invariant: the same bytes give the same facts, on every machine and at any time,
so a dialect has no clock, no file, no network, no state, and imports no vendor package.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import msgspec

from replay.events.exchange_kinds import FieldRoles
from replay.events.kinds import Fact

__all__ = ["Dialect", "NamesFields", "RequestView", "ResponseView"]


class RequestView(msgspec.Struct, frozen=True, kw_only=True):
    """A request as a dialect may see it.

    Attributes:
        method: in capitals, such as ``POST``.
        path: of the URL, without the query.
        query: without the question mark, empty if there is none.
        headers: (lower-case name, value), as sent; credentials are removed.
        body: exact bytes.
    """

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class ResponseView(msgspec.Struct, frozen=True, kw_only=True):
    """A response as a dialect may see it.

    Attributes:
        status: the HTTP status.
        headers: (lower-case name, value).
        body: exact bytes as far as they came; the content-encoding is not yet decoded.
        complete: False if the exchange was cancelled, reset or failed in mid-body.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    complete: bool


class Dialect(Protocol):
    """Reads the exchanges of one vendor's API.

    No method raises on hostile or malformed bytes: what cannot be read is a fact that says so.
    """

    @property
    def name(self) -> str:
        """The name that records carry, such as ``anthropic-messages``."""
        ...

    @property
    def version(self) -> int:
        """Counts from 1; grows with each change of what the same bytes are read as."""
        ...

    @property
    def compared_headers(self) -> frozenset[str]:
        """The closed list of request headers (lower case) that a replay compares."""
        ...

    def matches(self, request: RequestView) -> bool:
        """Say whether this dialect reads such a request."""
        ...

    def read_request(self, request: RequestView) -> tuple[Fact, ...]:
        """Read a request that matches; in the order in which the facts are recorded."""
        ...

    def read_response(self, request: RequestView, response: ResponseView) -> tuple[Fact, ...]:
        """Read the response to a request that matches; the response first, then its calls."""
        ...


@runtime_checkable
class NamesFields(Protocol):
    """A dialect that also says what the fields of a request are about; for explanations only.

    It derives no record, so a change of the table needs no new version.
    """

    @property
    def field_roles(self) -> FieldRoles:
        """What stands where in the body of a request."""
        ...
