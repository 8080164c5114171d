"""Writes messages, streams of events and errors as the Messages API does.

Pure functions from values to bytes; text stays UTF-8 and is not escaped to ASCII, so that a body
can be cut inside a character.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Final

import msgspec

from orchestrator.testing.draws import Draws
from orchestrator.testing.script import Block, Text, Thinking, ToolUse, Usage

__all__ = ["Message", "encode_json", "error_body", "message_body", "message_events", "stream_event"]

_ERROR_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A complete answer, before it becomes one body or a stream of events.

    Attributes:
        blocks: every `ToolUse` has its id by now.
    """

    id: str
    model: str
    blocks: tuple[Block, ...]
    stop_reason: str
    usage: Usage


def encode_json(value: object) -> bytes:
    """Return compact JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def error_body(
    status: int, error_type: str | None, message: str | None, request_id: str
) -> dict[str, object]:
    """Return the object that stands in the body of an error and in an error event."""
    kind = error_type or _ERROR_TYPES.get(status, "api_error")
    return {
        "type": "error",
        "error": {"type": kind, "message": message or f"scripted {kind}"},
        "request_id": request_id,
    }


def message_body(message: Message) -> dict[str, object]:
    """Return a message as the one body of an answer that is no stream."""
    return {
        "id": message.id,
        "type": "message",
        "role": "assistant",
        "model": message.model,
        "content": [_block(block) for block in message.blocks],
        "stop_reason": message.stop_reason,
        "stop_sequence": None,
        "usage": msgspec.to_builtins(message.usage),
    }


def message_events(message: Message, pieces: tuple[int, ...], draws: Draws) -> Iterator[bytes]:
    """Give out the events of a message, in order.

    Args:
        message: what is said.
        pieces: sizes in characters of the deltas, over and over; drawn if there are none.
        draws: where sizes come from.
    """
    usage: dict[str, object] = msgspec.to_builtins(message.usage)
    opening = message_body(message) | {
        "content": [],
        "stop_reason": None,
        "usage": usage | {"output_tokens": 1},
    }
    yield stream_event("message_start", {"message": opening})
    for index, block in enumerate(message.blocks):
        yield stream_event(
            "content_block_start", {"index": index, "content_block": _block(block, is_empty=True)}
        )
        if index == 0:
            yield stream_event("ping", {})
        for delta in _deltas(block, pieces, draws):
            yield stream_event("content_block_delta", {"index": index, "delta": delta})
        yield stream_event("content_block_stop", {"index": index})
    yield stream_event(
        "message_delta",
        {
            "delta": {"stop_reason": message.stop_reason, "stop_sequence": None},
            "usage": {"output_tokens": message.usage.output_tokens},
        },
    )
    yield stream_event("message_stop", {})


def stream_event(name: str, members: dict[str, object]) -> bytes:
    """Return one server-sent event; its data repeats the name as ``type``."""
    return (
        b"event: " + name.encode() + b"\ndata: " + encode_json({"type": name} | members) + b"\n\n"
    )


def _block(block: Block, *, is_empty: bool = False) -> dict[str, object]:
    match block:
        case Text(text=text):
            return {"type": "text", "text": "" if is_empty else text}
        case Thinking(thinking=thinking, signature=signature):
            return {
                "type": "thinking",
                "thinking": "" if is_empty else thinking,
                "signature": "" if is_empty else signature,
            }
        case ToolUse(name=name, input=value, id=identity):
            return {
                "type": "tool_use",
                "id": identity,
                "name": name,
                "input": {} if is_empty else value,
            }


def _deltas(block: Block, pieces: tuple[int, ...], draws: Draws) -> Iterator[dict[str, object]]:
    match block:
        case Text(text=text):
            for piece in _split(text, pieces, draws):
                yield {"type": "text_delta", "text": piece}
        case Thinking(thinking=thinking, signature=signature):
            for piece in _split(thinking, pieces, draws):
                yield {"type": "thinking_delta", "thinking": piece}
            yield {"type": "signature_delta", "signature": signature}
        case ToolUse(input=value):
            yield {"type": "input_json_delta", "partial_json": ""}
            for piece in _split(encode_json(value).decode(), pieces, draws):
                yield {"type": "input_json_delta", "partial_json": piece}


def _split(text: str, pieces: tuple[int, ...], draws: Draws) -> Iterator[str]:
    sizes = itertools.cycle(pieces) if pieces else iter(lambda: 1 + draws.below(16), 0)
    start = 0
    while start < len(text):
        end = start + max(1, next(sizes))
        yield text[start:end]
        start = end
