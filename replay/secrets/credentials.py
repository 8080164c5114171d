"""Credentials in the heads of HTTP messages, known by the names of headers and of parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

__all__ = [
    "ANSWERED",
    "CREDENTIAL_HEADERS",
    "CREDENTIAL_PARAMETERS",
    "REPLACED_PARAMETERS",
    "SCHEMES",
    "answered_credentials",
    "is_met_on_the_way",
    "query_credentials",
    "scheme_of",
]

#: How the source of a secret begins that the head of a response brought.
ANSWERED: Final = "answer:"
#: Request headers whose value is a credential. Closed: a new one is a format change.
CREDENTIAL_HEADERS: Final = frozenset(
    {
        "api-key",
        "authorization",
        "cookie",
        "proxy-authorization",
        "x-amz-security-token",
        "x-api-key",
        "x-auth-token",
        "x-goog-api-key",
    }
)
#: Query parameters that are recorded by name alone. Closed: a new one is a format change.
CREDENTIAL_PARAMETERS: Final = frozenset(
    {"access_token", "api_key", "apikey", "key", "sig", "signature", "token"}
)
#: Query parameters whose value is registered, so that a surrogate stands in the query.
REPLACED_PARAMETERS: Final = frozenset(
    {
        "client_secret",
        "password",
        "refresh_token",
        "x-amz-security-token",
        "x-amz-signature",
        "x-goog-signature",
    }
)
#: Schemes of `authorization` that may stand in a record; any other first word may be the secret.
SCHEMES: Final = frozenset(
    {"apikey", "aws4-hmac-sha256", "basic", "bearer", "digest", "key", "negotiate", "token"}
)

#: Response headers that name an address.
_ADDRESSES: Final = frozenset({"content-location", "link", "location", "refresh"})
#: Of one head, so that a server cannot make a run hold any number of secrets.
_OF_A_HEAD_MAX: Final = 16


def _parameters(names: Iterable[str]) -> re.Pattern[str]:
    either = "|".join(re.escape(name) for name in sorted(names))
    return re.compile(rf"(?:[?&;#]|^)({either})=([^&;#<>\"'\s]+)", re.IGNORECASE)


_IN_ADDRESS: Final = _parameters(CREDENTIAL_PARAMETERS | REPLACED_PARAMETERS)
_IN_QUERY: Final = _parameters(REPLACED_PARAMETERS)


def scheme_of(value: str) -> str:
    """Return the authentication scheme of a credential, and nothing else of it."""
    scheme, space, _ = value.partition(" ")
    return scheme if space and scheme.lower() in SCHEMES else ""


def query_credentials(query: str) -> list[tuple[str, str]]:
    """Return (source, value) of what is registered of the query of a request."""
    return [(f"query:{match[1].lower()}", unquote(match[2])) for match in _IN_QUERY.finditer(query)]


def answered_credentials(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return (source, value) of the credentials that the head of a response brings.

    Cookies are not among them: the record has those by name alone.
    """
    found: list[tuple[str, str]] = []
    for name, value in headers:
        lower = name.lower()
        if lower in _ADDRESSES:
            found += [
                (f"{ANSWERED}{lower}?{match[1].lower()}", unquote(match[2]))
                for match in _IN_ADDRESS.finditer(value)
            ]
        elif lower in CREDENTIAL_HEADERS and lower != "cookie":
            found.append((f"{ANSWERED}{lower}", value[len(scheme_of(value)) :].strip()))
    return found[:_OF_A_HEAD_MAX]


def is_met_on_the_way(source: str) -> bool:
    """Whether a source is one that a run meets any number of, such as signed addresses."""
    return source.startswith((ANSWERED, "query:"))
