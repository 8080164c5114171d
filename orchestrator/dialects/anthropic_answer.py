"""Reads a response of the Messages API: one JSON body, a stream of events, or an error.

A stream is put together as the official client does it: blocks are appended as they start, deltas
go to the block at their index, counts of a later event replace those of the first. Where a body is
damaged, what stood before the damage is kept and the fact says that the answer is not complete.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from orchestrator.dialects.bounded_json import (
    Fields,
    UnreadableError,
    exact_text,
    fields,
    integer,
    items,
    parse_object,
    text,
    text_or_none,
)
from orchestrator.dialects.content_coding import decode_body
from orchestrator.dialects.event_stream import EventStreamDecoder, StreamEvent
from replay.doors.dialect import ResponseView
from replay.events.kinds import Fact, ResponseReceived, ToolCalled

__all__ = ["read_answer"]

#: Events of one stream that are read at most; a token is one event, answers stay far below.
_EVENTS_MAX: Final = 1_000_000
#: Bytes that are decoded at a time, so that events of a large body never all exist at once.
_PIECE_SIZE: Final = 65_536
_FIRST_ERROR_STATUS: Final = 400
_COUNTS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)


@dataclass(slots=True)
class _Block:
    kind: str
    call_id: str
    name: str
    #: JSON text of the arguments that the block began with; for a stream `{}`.
    arguments: str
    pieces: list[str]


@dataclass(slots=True)
class _Answer:
    """What has been read so far."""

    response_id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    counts: dict[str, int | None] = field(default_factory=dict)
    blocks: list[_Block] = field(default_factory=list)
    error_type: str | None = None
    error_message: str | None = None
    is_complete: bool = False


def read_answer(dialect: str, operation: str, response: ResponseView) -> tuple[Fact, ...]:
    """Read a response; never raises, whatever the bytes are."""
    answer = _Answer()
    try:
        body = decode_body(response.body, response.headers)
        if response.status < _FIRST_ERROR_STATUS and _is_event_stream(response):
            _read_stream(answer, body)
        else:
            _read_whole(answer, operation, body)
    except UnreadableError as error:
        reason = error.reason
        if not response.complete and reason in {"json", "utf-8"}:
            reason = "truncated"  # Half a body is no damaged body.
        answer.error_type, answer.error_message = "unreadable", reason
        answer.is_complete = False
    is_complete = answer.is_complete and response.complete
    facts: list[Fact] = [
        ResponseReceived(
            dialect=dialect,
            status=response.status,
            response_id=answer.response_id,
            model=answer.model,
            text=_joined(answer, "text"),
            thinking=_joined(answer, "thinking"),
            stop_reason=answer.stop_reason,
            input_tokens=answer.counts.get("input_tokens"),
            output_tokens=answer.counts.get("output_tokens"),
            cache_read_tokens=answer.counts.get("cache_read_input_tokens"),
            cache_write_tokens=answer.counts.get("cache_creation_input_tokens"),
            complete=is_complete,
            error_type=answer.error_type,
            error_message=answer.error_message,
        )
    ]
    if is_complete:
        facts.extend(
            ToolCalled(
                dialect=dialect,
                call_id=block.call_id,
                name=block.name,
                arguments="".join(block.pieces) or block.arguments,
            )
            for block in answer.blocks
            if block.kind == "tool_use"
        )
    return tuple(facts)


def _is_event_stream(response: ResponseView) -> bool:
    for name, value in response.headers:
        if name == "content-type":
            return value.partition(";")[0].strip().lower() == "text/event-stream"
    return False


def _joined(answer: _Answer, kind: str) -> str:
    return "".join(piece for block in answer.blocks if block.kind == kind for piece in block.pieces)


def _read_whole(answer: _Answer, operation: str, body: bytes) -> None:
    content = parse_object(body)
    kind = text(content.get("type"))
    if kind == "error":
        _take_error(answer, content)
    elif operation == "count_tokens" and "input_tokens" in content:
        answer.counts["input_tokens"] = integer(content["input_tokens"])
    elif kind == "message":
        _take_message(answer, content)
        answer.stop_reason = text_or_none(content.get("stop_reason"))
    else:
        raise UnreadableError("shape")
    answer.is_complete = True


def _read_stream(answer: _Answer, body: bytes) -> None:
    decoder = EventStreamDecoder()
    count = 0
    for start in range(0, len(body), _PIECE_SIZE):
        for event in decoder.feed(body[start : start + _PIECE_SIZE]):
            count += 1
            if count > _EVENTS_MAX:
                raise UnreadableError("too-large")
            _take_event(answer, event)
            if answer.error_type is not None:
                return  # The client raises here and reads no further.


def _take_event(answer: _Answer, event: StreamEvent) -> None:
    # Events without a name ("message") or without data are passed over by the client too.
    if event.name in {"message", "ping"} or (not event.data and event.name != "error"):
        return
    content = parse_object(event.data.encode())
    kind = text(content.get("type"))
    if event.name == "error" or kind == "error":
        _take_error(answer, content)
        answer.is_complete = False
    elif kind == "message_start":
        _take_message(answer, fields(content.get("message")))
    elif kind == "content_block_start":
        answer.blocks.append(_block(fields(content.get("content_block"))))
    elif kind == "content_block_delta":
        _take_delta(answer, content)
    elif kind == "message_delta":
        answer.stop_reason = text_or_none(fields(content.get("delta")).get("stop_reason"))
        _take_counts(answer, fields(content.get("usage")))
    elif kind == "message_stop":
        answer.is_complete = True


def _take_message(answer: _Answer, message: Fields) -> None:
    answer.response_id = text_or_none(message.get("id"))
    answer.model = text_or_none(message.get("model"))
    answer.blocks.extend(_block(fields(raw)) for raw in items(message.get("content")))
    _take_counts(answer, fields(message.get("usage")))


def _block(content: Fields) -> _Block:
    kind = text(content.get("type"))
    # A block of text or thinking has its text under the name of its kind.
    opening = text(content.get(kind)) if kind in {"text", "thinking"} else ""
    return _Block(
        kind=kind,
        call_id=text(content.get("id")),
        name=text(content.get("name")),
        arguments=exact_text(content.get("input", msgspec.Raw(b"{}"))),
        pieces=[opening] if opening else [],
    )


def _take_delta(answer: _Answer, content: Fields) -> None:
    index = integer(content.get("index"))
    if index is None or not 0 <= index < len(answer.blocks):
        return
    block = answer.blocks[index]
    delta = fields(content.get("delta"))
    match text(delta.get("type")), block.kind:
        case "text_delta", "text":
            block.pieces.append(text(delta.get("text")))
        case "thinking_delta", "thinking":
            block.pieces.append(text(delta.get("thinking")))
        case "input_json_delta", "tool_use":
            block.pieces.append(text(delta.get("partial_json")))
        case _:
            pass  # Signatures and citations stay in the recorded bytes.


def _take_counts(answer: _Answer, usage: Fields) -> None:
    for name in _COUNTS:
        count = integer(usage.get(name))
        if count is not None:
            answer.counts[name] = count


def _take_error(answer: _Answer, content: Fields) -> None:
    error = fields(content.get("error"))
    answer.error_type = text_or_none(error.get("type")) or "unspecified"
    answer.error_message = text_or_none(error.get("message"))
