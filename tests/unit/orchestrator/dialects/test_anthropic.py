"""The dialect's reading of requests and responses, good and hostile."""

from __future__ import annotations

import gzip
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.dialects.anthropic import dialect
from orchestrator.testing import Text, Thinking, ToolUse, Usage
from orchestrator.testing.draws import Draws
from orchestrator.testing.message_body import (
    Message,
    encode_json,
    message_body,
    message_events,
    stream_event,
)
from replay.doors.dialect import Dialect, RequestView, ResponseView
from replay.events.kinds import (
    PromptSent,
    RequestRetried,
    ResponseReceived,
    ToolCalled,
    ToolReturned,
)

NAME = "anthropic-messages"
JSON = (("content-type", "application/json"),)
STREAM = (("content-type", "text/event-stream; charset=utf-8"),)
MESSAGE = Message(
    id="msg_1",
    model="scripted",
    blocks=(
        Thinking("think", "sig"),
        Text("Größe "),
        ToolUse("weather", {"city": "東京", "n": 1}, "toolu_1"),
        Text("end"),
        ToolUse("empty", {}, "toolu_2"),
    ),
    stop_reason="tool_use",
    usage=Usage(
        input_tokens=11, output_tokens=22, cache_read_input_tokens=3, cache_creation_input_tokens=4
    ),
)
EVENTS = tuple(message_events(MESSAGE, (2, 3), Draws(b"")))
RECEIVED = ResponseReceived(
    dialect=NAME,
    status=200,
    response_id="msg_1",
    model="scripted",
    text="Größe end",
    thinking="think",
    stop_reason="tool_use",
    input_tokens=11,
    output_tokens=22,
    cache_read_tokens=3,
    cache_write_tokens=4,
    complete=True,
    error_type=None,
    error_message=None,
)
CALLS = (
    ToolCalled(dialect=NAME, call_id="toolu_1", name="weather", arguments='{"city":"東京","n":1}'),
    ToolCalled(dialect=NAME, call_id="toolu_2", name="empty", arguments="{}"),
)


def request(body=b"{}", path="/v1/messages", headers=()):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return RequestView(method="POST", path=path, query="", headers=headers, body=body)


def read(body, headers=STREAM, status=200, complete=True, path="/v1/messages"):
    view = ResponseView(status=status, headers=headers, body=body, complete=complete)
    return dialect.read_response(request(path=path), view)


def test_the_dialect_keeps_the_protocol():
    checked: Dialect = dialect

    assert checked.name == NAME
    assert checked.version == 1
    assert checked.compared_headers == {"anthropic-beta", "anthropic-version", "content-type"}


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/v1/messages", True),
        ("POST", "/v1/messages/count_tokens", True),
        ("POST", "/proxy/v1/messages", True),
        ("GET", "/v1/messages", False),
        ("POST", "/v1/messages/batches", False),
        ("POST", "/v1/chat/completions", False),
    ],
)
def test_it_matches_the_two_operations_under_any_prefix(method, path, expected):
    view = RequestView(method=method, path=path, query="beta=true", headers=(), body=b"")

    assert dialect.matches(view) is expected


def test_a_request_is_read_as_a_prompt():
    body = {
        "model": "scripted",
        "max_tokens": 64,
        "system": "Be brief.",
        "stream": True,
        "seed": 7,
        "tools": [{"name": "weather"}, {"type": "mcp_toolset"}],
        "messages": [{"role": "user", "content": "Hi"}],
    }

    assert dialect.read_request(request(body)) == (
        PromptSent(
            dialect=NAME,
            operation="messages",
            model="scripted",
            messages=1,
            system=True,
            tools=("weather", "mcp_toolset"),
            stream=True,
            max_tokens=64,
            seed="7",
        ),
    )


def test_results_in_the_last_message_of_the_user_and_a_retry_are_facts_of_their_own():
    earlier = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "old"}]}
    last = {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "a", "content": "rain"},
            {"type": "text", "text": "and"},
            {"type": "tool_result", "tool_use_id": "b", "is_error": True, "content": [{"x": 1}]},
            {"type": "tool_result", "tool_use_id": "c"},
        ],
    }
    prefill = {"role": "assistant", "content": "So:"}
    body = {"model": "m", "messages": [earlier, last, prefill]}
    headers = (("x-stainless-retry-count", "2"),)

    retried, prompt, *results = dialect.read_request(request(body, headers=headers))

    assert retried == RequestRetried(dialect=NAME, attempt=2)
    assert prompt.seed == "unsupported"
    assert prompt.max_tokens is None
    assert results == [
        ToolReturned(dialect=NAME, call_id="a", is_error=False, content='"rain"'),
        ToolReturned(dialect=NAME, call_id="b", is_error=True, content='[{"x":1}]'),
        ToolReturned(dialect=NAME, call_id="c", is_error=False, content="null"),
    ]


def test_counting_tokens_hands_no_result_back():
    result = {"type": "tool_result", "tool_use_id": "a", "content": "rain"}
    body = {"model": "m", "messages": [{"role": "user", "content": [result]}]}

    [prompt] = dialect.read_request(request(body, path="/v1/messages/count_tokens"))

    assert prompt.operation == "count_tokens"


@pytest.mark.parametrize("count", ["0", "-1", "x", "²", "1e3", "9" * 5000, ""])
def test_only_a_plain_count_above_zero_is_a_retry(count):
    facts = dialect.read_request(request(headers=(("x-stainless-retry-count", count),)))

    assert [type(fact) for fact in facts] == [PromptSent]


@pytest.mark.parametrize("newline", [b"\n", b"\r", b"\r\n"])
def test_a_stream_and_one_body_are_read_alike(newline):
    streamed = read(b"".join(EVENTS).replace(b"\n", newline))
    whole = read(encode_json(message_body(MESSAGE)), JSON)

    assert streamed == (RECEIVED, *CALLS)
    assert whole == (RECEIVED, *CALLS)


def test_arguments_are_the_exact_text_of_the_provider():
    block = b'{"type":"tool_use","id":"t","name":"f","input":{ "a" : 1.50 }}'
    body = b'{"type":"message","content":[' + block + b"]}"

    assert read(body, JSON)[1].arguments == '{ "a" : 1.50 }'


def test_an_encoded_body_is_decoded():
    body = gzip.compress(b"".join(EVENTS))

    assert read(body, (*STREAM, ("content-encoding", "gzip"))) == (RECEIVED, *CALLS)


def test_a_count_of_tokens_is_read():
    [fact] = read(b'{"input_tokens":9}', JSON, path="/v1/messages/count_tokens")

    assert (fact.input_tokens, fact.complete, fact.error_type) == (9, True, None)


def test_an_error_body_and_an_error_in_mid_stream_are_read():
    error = {"error": {"type": "overloaded_error", "message": "later"}}
    [refused] = read(encode_json({"type": "error"} | error), JSON, status=529)
    [broken] = read(b"".join(EVENTS[:4]) + stream_event("error", error) + EVENTS[-1])

    assert (refused.status, refused.error_type, refused.error_message, refused.complete) == (
        529,
        "overloaded_error",
        "later",
        True,
    )
    assert (broken.status, broken.error_type, broken.error_message, broken.complete) == (
        200,
        "overloaded_error",
        "later",
        False,
    )
    assert broken.thinking == "th"


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (b"<html>", JSON, 502, "json"),
        (b"<html>", (), 200, "json"),
        (b"[]", JSON, 200, "shape"),
        (b'{"foo":1}', JSON, 200, "shape"),
        (b"\xff", JSON, 200, "utf-8"),
        (b'{"a":' + b"[" * 1000 + b"]" * 1000 + b"}", JSON, 200, "nesting"),
        (b"x", (*JSON, ("content-encoding", "br")), 200, "content-encoding"),
        (EVENTS[0] + b"event: content_block_start\ndata: {\n\n", STREAM, 200, "json"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_word(body, headers, status, reason):
    [fact] = read(body, headers, status)

    assert (fact.error_type, fact.error_message, fact.complete) == ("unreadable", reason, False)
    assert fact.status == status


def test_a_bomb_is_refused():
    body = gzip.compress(bytes(65 * 1024 * 1024), compresslevel=1)

    [fact] = read(body, (*JSON, ("content-encoding", "gzip")))

    assert fact.error_message == "too-large"


def test_half_a_body_is_truncated_and_not_damaged():
    [fact] = read(encode_json(message_body(MESSAGE))[:50], JSON, complete=False)

    assert (fact.error_message, fact.complete) == ("truncated", False)


def test_a_stream_cut_at_any_byte_gives_a_prefix_and_no_calls():
    body = b"".join(EVENTS)
    for end in range(len(body)):
        fact, *calls = read(body[:end])

        assert calls == []
        assert not fact.complete
        assert fact.error_type is None
        assert RECEIVED.text.startswith(fact.text)
        assert RECEIVED.thinking.startswith(fact.thinking)


def test_a_complete_body_of_a_broken_exchange_is_not_complete():
    assert not read(b"".join(EVENTS), complete=False)[0].complete


def check(facts):
    """A reading that a record can carry: response first, then calls, encodable and bounded."""
    first, *calls = facts
    assert isinstance(first, ResponseReceived)
    assert all(isinstance(call, ToolCalled) for call in calls)
    assert not calls or first.complete
    for fact in facts:
        for value in msgspec.structs.asdict(fact).values():
            assert value is None or isinstance(value, (bool, int, str, tuple))
            assert not isinstance(value, int) or abs(value) < 2**53
        msgspec.json.encode(fact)


HEADERS = st.sampled_from(
    [JSON, STREAM, (), (*STREAM, ("content-encoding", "gzip")), (("content-encoding", "deflate"),)]
)
PATHS = st.sampled_from(["/v1/messages", "/v1/messages/count_tokens"])


@given(st.binary(max_size=500), HEADERS, st.integers(100, 599), st.booleans(), PATHS)
def test_no_bytes_make_a_reading_raise(body, headers, status, complete, path):
    check(read(body, headers, status, complete, path))
    for fact in dialect.read_request(request(body, path)):
        msgspec.json.encode(fact)


@given(st.data(), st.booleans())
def test_flipped_bits_of_a_good_answer_never_make_a_reading_raise(data, is_stream):
    good = b"".join(EVENTS) if is_stream else encode_json(message_body(MESSAGE))
    body = bytearray(good)
    for _ in range(data.draw(st.integers(1, 6))):
        body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    check(read(bytes(body), STREAM if is_stream else JSON))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["type", "index", "delta", "content_block", "message", "usage", "error", "content",
             "text", "input", "input_tokens", "stop_reason", "id", "name", "partial_json", "role",
             "messages", "tools", "tool_use_id", "model"]
        ),
        inner | st.sampled_from(["text", "tool_use", "text_delta", "tool_result", "user"]),
        max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip
EVENT_NAMES = st.sampled_from(
    ["message_start", "content_block_start", "content_block_delta", "content_block_stop",
     "message_delta", "message_stop", "error", "ping", "message"]
)  # fmt: skip


@given(st.lists(st.tuples(EVENT_NAMES, st.dictionaries(st.sampled_from(
    ["index", "delta", "content_block", "message", "usage", "error"]), VALUES))))  # fmt: skip
def test_events_of_wrong_shapes_are_read_without_raising(events):
    body = b"".join(stream_event(name, members) for name, members in events)

    check(read(body))
    check(read(body, complete=False))


@given(VALUES, VALUES)
def test_bodies_of_wrong_shapes_are_read_without_raising(messages, tools):
    prompt = {"model": messages, "messages": messages, "tools": tools, "system": tools}
    for fact in dialect.read_request(request(prompt)):
        msgspec.json.encode(fact)

    check(read(encode_json({"type": "message", "content": messages, "usage": tools}), JSON))
