"""An exchange of a cassette, given the shape that the HTTP door's reading of a request expects."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import msgspec

from replay.doors.http.wire import (
    CREDENTIAL_PARAMETERS,
    credential_values,
    decoded_body,
    without_cookies,
)
from replay.events.kinds import ResponseStarted
from replay.interop.vcr_cassette import Interaction
from replay.secrets.credentials import answered_credentials
from replay.secrets.patterns import find_secret_values

__all__ = ["RequestLike", "claimed_time_us", "response_head", "secret_values"]

_ENCODED: Final = "content-encoding"


class _Headers(msgspec.Struct, frozen=True):
    raw: tuple[tuple[bytes, bytes], ...]


class _Address(msgspec.Struct, frozen=True):
    scheme: str
    host: str
    port: int | None
    raw_path: bytes
    userinfo: bytes


class RequestLike:
    """What an HTTP library's request has, as far as the door reads it.

    Args:
        interaction: of a cassette.
    """

    def __init__(self, interaction: Interaction) -> None:
        split = urlsplit(interaction.uri)
        path = quote(split.path or "/", safe="/%:@!$&'()*+,;=~")
        query = quote(split.query, safe="/%:@!$&'()*+,;=~?")
        user, at, _ = split.netloc.rpartition("@")
        self.method = interaction.method
        self.headers = _Headers(
            tuple((_raw(k), _raw(v)) for k, v in interaction.request_headers),
        )
        self.url = _Address(
            scheme=split.scheme,
            host=split.hostname or "",
            port=split.port,
            raw_path=(f"{path}?{query}" if query else path).encode("ascii"),
            userinfo=user.encode() if at else b"",
        )


def response_head(interaction: Interaction) -> ResponseStarted:
    """Return the head of the response, without the name of an encoding that was undone already.

    Some of the tools that record keep the decoded body and the header. What was compressed is no
    UTF-8, so a body that is was decoded.
    """
    headers = interaction.response_headers
    if any(k.lower() == _ENCODED for k, _ in headers) and _is_text(interaction.response_body):
        headers = tuple((k, v) for k, v in headers if k.lower() != _ENCODED)
    return without_cookies(
        ResponseStarted(
            status=interaction.status,
            headers=headers,
            http_version=interaction.http_version,
            reason=interaction.reason,
        )
    )


def secret_values(interaction: Interaction) -> Iterator[tuple[str | None, str]]:
    """Yield (source, value) of what is a secret in an exchange: by its place, or by its shape."""
    request = RequestLike(interaction)
    yield from credential_values(request)
    split = urlsplit(interaction.uri)
    for name, value in parse_qsl(split.query):
        if name.lower() in CREDENTIAL_PARAMETERS:
            yield f"query:{name}", value
    yield from answered_credentials(interaction.response_headers)
    if split.password:
        yield "userinfo", unquote(split.password)
    words = [interaction.method, interaction.uri, interaction.reason, interaction.http_version]
    for pair in (*interaction.request_headers, *interaction.response_headers):
        words += pair
    texts = [word.encode("utf-8", "surrogatepass") for word in words]
    body = interaction.response_body
    decoded = decoded_body(response_head(interaction), body)
    for text in (*texts, interaction.request_body, body, decoded or b""):
        for start, stop in find_secret_values(text):
            yield None, text[start:stop].decode("ascii")


def claimed_time_us(interaction: Interaction) -> int:
    """Return the time that the response's own header claims, in microseconds; 0 without one."""
    for name, value in interaction.response_headers:
        if name.lower() == "date":
            try:
                moment = parsedate_to_datetime(value)
                if moment.tzinfo is None:  # "-0000": it is UTC, and not the zone of this machine
                    moment = moment.replace(tzinfo=UTC)
                return max(0, int(moment.timestamp())) * 1_000_000
            except (ValueError, OverflowError, TypeError):
                return 0
    return 0


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _raw(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
