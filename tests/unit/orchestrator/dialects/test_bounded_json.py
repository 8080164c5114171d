"""JSON from outside: bounds, and wrong types that are read as absent."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.dialects.bounded_json import (
    NESTING_MAX,
    UnreadableError,
    compact_text,
    fields,
    integer,
    parse_object,
    text,
)


def nested(depth):
    """An object whose member is nested so that the whole is `depth` deep."""
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "json"),
        (b"{", "json"),
        (b'{"a":NaN}', "json"),
        (b"[1]", "shape"),
        (b"1", "shape"),
        (b'{"a":"\xff"}', "utf-8"),
        (nested(NESTING_MAX + 1), "nesting"),
        (b"[" * 100_000, "nesting"),
        (b'"' + b'\\"' * 200_000, "json"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)}-bytes",
)
def test_what_is_no_bounded_object_is_refused_with_a_word(data, reason):
    with pytest.raises(UnreadableError) as caught:
        parse_object(data)

    assert caught.value.reason == reason


def test_nesting_up_to_the_bound_is_read_and_brackets_in_strings_do_not_count():
    assert parse_object(nested(NESTING_MAX))
    assert parse_object(json.dumps({"a": '[{"\\' * 1000, "b": ["]"] * 1000}).encode())
    assert parse_object(json.dumps([{"a": [1]}] * 1000).encode().join([b'{"a":', b"}"]))


def test_a_lone_surrogate_is_read_as_the_replacement_character():
    members = parse_object(rb'{"a":"x\ud83dy","b":"\ud83d\ude00","c":"\\ud83d","d":"\ude00"}')

    assert {name: text(raw) for name, raw in members.items()} == {
        "a": "x\N{REPLACEMENT CHARACTER}y",
        "b": "😀",
        "c": "\\ud83d",
        "d": "\N{REPLACEMENT CHARACTER}",
    }


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1", 1),
        ("-9007199254740991", -(2**53) + 1),
        ("9007199254740992", None),
        ("1" * 5000, None),
        ("1e400", None),
        ("1.5", None),
        ("true", None),
        ('"1"', None),
        ("null", None),
    ],
)
def test_integers_are_those_that_every_reader_holds_exactly(written, read):
    assert integer(parse_object(f'{{"a":{written}}}'.encode())["a"]) == read


def test_compact_text_keeps_every_token_as_it_was_written():
    members = parse_object(b'{"a" : { "b" : [ 1.10 , "\\u00e9  " ] } }')

    assert compact_text(members["a"]) == '{"b":[1.10,"\\u00e9  "]}'
    assert compact_text(None) == "null"
    assert fields(members["a"]).keys() == {"b"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON), st.booleans())
def test_every_object_that_the_standard_library_writes_is_read(value, ascii_only):
    data = json.dumps(value, ensure_ascii=ascii_only).encode()

    read = {name: json.loads(bytes(raw)) for name, raw in parse_object(data).items()}

    assert read == value


@given(st.binary(max_size=200) | st.text('[]{}"\\u:,d8', max_size=300).map(str.encode))
def test_no_bytes_raise_anything_else(data):
    try:
        reason = None if parse_object(data).keys() else "empty"
    except UnreadableError as error:
        reason = error.reason

    assert reason in {None, "empty", "json", "shape", "utf-8", "nesting"}
