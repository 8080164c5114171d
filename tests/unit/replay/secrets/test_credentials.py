"""What is a credential in the head of a message, and what is none."""

from __future__ import annotations

import pytest

from replay.secrets.credentials import answered_credentials, query_credentials


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Location", "/x?token=abc&page=2", [("answer:location?token", "abc")]),
        ("Location", "/x?page=2#access_token=abc", [("answer:location?access_token", "abc")]),
        ("location", "?TOKEN=a%2Fb+c", [("answer:location?token", "a/b+c")]),
        ("Refresh", '3; url="/x?sig=abc"', [("answer:refresh?sig", "abc")]),
        (
            "Link",
            "</a?key=one>; rel=next, </b?password=two>",
            [("answer:link?key", "one"), ("answer:link?password", "two")],
        ),
        ("Authorization", "Bearer abc", [("answer:authorization", "abc")]),
        ("X-Api-Key", "abc", [("answer:x-api-key", "abc")]),
        ("Set-Cookie", "token=abc", []),
        ("X-Other", "/x?token=abc", []),
        ("Location", "/x?code=abc&monkey=1&token=", []),
        ("WWW-Authenticate", 'Digest nonce="abc"', []),
    ],
)
def test_the_head_of_a_response(name, value, expected):
    assert answered_credentials([(name, value)]) == expected


def test_a_query_has_those_that_are_not_recorded_by_name_alone():
    query = "password=a&token=b&X-Amz-Signature=c%3D&xpassword=d"

    assert query_credentials(query) == [("query:password", "a"), ("query:x-amz-signature", "c=")]


def test_one_head_brings_a_bounded_number():
    links = "".join(f"</?token={n}>," for n in range(100_000))

    assert len(answered_credentials([("Link", links)])) == 16
