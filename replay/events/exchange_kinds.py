"""The kinds of an HTTP exchange, and of what a dialect reads in one."""

from __future__ import annotations

from typing import Literal, TypeAlias

from replay.events.kind_base import Failure, Names, Pairs, PayloadBase

__all__ = [
    "ChunksReceived",
    "FieldRole",
    "FieldRoles",
    "PromptSent",
    "RequestRetried",
    "RequestSent",
    "ResponseEnded",
    "ResponseReceived",
    "ResponseStarted",
    "ToolCalled",
    "ToolReturned",
    "WireObserved",
]

#: What a field of a request to a model is about.
FieldRole = Literal["prompt", "tool schema", "model"]
#: (path in the body, with dots and without indexes; what all below it is about).
FieldRoles: TypeAlias = tuple[tuple[str, FieldRole], ...]

# --- HTTP ---------------------------------------------------------------------------------------


class RequestSent(PayloadBase, frozen=True, tag="RequestSent"):
    """An HTTP request, as far as it is compared; the exact body bytes follow the head."""

    method: str
    path: str
    query: str
    headers: Pairs
    credentials: Pairs


class WireObserved(PayloadBase, frozen=True, tag="WireObserved"):
    """What else was on the wire: it may differ between machines without changing the run.

    Attributes:
        scheme, host: where the request went, with the port if it is not the scheme's own.
        headers: request headers that are not compared, as sent.
        http_version: ``HTTP/1.1`` or ``HTTP/2``, empty when no response came.
        request_id, response_date: the provider's own marks, for reconciling with its report.
        certificate: hex SHA-256 of the peer's TLS certificate where it could be had.
    """

    scheme: str
    host: str
    headers: Pairs
    http_version: str
    request_id: str | None = None
    response_date: str | None = None
    certificate: str | None = None


class ResponseStarted(PayloadBase, frozen=True, tag="ResponseStarted"):
    """The head of a response, as the program saw it."""

    status: int
    headers: Pairs
    http_version: str
    reason: str


class ChunksReceived(PayloadBase, frozen=True, tag="ChunksReceived"):
    """Chunks of one body that followed one another; their bytes follow the head.

    Attributes:
        chunks: (size in bytes, claimed time in us) of each.
    """

    chunks: tuple[tuple[int, int], ...]


class ResponseEnded(PayloadBase, frozen=True, tag="ResponseEnded"):
    """The exchange ended: complete, or with the failure that the transport raised."""

    failure: Failure | None = None


# --- what the dialects read in an exchange --------------------------------------------------------


class PromptSent(PayloadBase, frozen=True, tag="PromptSent"):
    """A request to a model, as the dialect reads it.

    Attributes:
        messages: number of messages in the conversation sent.
        system: whether a system prompt is present.
        seed: the seed on the wire, or ``unsupported`` where the provider takes none.
    """

    dialect: str
    operation: str
    model: str
    messages: int
    system: bool
    tools: Names
    stream: bool
    max_tokens: int | None
    seed: str


class ToolReturned(PayloadBase, frozen=True, tag="ToolReturned"):
    """The program handed a tool's result back to the model."""

    dialect: str
    call_id: str
    is_error: bool
    content: str


class RequestRetried(PayloadBase, frozen=True, tag="RequestRetried"):
    """The client sent a request again; ``attempt`` counts from 1."""

    dialect: str
    attempt: int


class ResponseReceived(PayloadBase, frozen=True, tag="ResponseReceived"):
    """A model's answer, as the dialect reads it; token counts are the provider's own."""

    dialect: str
    status: int
    response_id: str | None
    model: str | None
    text: str
    thinking: str
    stop_reason: str | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    complete: bool
    error_type: str | None
    error_message: str | None


class ToolCalled(PayloadBase, frozen=True, tag="ToolCalled"):
    """The model asked for a tool: exact JSON text of the arguments."""

    dialect: str
    call_id: str
    name: str
    arguments: str
