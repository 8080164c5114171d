"""A request as the scripted provider received it."""

from __future__ import annotations

import json

import msgspec

__all__ = ["RequestRecord"]


class RequestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the provider's own log: the other side's view, to compare a recording with.

    It holds credentials as they came: never write it into a log or a bundle.

    Attributes:
        ordinal: position among all requests of this provider, in order of arrival, from 0.
        connection: ordinal of the TCP connection it came on, from 0.
        method, path, query: of the request line.
        headers: (lower-case name, value), as sent and in order.
        body: exact bytes.
    """

    ordinal: int
    connection: int
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first value of a header (name in lower case), or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    @property
    def prompt_text(self) -> str:
        """Every string of a JSON body, one a line; any other body as text. Rules look into it."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return self.body.decode("utf-8", "replace")
        return "\n".join(_strings(document))


def _strings(document: object) -> list[str]:
    """Return the strings in a JSON document in order, without the names of members."""
    found: list[str] = []
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, list):
            waiting.extend(reversed(value))
        elif isinstance(value, dict):
            waiting.extend(reversed(value.values()))
    return found
