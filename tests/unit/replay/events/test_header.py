"""A header has one spelling; RFC 8785, by another implementation, is the oracle for it."""

from __future__ import annotations

import json

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from replay.errors import IntegrityError
from replay.events.header import (
    HEADER_SIZE_MAX,
    INTEGER_MAX,
    Header,
    decode_header,
    encode_header,
    read_header,
)

COUNTS = st.integers(0, INTEGER_MAX)
OPTIONAL = st.none() | COUNTS

HEADERS = st.builds(
    Header,
    answers=OPTIONAL,
    callbacks=OPTIONAL,
    causes=st.lists(COUNTS, max_size=5).map(tuple),
    commitment=st.text("0123456789abcdef", min_size=64, max_size=64),
    index=COUNTS,
    kind=st.text("ABCXYZabcxyz", min_size=1, max_size=40),
    lamport=COUNTS,
    media=st.sampled_from(["json", "framed"]),
    origin=OPTIONAL,
    outcome=st.sampled_from(["ok", "error", "cancelled", "timeout"]),
    part=OPTIONAL,
    participant=COUNTS,
    principal=OPTIONAL,
    resource=OPTIONAL,
    seq=COUNTS,
    size=COUNTS,
    task=COUNTS,
    time=COUNTS,
    trigger=st.sampled_from(["start", "delivery", "timer", "busy"]),
    v=st.just(1),
)

HEADER = Header(
    answers=1,
    causes=(1, 2),
    commitment="ab" * 32,
    index=0,
    kind="TaskEnded",
    lamport=3,
    media="json",
    participant=0,
    seq=3,
    size=10,
    task=0,
    time=1_700_000_000_000_000,
    v=1,
)
RAW = encode_header(HEADER)


def test_fields_are_declared_in_sorted_order():
    """The encoder writes them as declared, and the bytes must be sorted."""
    names = [field.encode_name for field in msgspec.structs.fields(Header)]

    assert names == sorted(names)
    assert all(name.isascii() for name in names)


def test_the_bytes_of_version_one_are_frozen():
    assert RAW == (
        b'{"answers":1,"causes":[1,2],"commitment":"' + b"ab" * 32 + b'","index":0,'
        b'"kind":"TaskEnded","lamport":3,"media":"json","participant":0,"seq":3,"size":10,'
        b'"task":0,"time":1700000000000000,"v":1}'
    )


@given(HEADERS)
def test_the_encoding_is_that_of_rfc_8785(header):
    assert encode_header(header) == rfc8785.dumps(json.loads(encode_header(header)))


@given(HEADERS)
def test_a_header_survives_its_bytes(header):
    assert decode_header(encode_header(header), header.seq) == header


@given(HEADERS, st.data())
def test_every_other_spelling_of_any_header_is_refused(header, data):
    """Any two headers have other bytes, and any change of bytes is refused or another header."""
    raw = bytearray(encode_header(header))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[place]))

    try:
        other = decode_header(bytes(raw))
    except IntegrityError:
        return
    assert other != header
    assert encode_header(other) == raw


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b",", b", ", id="white space"),
        pytest.param(b"}", b"}\n", id="final line feed"),
        pytest.param(b"{", b"\xef\xbb\xbf{", id="byte order mark"),
        pytest.param(b'"seq"', b'"\\u0073eq"', id="escape in a name"),
        pytest.param(b'"TaskEnded"', b'"\\u0054askEnded"', id="escape in a text"),
        pytest.param(b'"seq":3', b'"seq":3,"seq":3', id="duplicate name"),
        pytest.param(b'"seq":3', b'"seq":4,"seq":3', id="duplicate name, other value"),
        pytest.param(b'"part', b'"outcome":"ok","part', id="explicit default"),
        pytest.param(b'"part', b'"part":null,"part', id="explicit null"),
        pytest.param(b'"task":0', b'"task":-0', id="minus zero"),
        pytest.param(b'"seq":3', b'"seq":3.0', id="fraction"),
        pytest.param(b'"seq":3', b'"seq":3e0', id="exponent"),
        pytest.param(b'"seq":3', b'"seq":03', id="leading zero"),
        pytest.param(b'"seq":3', b'"seq":"3"', id="text for a number"),
        pytest.param(b'"seq":3', b'"seq":true', id="truth for a number"),
        pytest.param(b'"seq":3', b'"seq":-3', id="negative"),
        pytest.param(b'"seq":3', b'"seq":9007199254740992', id="2**53"),
        pytest.param(b'"seq":3', b'"seq":18446744073709551616', id="2**64"),
        pytest.param(b'"seq":3', b'"seq":' + b"9" * 5000, id="thousands of digits"),
        pytest.param(b'"v":1', b'"v":2', id="another version"),
        pytest.param(b'"v":1', b'"v":1,"w":1', id="unknown field"),
        pytest.param(b',"v":1', b"", id="missing field"),
        pytest.param(b'"v":1', b'"v":1}{"v":1', id="a second document"),
        pytest.param(b'"size":10,"task":0', b'"task":0,"size":10', id="another order"),
        pytest.param(b"[1,2]", b"[" * 900 + b"]" * 900, id="deep"),
        pytest.param(b"[1,2]", b"[" * 100_000, id="too deep"),
        pytest.param(b"[1,2]", b'"12"', id="text for a list"),
        pytest.param(b'"json"', b'"yaml"', id="unknown media"),
        pytest.param(b"abab", b"ABAB", id="upper case digits"),
        pytest.param(b"abab", b"ab", id="short commitment"),
        pytest.param(b"TaskEnded", b"Task Ended", id="kind with a space"),
        pytest.param(b"TaskEnded", b"", id="no kind"),
        pytest.param(b"TaskEnded", b"T" * 41, id="long kind"),
        pytest.param(b"TaskEnded", "Täsk".encode(), id="kind beyond ASCII"),
        pytest.param(b"TaskEnded", b"Task\xff", id="no UTF-8"),
        pytest.param(b"TaskEnded", b"TaskEnded\\n", id="kind with a line feed"),
        pytest.param(b'ab"', b'a\\n"', id="commitment with a line feed"),
        pytest.param(RAW, b"", id="nothing"),
        pytest.param(RAW, b"null", id="null"),
        pytest.param(RAW, b"[]", id="a list"),
    ],
)
def test_a_second_spelling_or_another_schema_is_refused(old, new):
    raw = RAW.replace(old, new, 1)
    assert raw != RAW

    with pytest.raises(IntegrityError) as caught:
        decode_header(raw, 3)
    assert caught.value.where == "event 3"


def test_a_header_claims_its_position():
    with pytest.raises(IntegrityError, match="claims position 3"):
        decode_header(RAW, 4)


@given(HEADERS)
def test_a_header_that_is_compared_later_is_read_as_it_is_decoded(header):
    assert read_header(encode_header(header), header.seq) == header


@pytest.mark.parametrize(
    "raw", [b"", b"{}", RAW[:-1], RAW.replace(b'"v":1', b'"v":2'), b"[" * 9999]
)
def test_what_is_no_header_cannot_be_read_either(raw):
    with pytest.raises(IntegrityError) as caught:
        read_header(raw, 3)
    assert caught.value.where == "event 3"


def test_a_header_that_is_read_claims_its_position():
    with pytest.raises(IntegrityError, match="claims position 3"):
        read_header(RAW, 4)


def test_a_gather_of_a_hundred_thousand_tasks_fits():
    header = msgspec.structs.replace(HEADER, causes=tuple(range(100_000)))

    assert decode_header(encode_header(header)) == header


def test_a_header_over_the_limit_is_refused_before_it_is_parsed():
    with pytest.raises(IntegrityError, match="over the limit"):
        decode_header(b"[" * (HEADER_SIZE_MAX + 1))
