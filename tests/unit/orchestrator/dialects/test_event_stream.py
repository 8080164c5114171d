"""Server-sent events by the rules of the specification, wherever the bytes are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.dialects.event_stream import EventStreamDecoder, StreamEvent

CASES = [
    (b"event: a\ndata: 1\n\n", [("a", "1")]),
    (b"event: a\rdata: 1\r\r", [("a", "1")]),
    (b"event: a\r\ndata: 1\r\n\r\n", [("a", "1")]),
    (b"data: 1\n\ndata: 2\n\n", [("message", "1"), ("message", "2")]),
    (b"data: 1\ndata: 2\ndata\n\n", [("message", "1\n2\n")]),
    (b": comment\ndata:no space\n\n", [("message", "no space")]),
    (b"data:  two spaces\n\n", [("message", " two spaces")]),
    (b"event: a\n\ndata: 1\n\n", [("message", "1")]),
    (b"\xef\xbb\xbfdata: 1\n\n", [("message", "1")]),
    (b"data: 1\n\n\xef\xbb\xbfdata: 2\n\n", [("message", "1")]),
    (b"id: 7\nretry: 10\nunknown: x\ndata: \xe6\x97\xa5\n\n", [("message", "日")]),
    (b"data: \xff\n\n", [("message", "\N{REPLACEMENT CHARACTER}")]),
    (b"data: line separator \xe2\x80\xa8 is no line end\n\n", None),
    (b"data: never ended\n", []),
    (b"", []),
]


@pytest.mark.parametrize(("body", "expected"), CASES)
def test_a_stream_is_read_as_the_specification_says(body, expected):
    if expected is None:
        expected = [("message", "line separator \N{LINE SEPARATOR} is no line end")]

    assert EventStreamDecoder().feed(body) == [StreamEvent(*event) for event in expected]


FRAGMENTS = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"data: x", b"data", b"event: e", b": c", b"\xef\xbb\xbf", b"\xe6\x97"]
)


@given(st.data(), st.lists(FRAGMENTS, max_size=30).map(b"".join))
def test_where_the_bytes_are_cut_changes_nothing(data, body):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    decoder = EventStreamDecoder()
    edges = [0, *cuts, len(body)]

    pieces = [decoder.feed(body[a:b]) for a, b in pairwise(edges)]

    assert [event for piece in pieces for event in piece] == EventStreamDecoder().feed(body)
