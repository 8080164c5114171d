"""What of a request and a response is compared, observed, or never recorded."""

from __future__ import annotations

import httpx
import httpx2
import msgspec
import pytest

from replay.doors.http.wire import (
    CREDENTIAL_HEADERS,
    CREDENTIAL_PARAMETERS,
    request_head,
    request_view,
    response_view,
    wire_head,
    without_cookies,
)
from replay.events.kinds import ResponseStarted

SECRET = "s3cr3t-VALUE-0123456789"
LIBRARIES = pytest.mark.parametrize("library", [httpx, httpx2])


def _everything(request, compared=None):
    """All bytes that a request leaves in a record or shows a dialect, its body apart."""
    values = [request_head(request, compared), wire_head(request, None, None)]
    return msgspec.json.encode(values) + repr(request_view(request, b"")).encode()


@LIBRARIES
@pytest.mark.parametrize("name", sorted(CREDENTIAL_HEADERS))
@pytest.mark.parametrize("form", [SECRET, f"Bearer {SECRET}", f"{SECRET} x", f"a=b; c={SECRET}"])
def test_a_credential_header_is_recorded_by_name_alone(library, name, form):
    request = library.Request("GET", "https://host/path", headers={name.title(): form})

    assert SECRET.encode() not in _everything(request, frozenset({"accept"}))
    assert [key for key, _ in request_head(request, None).credentials] == [name]


@LIBRARIES
@pytest.mark.parametrize("name", sorted(CREDENTIAL_PARAMETERS))
def test_a_credential_parameter_is_recorded_by_name_alone(library, name):
    url = f"https://host/path?a=1&{name}={SECRET}&b=%C3%A4&{name.upper()}={SECRET}"
    request = library.Request("GET", url)
    head = request_head(request, None)

    assert SECRET.encode() not in _everything(request)
    assert {key for key, _ in head.credentials} == {f"?{name}", f"?{name.upper()}"}
    assert head.query == f"a=1&{name}=&b=%C3%A4&{name.upper()}="


@LIBRARIES
def test_user_information_of_a_url_is_recorded_by_presence(library):
    request = library.Request("GET", f"https://me:{SECRET}@host:8443/path")

    assert SECRET.encode() not in _everything(request)
    assert request_head(request, None).credentials == (("userinfo", ""),)
    assert wire_head(request, None, None).host == "host:8443"


@pytest.mark.parametrize(
    "name", ["x-vendor-token", "ocp-apim-subscription-key", "x-csrf", "x-session-id", "x-auth"]
)
def test_a_header_whose_name_tells_a_secret_is_observed_without_its_value(name):
    request = httpx2.Request("GET", "https://host/", headers={name: SECRET})

    assert SECRET.encode() not in _everything(request)
    assert (name, "") in wire_head(request, None, None).headers


def test_other_headers_are_observed_as_they_are():
    headers = {"user-agent": "me/1", "idempotency-key": "abc", "x-stainless-os": "Linux"}
    request = httpx2.Request("GET", "https://host/", headers=headers)

    assert set(headers.items()) <= set(wire_head(request, None, None).headers)


@pytest.mark.parametrize(
    ("value", "scheme"),
    [
        ("Bearer abc", "Bearer"),
        ("basic YWJj", "basic"),
        ("AWS4-HMAC-SHA256 Credential=abc", "AWS4-HMAC-SHA256"),
        ("abcdefgh ijklmnop", ""),
        ("Bearer", ""),
        ("", ""),
        (" abc", ""),
    ],
)
def test_the_scheme_of_a_credential_is_kept_only_if_it_is_one(value, scheme):
    request = httpx2.Request("GET", "https://host/", headers={"authorization": value})

    assert request_head(request, None).credentials == (("authorization", scheme),)


def test_only_the_headers_asked_for_are_compared():
    headers = {"X-B": "2", "x-a": "1", "accept": "x/y", "content-type": "t/u"}
    request = httpx2.Request("POST", "https://host/p?q=%20", headers=headers)

    assert request_head(request, frozenset({"x-b", "x-a"})).headers == (("x-a", "1"), ("x-b", "2"))
    assert request_head(request, None).headers == (("accept", "x/y"), ("content-type", "t/u"))
    assert request_head(request, None).query == "q=%20"


def _started(*headers):
    return ResponseStarted(status=200, headers=headers, http_version="HTTP/1.1", reason="OK")


@pytest.mark.parametrize(
    ("cookie", "recorded"),
    [
        (f"sid={SECRET}; Path=/; HttpOnly", "sid=recorded; Path=/; HttpOnly"),
        (f"sid={SECRET}", "sid=recorded;"),
        (f'sid="{SECRET}"; Max-Age=5', "sid=recorded; Max-Age=5"),
        (f"sid={SECRET}={SECRET}; Secure", "sid=recorded; Secure"),
    ],
)
def test_a_cookie_is_recorded_by_name_and_attributes(cookie, recorded):
    head = without_cookies(_started(("Set-Cookie", cookie), ("set-cookie", cookie), ("a", "b")))

    assert head.headers == (("Set-Cookie", recorded), ("set-cookie", recorded), ("a", "b"))


def test_a_cookie_without_a_name_keeps_nothing_of_itself():
    head = without_cookies(_started(("set-cookie", f"{SECRET}; Path=/")))

    assert SECRET not in repr(head)


def test_a_dialect_sees_no_cookie():
    view = response_view(_started(("Set-Cookie", SECRET), ("X", "y")), b"body", complete=True)

    assert view.headers == (("x", "y"),)


def test_the_providers_own_marks_are_observed():
    request = httpx2.Request("GET", "http://host/")
    started = _started(("Request-Id", "req_1"), ("Date", "today"))
    seen = wire_head(request, started, "ab" * 32)

    assert (seen.request_id, seen.response_date) == ("req_1", "today")
    assert (seen.scheme, seen.host, seen.http_version) == ("http", "host", "HTTP/1.1")
    assert seen.certificate == "ab" * 32
