"""The scripted provider in front of the real client, over real sockets."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from pathlib import Path

import httpx2
import pytest

from orchestrator.testing import (
    Abort,
    Answer,
    Delivery,
    Echo,
    Rule,
    Script,
    ScriptedProvider,
    Text,
    Thinking,
    ToolUse,
    Usage,
    overloaded,
    rate_limited,
    reset_before_head,
    reset_in_body,
    server_error,
    stream_error,
)

pytestmark = pytest.mark.imports_sdk

ASK = {"model": "scripted", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}
WEATHER = {
    "name": "weather",
    "description": "tells the weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    },
}
FEW = "0.01"


def scripted(*answers: Answer, **rest) -> ScriptedProvider:
    return ScriptedProvider(script=Script(rules=(Rule(answers=answers, **rest),)))


def client_of(provider, **options):
    import anthropic

    return anthropic.Anthropic(base_url=provider.base_url, api_key="sk-test-0123456789", **options)


def ask(provider, **more):
    with client_of(provider) as client:
        return client.messages.create(**ASK | more)


def stream(provider, **more):
    with client_of(provider) as client, client.messages.stream(**ASK | more) as events:
        pieces = list(events.text_stream)
        return pieces, events.get_final_message()


def raw_chunks(provider, body, **options):
    with (
        httpx2.Client() as client,
        client.stream("POST", provider.base_url + "/v1/messages", json=body, **options) as answer,
    ):
        return answer, list(answer.iter_raw())


def test_a_scripted_answer_arrives_as_the_client_knows_it():
    blocks = (
        Thinking("hm", "sig"),
        Text("Größe: 東京"),
        ToolUse("weather", {"city": "Köln"}, "t1"),
    )
    usage = Usage(input_tokens=5, output_tokens=7, cache_read_input_tokens=3)

    with scripted(Answer(blocks=blocks, usage=usage, response_id="msg_1")) as provider:
        message = ask(provider)

    assert message.id == "msg_1"
    assert message.stop_reason == "tool_use"
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.content[2].input == {"city": "Köln"}
    assert message.usage.cache_read_input_tokens == 3
    assert message._request_id.startswith("req_")


def test_a_stream_adds_up_to_the_scripted_answer():
    blocks = (
        Thinking("hm hm", "sig"),
        Text("Größe: 東京 🎵"),
        ToolUse("weather", {"n": [1, None]}),
    )

    with scripted(Answer(blocks=blocks, piece_sizes=(3, 1))) as provider:
        pieces, message = stream(provider)

    assert pieces[:2] == ["Grö", "ß"]
    assert message.content[0].thinking == "hm hm"
    assert message.content[0].signature == "sig"
    assert message.content[1].text == "Größe: 東京 🎵"
    assert message.content[2].input == {"n": [1, None]}


async def _async_round(provider):
    import anthropic

    async with anthropic.AsyncAnthropic(base_url=provider.base_url, api_key="test") as client:
        whole = await client.messages.create(**ASK)
        async with client.messages.stream(**ASK) as events:
            streamed = await events.get_final_message()
        count = await client.messages.count_tokens(model="scripted", messages=ASK["messages"])
        models = [model.id async for model in client.models.list()]
    return whole, streamed, count.input_tokens, models


def test_the_async_client_asks_streams_counts_and_lists():
    with ScriptedProvider() as provider:
        whole, streamed, count, models = asyncio.run(_async_round(provider))

    assert whole.content[0].text
    assert streamed.content[0].text
    assert count > 0
    assert models == ["scripted-large", "scripted-small"]


def test_tools_are_called_once_and_their_results_are_answered_with_text():
    with ScriptedProvider() as provider:
        call = ask(provider, tools=[WEATHER])
        used = [block for block in call.content if block.type == "tool_use"]
        result = {"type": "tool_result", "tool_use_id": used[0].id, "content": "rain"}
        messages = [
            *ASK["messages"],
            {"role": "assistant", "content": call.content},
            {"role": "user", "content": [result]},
        ]
        answer = ask(provider, tools=[WEATHER], messages=messages)

    assert [block.name for block in used] == ["weather"]
    assert isinstance(used[0].input["city"], str)
    assert isinstance(used[0].input["days"], int)
    assert answer.stop_reason == "end_turn"
    assert [block.type for block in answer.content] == ["text"]


def test_a_tool_choice_and_the_script_decide_which_tools_are_called():
    other = WEATHER | {"name": "other"}

    def called(script, **more):
        with ScriptedProvider(script=script) as provider:
            content = ask(provider, tools=[WEATHER, other], **more).content
        return [(block.name, block.input) for block in content if block.type == "tool_use"]

    given = Script(tool_inputs=(("weather", {"city": "Bonn"}),), tools="first")
    assert called(given) == [("weather", {"city": "Bonn"})]
    assert called(Script(tools="none")) == []
    assert called(Script(), tool_choice={"type": "none"}) == []
    [(name, _)] = called(Script(), tool_choice={"type": "tool", "name": "other"})
    assert name == "other"
    assert len(called(Script())) == 2


def test_thinking_comes_first_when_it_is_asked_for():
    thinking = {"type": "enabled", "budget_tokens": 1024}

    with ScriptedProvider() as provider:
        message = ask(provider, thinking=thinking, max_tokens=2048)

    assert message.content[0].type == "thinking"


def test_pure_answers_are_a_function_of_the_request_and_wild_ones_are_not():
    def twice(mode, **options):
        seen = []
        for _ in range(2):
            with ScriptedProvider(mode=mode, **options) as provider:
                answer, chunks = raw_chunks(provider, ASK | {"stream": True})
                seen.append((answer.headers["request-id"], chunks))
        return seen

    first, second = twice("pure")
    assert first == second
    first, second = twice("wild")
    assert first != second
    first, second = twice("wild", seed=7)
    assert first == second
    assert twice("pure", seed=1)[0] != twice("pure", seed=2)[0]


@pytest.mark.parametrize("fault", [rate_limited(FEW), overloaded(FEW), server_error(FEW)])
def test_the_client_retries_what_may_pass(fault):
    with scripted(fault, fault) as provider:
        assert ask(provider).content

        retries = [record.header("x-stainless-retry-count") for record in provider.requests]
    assert retries == ["0", "1", "2"]


def test_should_retry_false_ends_the_retries():
    import anthropic

    with scripted(server_error(should_retry=False)) as provider:
        with pytest.raises(anthropic.InternalServerError):
            ask(provider)

        assert len(provider.requests) == 1


def test_a_reset_before_the_head_is_a_lost_connection():
    import anthropic

    with scripted(reset_before_head(), repeat=True) as provider:
        with (
            client_of(provider, max_retries=0) as client,
            pytest.raises(anthropic.APIConnectionError),
        ):
            client.messages.create(**ASK)

        assert len(provider.requests) == 1


@pytest.mark.parametrize("how", ["reset", "close"])
def test_an_abort_in_mid_body_shows_what_came_before_and_then_fails(how):
    delivery = Delivery(abort=Abort(after_bytes=10, how=how), latency_ms=0)
    got = []

    with (
        scripted(Answer(blocks=(Text("hello"),), delivery=delivery)) as provider,
        httpx2.Client() as client,
        client.stream("POST", provider.base_url + "/v1/messages", json=ASK) as answer,
        pytest.raises(httpx2.TransportError),
    ):
        got.extend(answer.iter_raw())

    assert len(b"".join(got)) == 10


def test_a_reset_in_the_body_ends_the_stream_of_the_client_with_an_error():
    with scripted(reset_in_body(400)) as provider, pytest.raises(httpx2.TransportError):
        stream(provider)


def test_an_error_in_mid_stream_reaches_the_client():
    import anthropic

    with scripted(stream_error(4, "api_error")) as provider:
        with pytest.raises(anthropic.APIStatusError) as caught:
            stream(provider)

        assert caught.value.body["error"]["type"] == "api_error"


def test_every_byte_can_be_a_chunk_of_its_own():
    answer = Answer(blocks=(Text("日本 ü"),), delivery=Delivery(chunk_sizes=(1,)))

    with scripted(answer, answer, repeat=True) as provider:
        _, chunks = raw_chunks(provider, ASK | {"stream": True})
        _, message = stream(provider)

    assert {len(chunk) for chunk in chunks} == {1}
    assert message.content[0].text == "日本 ü"


def test_chunks_are_cut_at_sizes_offsets_and_inside_characters():
    def chunks_with(**options):
        answer = Answer(body="aüb日".encode(), delivery=Delivery(**options))
        with scripted(answer) as provider:
            return raw_chunks(provider, ASK)[1]

    assert chunks_with() == ["aüb日".encode()]
    assert chunks_with(chunk_sizes=(2, 3)) == [b"a\xc3", b"\xbcb\xe6", b"\x97\xa5"]
    assert chunks_with(cut_at=(1, 99)) == [b"a", "üb日".encode()]
    assert chunks_with(cut_inside_characters=True) == [b"a\xc3", b"\xbcb\xe6", b"\x97", b"\xa5"]


def test_gzip_is_used_when_it_is_accepted_only():
    answer = Answer(blocks=(Text("ü" * 50),), delivery=Delivery(gzip=True, chunk_sizes=(7,)))

    with scripted(answer, repeat=True) as provider:
        _, message = stream(provider)
        packed, chunks = raw_chunks(provider, ASK)
        plain, _ = raw_chunks(provider, ASK, headers={"accept-encoding": "identity"})

    assert message.content[0].text == "ü" * 50
    assert packed.headers["content-encoding"] == "gzip"
    assert b"".join(chunks)[:2] == b"\x1f\x8b"
    assert "content-encoding" not in plain.headers


def test_an_echo_repeats_the_credential_and_is_cut_where_asked():
    answer = Answer(echo=Echo(cut_at=(3,)), piece_sizes=(1000,))

    with scripted(answer, repeat=True) as provider:
        _, message = stream(provider)
        _, chunks = raw_chunks(provider, ASK, headers={"x-api-key": "sk-secret"})

    assert message.content[0].text == "You sent sk-test-0123456789 to me."
    assert any(chunk.endswith(b"You sent sk-") for chunk in chunks)
    assert any(chunk.startswith(b"secret to me.") for chunk in chunks)


def test_an_echo_of_a_given_text_needs_no_credential():
    with scripted(Answer(echo=Echo(text="canary", before="", after=""))) as provider:
        assert ask(provider).content[0].text == "canary"


def test_rules_choose_by_text_path_ordinal_and_predicate_and_answers_run_out():
    script = Script(
        rules=(
            Rule(contains="sun", answers=(Answer(blocks=(Text("one"),)),)),
            Rule(ordinal=1, answers=(Answer(blocks=(Text("two"),)),)),
            Rule(path="/v1/models", answers=(Answer(body=b"{}"),)),
            Rule(
                when=lambda request: b"moon" in request.body,
                answers=(Answer(blocks=(Text("moon"),)),),
                repeat=True,
            ),
        ),
        default=Answer(blocks=(Text("default"),)),
    )
    sun = [{"role": "user", "content": "the sun"}]
    moon = [{"role": "user", "content": "the moon"}]

    with ScriptedProvider(script=script) as provider:
        said = [
            ask(provider, messages=messages).content[0].text
            for messages in (sun, sun, sun, moon, moon)
        ]

    assert said == ["one", "two", "default", "moon", "moon"]


def test_a_failing_predicate_is_told_and_not_retried():
    import anthropic

    with scripted(Answer(), when=lambda request: 1 / 0) as provider:
        with pytest.raises(anthropic.InternalServerError, match="ZeroDivisionError"):
            ask(provider)

        assert len(provider.requests) == 1


def test_the_log_holds_what_was_sent_and_connections_are_kept():
    with ScriptedProvider() as provider:
        with client_of(provider) as client:
            client.messages.create(**ASK)
            client.messages.create(**ASK)
        first, second = provider.requests

    assert (first.method, first.path, first.ordinal) == ("POST", "/v1/messages", 0)
    assert first.header("authorization") == "Bearer sk-test-0123456789"
    assert first.header("anthropic-version")
    assert first.prompt_text.split("\n") == ["user", "Hi", "scripted"]
    assert (first.connection, second.connection) == (0, 0)
    assert first.body == second.body


def test_a_delivery_can_close_the_connection():
    with scripted(Answer(delivery=Delivery(keep_alive=False)), repeat=True) as provider:
        with client_of(provider) as client:
            client.messages.create(**ASK)
            client.messages.create(**ASK)

        assert [record.connection for record in provider.requests] == [0, 1]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/v1/models", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/v1/messages", 405),
        ("POST", "/v1/messages", 400),
    ],
)
def test_paths_are_answered_as_an_api_would(method, path, status):
    with ScriptedProvider() as provider:
        answer = httpx2.request(method, provider.base_url + path)

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /v1/messages HTTP/1.1\r\ncontent-length: 101\r\n\r\n", b"413"),
        (b"POST /v1/messages HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", b"411"),
        (b"POST /v1/messages HTTP/1.1\r\ncontent-length: -1\r\n\r\n", b"400"),
        (b"POST /v1/messages HTTP/1.1\r\nno field\r\n\r\n", b"400"),
        (b"GET / HTTP/1.0\r\n\r\n", b"400"),
        (b"x" * 70_000, b"431"),
    ],
    ids=lambda value: f"{len(value)}-bytes" if len(value) > 3 else value.decode(),
)
def test_what_is_too_large_or_malformed_is_refused_and_the_connection_ends(sent, status):
    with ScriptedProvider(body_size_max=100) as provider:
        port = int(provider.base_url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(sent)
            answer = b""
            while data := connection.recv(65_536):
                answer += data

        assert answer.startswith(b"HTTP/1.1 " + status)
        assert provider.requests == ()


async def _many(provider, count):
    import anthropic

    limits = httpx2.Limits(max_connections=count)
    client = anthropic.AsyncAnthropic(
        base_url=provider.base_url,
        api_key="test",
        http_client=anthropic.DefaultAsyncHttpxClient(limits=limits),
    )

    async def one(number):
        messages = [{"role": "user", "content": f"question {number}"}]
        async with client.messages.stream(**ASK | {"messages": messages}) as events:
            return (await events.get_final_message()).content[0].text

    async with client:
        return await asyncio.gather(*(one(number) for number in range(count)))


def test_64_streams_at_once_are_all_open_at_the_same_time():
    # Nobody gets an answer before everybody has asked: only concurrent service can pass.
    everybody = threading.Barrier(64)
    rule = Rule(when=lambda request: everybody.wait(30) >= 0, answers=(Answer(),), repeat=True)

    with ScriptedProvider(mode="wild", script=Script(rules=(rule,))) as provider:
        texts = asyncio.run(_many(provider, 64))

        assert len(provider.requests) == 64
    assert all(texts)


def open_descriptors():
    return len(list(Path("/dev/fd").iterdir()))


def test_stopping_leaves_no_socket_and_no_thread_even_in_mid_answer():
    gc.collect()  # What other tests left open must not close in between.
    threads, descriptors = threading.active_count(), open_descriptors()
    slow = Answer(delivery=Delivery(chunk_latency_ms=60_000, chunk_sizes=(1,)))

    with scripted(slow) as provider, httpx2.Client() as client:
        address = ("127.0.0.1", int(provider.base_url.rpartition(":")[2]))
        with (
            socket.create_connection(address),
            client.stream("POST", provider.base_url + "/v1/messages", json=ASK) as answer,
        ):
            chunks = answer.iter_raw()
            first = next(chunks)
            provider.stop()
            with pytest.raises(httpx2.TransportError):
                next(chunks)

    assert first == b"{"
    assert threading.active_count() == threads
    assert open_descriptors() == descriptors


def test_an_abandoned_stream_leaves_the_provider_answering():
    slow = Answer(blocks=(Text("x" * 400),), delivery=Delivery(chunk_sizes=(1,)))

    with scripted(slow) as provider:
        with httpx2.Client() as client:
            url = provider.base_url + "/v1/messages"
            with client.stream("POST", url, json=ASK) as answer:
                next(answer.iter_raw())

        assert ask(provider).content


def test_a_provider_that_has_not_started_has_no_address():
    with pytest.raises(RuntimeError):
        ScriptedProvider().base_url  # noqa: B018 - reading it is the point
