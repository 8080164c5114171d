"""What a scripted provider is told to answer: frozen values, no behaviour of the wire.

A script is a list of rules and a default. A request takes the next answer of the first rule that
matches and has one left. What an answer leaves open, the provider's mode composes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from orchestrator.testing.request_record import RequestRecord

__all__ = [
    "Abort",
    "Answer",
    "Block",
    "Delivery",
    "Echo",
    "Rule",
    "Script",
    "Text",
    "Thinking",
    "ToolUse",
    "Usage",
    "overloaded",
    "rate_limited",
    "reset_before_head",
    "reset_in_body",
    "server_error",
    "stream_error",
]


class Text(msgspec.Struct, frozen=True):
    """A block of text."""

    text: str


class Thinking(msgspec.Struct, frozen=True):
    """A block of thinking with its signature."""

    thinking: str
    signature: str = "c2lnbmF0dXJl"


class ToolUse(msgspec.Struct, frozen=True):
    """A call of a tool. ``input`` is plain JSON; an id is composed if none is given."""

    name: str
    input: dict[str, object]
    id: str | None = None


Block = Text | Thinking | ToolUse


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Token counts as the provider claims them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0


class Echo(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that repeats a text, for tests of secret scrubbing.

    Attributes:
        text: what is repeated; None for the request's credential (``authorization`` without its
            scheme, or ``x-api-key``).
        before, after: what stands around it.
        cut_at: byte offsets inside the repeated text at which the body is cut into chunks.
    """

    text: str | None = None
    before: str = "You sent "
    after: str = " to me."
    cut_at: tuple[int, ...] = ()


class Abort(msgspec.Struct, frozen=True, kw_only=True):
    """The connection ends before the answer does.

    Attributes:
        after_bytes: bytes of the body that are sent before; None ends it before the head.
        how: ``reset`` sends a TCP reset, ``close`` an orderly end.
    """

    after_bytes: int | None = None
    how: Literal["reset", "close"] = "reset"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer goes over the wire.

    Attributes:
        latency_ms: before the head; None leaves it to the mode.
        chunk_latency_ms: between chunks; None leaves it to the mode (nothing with `chunk_sizes`).
        chunk_sizes: sizes in bytes of the chunks, over and over; ``(1,)`` cuts at every byte. Empty
            sends each event, or the whole of a body that is no stream, as one chunk.
        cut_at: byte offsets in the body at which it is cut besides.
        cut_inside_characters: cut inside every UTF-8 character of more than one byte.
        gzip: compress when the request accepts it; cuts count in the compressed bytes then.
        abort: where the connection ends early, if it does.
        keep_alive: False closes the connection after the answer.
    """

    latency_ms: int | None = None
    chunk_latency_ms: int | None = None
    chunk_sizes: tuple[int, ...] = ()
    cut_at: tuple[int, ...] = ()
    cut_inside_characters: bool = False
    gzip: bool = False
    abort: Abort | None = None
    keep_alive: bool = True


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """How one request is answered; what is left open is composed by the mode.

    Attributes:
        blocks: the content, or None to compose it.
        echo: repeat a text instead of composing.
        stop_reason, usage, response_id: of the message.
        piece_sizes: sizes in characters of the deltas of a stream, over and over.
        status: anything but 200 is answered with an error body.
        error_type, error_message: of the error body or the error in mid-stream.
        error_after_events: end a stream with an error event after so many events. A request that
            is no stream gets the error with ``status`` (500 if that is 200).
        headers: (name, value) of the response, besides the usual ones.
        body: exact bytes instead of all that, with ``content_type``.
        delivery: how it goes over the wire.
    """

    blocks: tuple[Block, ...] | None = None
    echo: Echo | None = None
    stop_reason: str | None = None
    usage: Usage | None = None
    response_id: str | None = None
    piece_sizes: tuple[int, ...] = ()
    status: int = 200
    error_type: str | None = None
    error_message: str | None = None
    error_after_events: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    content_type: str = "application/json"
    delivery: Delivery = Delivery()


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Answers for the requests that match all that is given, taken in order.

    Attributes:
        answers: one for each matching request; with ``repeat`` the last goes on for ever.
        contains: text inside any string of the request's JSON.
        path: the exact path.
        ordinal: position of the request among all requests, from 0.
        when: any predicate on the request; must not block.
    """

    answers: tuple[Answer, ...]
    contains: str | None = None
    path: str | None = None
    ordinal: int | None = None
    when: Callable[[RequestRecord], bool] | None = None
    repeat: bool = False

    def matches(self, request: RequestRecord) -> bool:
        """Say whether this rule speaks of such a request."""
        return (
            (self.path is None or self.path == request.path)
            and (self.ordinal is None or self.ordinal == request.ordinal)
            and (self.contains is None or self.contains in request.prompt_text)
            and (self.when is None or self.when(request))
        )


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """All that a provider is told.

    Attributes:
        rules: in the order in which they are asked.
        default: for requests that no rule answers.
        tools: which of the offered tools an answer calls, unless ``tool_choice`` says otherwise.
        tool_inputs: (tool name, input); others are made up from the tool's schema.
        models: ids that ``GET /v1/models`` lists.
    """

    rules: tuple[Rule, ...] = ()
    default: Answer = Answer()
    tools: Literal["all", "first", "none"] = "all"
    tool_inputs: tuple[tuple[str, dict[str, object]], ...] = ()
    models: tuple[str, ...] = ("scripted-large", "scripted-small")


_AT_ONCE: Final = Delivery()


def rate_limited(retry_after_s: str = "1", *, delivery: Delivery = _AT_ONCE) -> Answer:
    """Return a refusal with status 429. Official clients take fractions of a second too."""
    return Answer(
        status=429,
        error_type="rate_limit_error",
        headers=(("retry-after", retry_after_s),),
        delivery=delivery,
    )


def overloaded(retry_after_s: str | None = None, *, delivery: Delivery = _AT_ONCE) -> Answer:
    """Return a refusal with status 529; clients wait and try again."""
    headers = () if retry_after_s is None else (("retry-after", retry_after_s),)
    return Answer(status=529, error_type="overloaded_error", headers=headers, delivery=delivery)


def server_error(
    retry_after_s: str | None = None,
    *,
    should_retry: bool | None = None,
    delivery: Delivery = _AT_ONCE,
) -> Answer:
    """Return a failure with status 500, and ``x-should-retry`` if that is given."""
    headers: list[tuple[str, str]] = []
    if retry_after_s is not None:
        headers.append(("retry-after", retry_after_s))
    if should_retry is not None:
        headers.append(("x-should-retry", "true" if should_retry else "false"))
    return Answer(status=500, error_type="api_error", headers=tuple(headers), delivery=delivery)


def stream_error(after_events: int, error_type: str = "overloaded_error") -> Answer:
    """Return an answer that ends with an error event in mid-stream."""
    return Answer(error_after_events=after_events, error_type=error_type)


def reset_before_head() -> Answer:
    """Return an answer that is a TCP reset."""
    return Answer(delivery=Delivery(abort=Abort()))


def reset_in_body(after_bytes: int) -> Answer:
    """Return an answer that a TCP reset cuts short."""
    return Answer(delivery=Delivery(abort=Abort(after_bytes=after_bytes)))
