"""Cassettes of vcrpy: a list of exchanges, in YAML or JSON, as plain values of a closed form.

Source: vcr/serialize.py of vcrpy 9.4 (format version 1), and what vcrpy 2 to 7 wrote for httpx
(``status_code`` and ``content`` in place of ``status`` and ``body``). Whatever else stands in a
cassette is passed over; what is there and of another form is refused, with its place.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import msgspec

from replay.errors import IntegrityError
from replay.interop.vcr_yaml import Plain, read_yaml

__all__ = ["CASSETTE_BYTES_MAX", "Cassette", "Interaction", "read_cassette"]

CASSETTE_BYTES_MAX: Final = 128 << 20
_INTERACTIONS_MAX: Final = 100_000
_STATUS_MAX: Final = 999

Headers = tuple[tuple[str, str], ...]


class Interaction(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange as a cassette has it.

    Attributes:
        method: in capitals.
        uri: absolute.
        request_headers: (lower-case name, value), in the order of the file.
        request_body: exact bytes, as far as the cassette kept them.
        status: HTTP status.
        reason: the status in words, or empty.
        http_version: such as ``HTTP/1.1``; empty if the cassette does not say.
        response_headers: (name, value).
        response_body: bytes; decoded already where the cassette was told to.
    """

    method: str
    uri: str
    request_headers: Headers
    request_body: bytes
    status: int
    reason: str
    http_version: str
    response_headers: Headers
    response_body: bytes


class Cassette(msgspec.Struct, frozen=True, kw_only=True):
    """A cassette: its format version, and its exchanges in the order of the file."""

    version: int
    interactions: tuple[Interaction, ...]


def read_cassette(data: bytes, name: str) -> Cassette:
    """Read a cassette, in JSON if its first character is a brace and it is JSON, else in YAML.

    Args:
        data: the file.
        name: of the file, for errors.

    Raises:
        IntegrityError: it is no cassette, or over a limit; says where.
        SetupError: it is in YAML and PyYAML is not installed.
    """
    if len(data) > CASSETTE_BYTES_MAX:
        raise IntegrityError(f"a cassette of {len(data)} bytes is over the limit", where=name)
    plain: Plain
    if data.lstrip()[:1] == b"{":
        try:
            plain = msgspec.json.decode(data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise IntegrityError(f"this is no JSON: {error}", where=name) from None
    else:
        plain = read_yaml(data, name)
    root = _mapping(plain, name)
    version = root.get("version", 1)
    if version != 1:
        raise IntegrityError(
            f"cassette format {str(version)[:20]!r} is not known",
            where=name,
            hint="record it anew with a vcrpy of 2.0 or later",
        )
    listed = root.get("interactions")
    if not isinstance(listed, list) or len(listed) > _INTERACTIONS_MAX:
        raise IntegrityError("no list of interactions: this is no cassette of vcrpy", where=name)
    return Cassette(
        version=1,
        interactions=tuple(
            _interaction(each, f"{name}, interaction {n}") for n, each in enumerate(listed)
        ),
    )


def _interaction(plain: Plain, where: str) -> Interaction:
    both = _mapping(plain, where)
    asked = _mapping(both.get("request"), f"{where}: request")
    answer = _mapping(both.get("response"), f"{where}: response")
    uri = _text(asked.get("uri"), f"{where}: uri")
    try:
        urlsplit(uri).port  # noqa: B018 - it raises on a port that is none
    except ValueError:
        raise IntegrityError("this is no address", where=f"{where}: uri") from None
    status, reason = answer.get("status_code"), ""
    if status is None:
        said = _mapping(answer.get("status"), f"{where}: status")
        status, reason = said.get("code"), _text(said.get("message") or "", f"{where}: status")
    # JSON's `true` is an integer to Python, and no status in a record.
    if not isinstance(status, int) or isinstance(status, bool) or not 0 < status <= _STATUS_MAX:
        raise IntegrityError("this is no HTTP status", where=f"{where}: status")
    body = answer.get("body", answer.get("content"))
    return Interaction(
        method=_text(asked.get("method"), f"{where}: method").upper(),
        uri=uri,
        request_headers=tuple(
            (k.lower(), v) for k, v in _headers(asked.get("headers"), f"{where}: request headers")
        ),
        request_body=_body(asked.get("body"), f"{where}: request body"),
        status=status,
        reason=reason,
        http_version=_text(answer.get("http_version") or "", f"{where}: http_version"),
        response_headers=_headers(answer.get("headers"), f"{where}: response headers"),
        response_body=_body(body, f"{where}: response body"),
    )


def _headers(plain: Plain, where: str) -> Headers:
    """Return headers; a value may be one text or a list of them."""
    found: list[tuple[str, str]] = []
    for name, values in _mapping({} if plain is None else plain, where).items():
        listed = values if isinstance(values, list) else [values]
        found += [(name, _text(value, f"{where}: {name[:80]}")) for value in listed]
    return tuple(found)


def _body(plain: Plain, where: str) -> bytes:
    if plain is None:
        return b""
    if isinstance(plain, bytes):
        return plain
    if isinstance(plain, str):
        return plain.encode("utf-8", "surrogatepass")
    if isinstance(plain, dict):
        # The last two: a file or an iterator that was sent.
        for key in ("string", "state", "args"):
            if key in plain:
                return _body(plain[key], where)
    if isinstance(plain, list):
        if plain and isinstance(plain[0], list):
            plain = plain[0]
        pieces = [each for each in plain if isinstance(each, str | bytes)]
        return b"".join(_body(piece, where) for piece in pieces)
    raise IntegrityError("a body of a form that cannot be read", where=where)


def _mapping(plain: Plain, where: str) -> dict[str, Plain]:
    if not isinstance(plain, dict):
        raise IntegrityError("something else stands where names and values are to be", where=where)
    return plain


def _text(plain: Plain, where: str) -> str:
    if isinstance(plain, int) and not isinstance(plain, bool):
        return str(plain)
    if isinstance(plain, bytes):
        return plain.decode("latin-1")
    if not isinstance(plain, str):
        raise IntegrityError("no text where text is to be", where=where)
    return plain
