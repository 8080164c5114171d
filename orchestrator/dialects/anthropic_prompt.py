"""Reads a request of the Messages API: what was asked, and which tool results went back."""

from __future__ import annotations

import msgspec

from orchestrator.dialects.bounded_json import (
    Fields,
    UnreadableError,
    boolean,
    compact_text,
    fields,
    integer,
    is_given,
    items,
    parse_object,
    text,
)
from orchestrator.dialects.content_coding import DECODED_SIZE_MAX
from replay.doors.dialect import RequestView
from replay.events.kinds import Fact, PromptSent, RequestRetried, ToolReturned

__all__ = ["read_prompt"]

_RETRY_HEADER = "x-stainless-retry-count"
_RETRY_DIGITS_MAX = 6


def read_prompt(dialect: str, operation: str, request: RequestView) -> tuple[Fact, ...]:
    """Read a request.

    A body that cannot be read gives a prompt of no model and no messages: the provider will refuse
    it, and its answer says why. Tool results count only where a model gets to see them, so counting
    tokens hands none back.
    """
    facts: list[Fact] = []
    attempt = _retry_count(request)
    if attempt > 0:
        facts.append(RequestRetried(dialect=dialect, attempt=attempt))
    body = _body(request.body)
    messages = items(body.get("messages"))
    seed = integer(body.get("seed"))
    facts.append(
        PromptSent(
            dialect=dialect,
            operation=operation,
            model=text(body.get("model")),
            messages=len(messages),
            system=is_given(body.get("system")),
            tools=tuple(_tool_name(fields(tool)) for tool in items(body.get("tools"))),
            stream=boolean(body.get("stream")),
            max_tokens=integer(body.get("max_tokens")),
            # The vendor takes no seed; servers that imitate its API may.
            seed="unsupported" if seed is None else str(seed),
        )
    )
    if operation == "messages":
        facts.extend(_tool_results(dialect, messages))
    return tuple(facts)


def _body(body: bytes) -> Fields:
    if len(body) > DECODED_SIZE_MAX:
        return {}
    try:
        return parse_object(body)
    except UnreadableError:
        return {}


def _retry_count(request: RequestView) -> int:
    for name, value in request.headers:
        if name == _RETRY_HEADER and value.isascii() and value.isdigit():
            return int(value) if len(value) <= _RETRY_DIGITS_MAX else 0
    return 0


def _tool_name(tool: Fields) -> str:
    # A set of tools from a server has a type and no name of its own.
    return text(tool.get("name")) or text(tool.get("type"))


def _tool_results(dialect: str, messages: list[msgspec.Raw]) -> list[ToolReturned]:
    """Return the results in the last message of the user, in order."""
    for raw in reversed(messages):
        message = fields(raw)
        if text(message.get("role")) == "user":
            blocks = [fields(block) for block in items(message.get("content"))]
            return [
                ToolReturned(
                    dialect=dialect,
                    call_id=text(block.get("tool_use_id")),
                    is_error=boolean(block.get("is_error")),
                    content=compact_text(block.get("content")),
                )
                for block in blocks
                if text(block.get("type")) == "tool_result"
            ]
    return []
