"""The dialect reads what the real client accumulates from the same bytes.

The bytes come over a real socket from the scripted provider, cut in many ways; the client's answer
and the dialect's facts must say the same.
"""

from __future__ import annotations

import json

import httpx2
import pytest

from orchestrator.dialects.anthropic import dialect
from orchestrator.testing import Answer, Delivery, Rule, Script, ScriptedProvider
from replay.doors.dialect import RequestView, ResponseView

pytestmark = pytest.mark.imports_sdk

TOOLS = [
    {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {}}}},
    {"name": "nothing", "input_schema": {"type": "object"}},
]
CUTS = [
    Delivery(),
    Delivery(chunk_sizes=(1,)),
    Delivery(chunk_sizes=(7, 1, 64)),
    Delivery(cut_inside_characters=True),
    Delivery(gzip=True),
    Delivery(gzip=True, chunk_sizes=(1,)),
]


class TappedStream(httpx2.SyncByteStream):
    def __init__(self, inner, chunks):
        self.inner, self.chunks = inner, chunks

    def __iter__(self):
        for chunk in self.inner:
            self.chunks.append(chunk)
            yield chunk

    def close(self):
        self.inner.close()


class Tap(httpx2.HTTPTransport):
    """Keeps the exact bytes of each exchange beside what the client makes of them."""

    def __init__(self):
        super().__init__()
        self.exchanges = []

    def handle_request(self, request):
        response = super().handle_request(request)
        chunks = []
        self.exchanges.append((request, response, chunks))
        response.stream = TappedStream(response.stream, chunks)
        return response

    def facts(self):
        request, response, chunks = self.exchanges[-1]
        asked = RequestView(
            method=request.method,
            path=request.url.path,
            query=request.url.query.decode(),
            headers=tuple((name.lower(), value) for name, value in request.headers.items()),
            body=request.content,
        )
        answered = ResponseView(
            status=response.status_code,
            headers=tuple((name.lower(), value) for name, value in response.headers.items()),
            body=b"".join(chunks),
            complete=True,
        )
        return dialect.read_request(asked), dialect.read_response(asked, answered)


def agrees(facts, message):
    """Compares one reading with the message of the client."""
    received, *calls = facts
    blocks = message.content
    assert received.response_id == message.id
    assert received.model == message.model
    assert received.stop_reason == message.stop_reason
    assert received.text == "".join(block.text for block in blocks if block.type == "text")
    assert received.thinking == "".join(
        block.thinking for block in blocks if block.type == "thinking"
    )
    usage = message.usage
    assert (received.input_tokens, received.output_tokens) == (
        usage.input_tokens,
        usage.output_tokens,
    )
    assert (received.cache_read_tokens, received.cache_write_tokens) == (
        usage.cache_read_input_tokens,
        usage.cache_creation_input_tokens,
    )
    assert received.complete
    assert [(call.call_id, call.name, json.loads(call.arguments)) for call in calls] == [
        (block.id, block.name, block.input) for block in blocks if block.type == "tool_use"
    ]


@pytest.mark.parametrize("mode", ["pure", "wild"])
@pytest.mark.parametrize("delivery", CUTS)
def test_a_conversation_with_tools_reads_as_the_client_has_it(mode, delivery):
    import anthropic

    rule = Rule(answers=(Answer(delivery=delivery),), repeat=True)
    asked = {"model": "m", "max_tokens": 2048, "tools": TOOLS}
    asked["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    tap = Tap()

    with (
        ScriptedProvider(mode=mode, script=Script(rules=(rule,))) as provider,
        httpx2.Client(transport=tap) as http,
    ):
        client = anthropic.Anthropic(base_url=provider.base_url, api_key="k", http_client=http)
        messages = [{"role": "user", "content": "Wie groß ist 東京?"}]
        for turn in range(2):
            with client.messages.stream(messages=messages, **asked) as stream:
                streamed = stream.get_final_message()
            agrees(tap.facts()[1], streamed)
            whole = client.messages.create(messages=messages, **asked)
            prompt, *returned = tap.facts()[0]
            agrees(tap.facts()[1], whole)

            assert prompt.tools == ("weather", "nothing")
            assert prompt.messages == len(messages)
            calls = [block for block in whole.content if block.type == "tool_use"]
            assert len(calls) == (2, 0)[turn]
            assert len(returned) == (0, 2)[turn]
            results = [
                {"type": "tool_result", "tool_use_id": call.id, "content": "ja"} for call in calls
            ]
            messages += [
                {"role": "assistant", "content": whole.content},
                {"role": "user", "content": results},
            ]


def test_a_retry_and_an_error_read_as_the_client_has_them():
    import anthropic

    failing = Answer(status=529, headers=(("retry-after", "0.01"),), error_message="busy")
    tap = Tap()

    with (
        ScriptedProvider(script=Script(default=failing)) as provider,
        httpx2.Client(transport=tap) as http,
    ):
        client = anthropic.Anthropic(base_url=provider.base_url, api_key="k", http_client=http)
        with pytest.raises(anthropic.APIStatusError) as caught:
            client.messages.create(
                model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}]
            )

    (retried, _), (received,) = tap.facts()
    assert retried.attempt == 2
    assert received.status == caught.value.status_code
    assert received.error_type == caught.value.body["error"]["type"]
    assert received.error_message == caught.value.body["error"]["message"]
