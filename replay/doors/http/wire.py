"""What of an HTTP exchange is compared, what is only observed, and what is never recorded.

Credentials go to the wire untouched and are recorded as name and scheme, compared by presence. The
headers on a closed list are compared; the others may differ between machines and SDK patches.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any, Final
from urllib.parse import parse_qsl, quote

import msgspec

from replay.doors.dialect import RequestView, ResponseView
from replay.events.kinds import RequestSent, ResponseStarted, WireObserved
from replay.secrets.credentials import (
    CREDENTIAL_HEADERS,
    CREDENTIAL_PARAMETERS,
    query_credentials,
    scheme_of,
)

__all__ = [
    "COMPARED_HEADERS",
    "CREDENTIAL_HEADERS",
    "CREDENTIAL_PARAMETERS",
    "credential_values",
    "decoded_body",
    "request_head",
    "request_view",
    "response_view",
    "wire_head",
    "without_cookies",
]

#: Compared for every exchange that no dialect claims.
COMPARED_HEADERS: Final = frozenset({"accept", "content-type"})

#: A header that is only observed and has one of these in its name is recorded without its value.
_TELLING: Final = ("auth", "cookie", "csrf", "key", "pass", "secret", "session", "token", "xsrf")
_NOT_TELLING: Final = frozenset({"idempotency-key"})
_DECODED_BYTES_MAX: Final = 16 << 20
_REQUEST_IDS: Final = ("request-id", "x-request-id", "x-goog-request-id", "cf-ray")
_SECRET_RESPONSE_HEADERS: Final = frozenset({"set-cookie"})


def request_head(request: Any, compared: frozenset[str] | None) -> RequestSent:
    """Return what is compared of a request, its body apart."""
    wanted = COMPARED_HEADERS if compared is None else compared
    path, query, hidden = _target(request)
    headers = _headers(request)
    credentials = [(k, scheme_of(v)) for k, v in headers if k in CREDENTIAL_HEADERS]
    credentials += [(f"?{name}", "") for name in hidden]
    if request.url.userinfo:
        credentials.append(("userinfo", ""))
    return RequestSent(
        method=request.method,
        path=path,
        query=query,
        headers=tuple(sorted((k, v) for k, v in headers if k in wanted)),
        credentials=tuple(sorted(credentials)),
    )


def wire_head(
    request: Any, response: ResponseStarted | None, certificate: str | None
) -> WireObserved:
    """Return what else was seen on the wire."""
    found = {} if response is None else {k.lower(): v for k, v in response.headers}
    url = request.url
    return WireObserved(
        scheme=url.scheme,
        host=url.host if url.port is None else f"{url.host}:{url.port}",
        headers=tuple(
            (k, "" if _is_telling(k) else v)
            for k, v in _headers(request)
            if k not in CREDENTIAL_HEADERS and k != "host"
        ),
        http_version="" if response is None else response.http_version,
        request_id=next((found[name] for name in _REQUEST_IDS if name in found), None),
        response_date=found.get("date"),
        certificate=certificate,
    )


def request_view(request: Any, content: bytes) -> RequestView:
    """Return a request as a dialect sees it: no credentials."""
    path, query, _ = _target(request)
    headers = tuple(
        (k, v) for k, v in _headers(request) if k not in CREDENTIAL_HEADERS and not _is_telling(k)
    )
    return RequestView(method=request.method, path=path, query=query, headers=headers, body=content)


def response_view(head: ResponseStarted, body: bytes, *, complete: bool) -> ResponseView:
    """Return a response as a dialect sees it."""
    headers = tuple(
        (k.lower(), v) for k, v in head.headers if k.lower() not in _SECRET_RESPONSE_HEADERS
    )
    return ResponseView(status=head.status, headers=headers, body=body, complete=complete)


def decoded_body(head: ResponseStarted, body: bytes) -> bytes | None:
    """Return a body whose content encoding hid its text, None if nothing was hidden.

    Only what the standard library undoes, and at most 16 MiB of it; a damaged body gives what
    could be read.
    """
    encodings = [v.strip().lower() for k, v in head.headers if k.lower() == "content-encoding"]
    if not encodings or encodings == ["identity"]:
        return None
    for bits in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):
        try:
            return zlib.decompressobj(bits).decompress(body, _DECODED_BYTES_MAX)
        except zlib.error:
            continue
    return b""


def credential_values(request: Any) -> list[tuple[str, str]]:
    """Return (source, value) of the credentials in a request's headers and query."""
    found: list[tuple[str, str]] = []
    for name, value in _headers(request):
        if name in CREDENTIAL_HEADERS and name != "cookie":
            scheme = scheme_of(value)
            secret = value[len(scheme) :].strip()
            found.append((f"header:{name}", _password(secret) if scheme == "Basic" else secret))
    _, _, query = request.url.raw_path.decode("ascii", "replace").partition("?")
    return found + query_credentials(query)


def _password(token: str) -> str:
    """Return the password in a Basic credential; what cannot be read has none."""
    try:
        return base64.b64decode(token, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def without_cookies(head: ResponseStarted) -> ResponseStarted:
    """Return a head as it is recorded: cookies by name and attributes, not by value."""
    headers = tuple(
        (k, _cookie_name(v)) if k.lower() in _SECRET_RESPONSE_HEADERS else (k, v)
        for k, v in head.headers
    )
    return msgspec.structs.replace(head, headers=headers)


def _cookie_name(value: str) -> str:
    pair, _, attributes = value.partition(";")
    name, equals, _ = pair.partition("=")
    # Without a name it is all value.
    return f"{name}=recorded;{attributes}" if equals else f"recorded;{attributes}"


def _headers(request: Any) -> list[tuple[str, str]]:
    return [(k.decode("latin-1").lower(), v.decode("latin-1")) for k, v in request.headers.raw]


def _is_telling(name: str) -> bool:
    return name not in _NOT_TELLING and any(part in name for part in _TELLING)


def _target(request: Any) -> tuple[str, str, list[str]]:
    """Return path, query without credentials, and the names of those taken out."""
    path, _, query = request.url.raw_path.decode("ascii", "replace").partition("?")
    if not query:
        return path, "", []
    pairs = parse_qsl(query, keep_blank_values=True)
    hidden = sorted({k for k, _ in pairs if k.lower() in CREDENTIAL_PARAMETERS})
    if not hidden:
        return path, query, []
    kept = [(k, "" if k in hidden else v) for k, v in pairs]
    return path, "&".join(f"{quote(k)}={quote(v)}" for k, v in kept), hidden
