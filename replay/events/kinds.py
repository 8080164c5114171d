"""The catalogue of kinds: what can have happened, and which side of the door it came from.

An *input* is what the outside world did; a *derived* record is what the program did because of it.
A replay copies the first and computes the second, so the role of a kind is fixed here and never by
a field that somebody could set. Inputs are *answered* (the value of a question asked at that very
point), *delivered* (entered at idle) or *noted* (about the run; the program does not see them).
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

__all__ = [
    "CATALOGUE",
    "ChunksReceived",
    "ClockAdvanced",
    "EffectCancelled",
    "EffectReturned",
    "EffectStarted",
    "Fact",
    "Failure",
    "OutputWritten",
    "Payload",
    "PromptSent",
    "Reading",
    "ReadingsTaken",
    "RequestRetried",
    "RequestSent",
    "ResponseEnded",
    "ResponseReceived",
    "ResponseStarted",
    "Role",
    "RunEnded",
    "RunSealed",
    "RunStarted",
    "SecretRegistered",
    "SecretSuspected",
    "TaskEnded",
    "TaskSpawned",
    "ThreadStarted",
    "ToolCalled",
    "ToolReturned",
    "WireObserved",
    "kind_of",
    "role_of",
]

Role = Literal["answered", "delivered", "noted", "derived"]
Names = tuple[str, ...]
Pairs = tuple[tuple[str, str], ...]
#: Compact JSON text that this house wrote; carried verbatim, so its bytes are the comparison.
JsonText = msgspec.Raw


class _Payload(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True
):
    """Base of all payload heads: tagged with the name of the kind."""


def _null() -> JsonText:
    """Return the value of what has none; `JsonText | None` cannot be decoded by msgspec."""
    return msgspec.Raw(b"null")


class Failure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An exception in closed form: class by import path, plain arguments, its chain.

    Attributes:
        type: ``module:qualname`` of the class.
        arguments: JSON list of the plain arguments.
        cause, context: what it was raised from, or during.
    """

    type: str
    arguments: JsonText
    cause: Failure | None = None
    context: Failure | None = None


# --- the run ------------------------------------------------------------------------------------


class RunStarted(_Payload, frozen=True, tag="RunStarted"):
    """A run began. All that identifies it and its surroundings; the only record with the run id.

    Attributes:
        run: the run's id (a ULID).
        entry: what was run: ``command`` with its argument list, or ``module:qualname``.
        arguments: argument list of the command, or JSON of the call's arguments.
        directory: working directory when it started.
        seed: run seed, 32 hex digits; each task's seed derives from it.
        flags: scheduler flags by name, so that later schedulers can still run this log.
        monotonic: microseconds of the monotonic clock at the claimed time of this record.
        versions: (name, version) of engine, Python and packages that matter.
        dialects: (name, version) of the dialects that derive prompts and responses.
        hash_seed: the value of PYTHONHASHSEED, or ``random``.
    """

    run: str
    entry: str
    arguments: Names
    directory: str
    seed: str
    flags: dict[str, int]
    monotonic: int
    versions: Pairs
    dialects: Pairs
    hash_seed: str


class RunEnded(_Payload, frozen=True, tag="RunEnded"):
    """The workflow returned or raised. ``value`` is its result when that is plain JSON."""

    value: JsonText = msgspec.field(default_factory=_null)
    type: str | None = None
    failure: Failure | None = None
    exit_code: int | None = None


class RunSealed(_Payload, frozen=True, tag="RunSealed"):
    """The last record of a run. Without it a log is open or truncated, never complete."""

    reason: Literal["completed", "failed", "cancelled"]
    events: int


# --- who runs -----------------------------------------------------------------------------------


class TaskSpawned(_Payload, frozen=True, tag="TaskSpawned"):
    """A task was created: its label among its siblings, and what it was called with.

    Attributes:
        label: the name the program gave, or else the coroutine's qualified name.
        ordinal: position among siblings of that label.
        arguments: JSON object of arguments that are plain values, others by type name.
        seed: the task's own seed, 32 hex digits.
    """

    label: str
    ordinal: int
    arguments: JsonText
    seed: str


class TaskEnded(_Payload, frozen=True, tag="TaskEnded"):
    """A task finished; the header's outcome says how."""

    error: str | None = None


class ThreadStarted(_Payload, frozen=True, tag="ThreadStarted"):
    """A worker thread joined the schedule."""

    label: str
    ordinal: int
    participant: int


# --- questions and answers ----------------------------------------------------------------------


class Reading(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One synchronous reading: source, argument, JSON of the answer, claimed time (us)."""

    source: str
    argument: str
    value: JsonText
    time: int


class ReadingsTaken(_Payload, frozen=True, tag="ReadingsTaken"):
    """Clock, randomness and environment readings that followed one another."""

    readings: tuple[Reading, ...]


class ClockAdvanced(_Payload, frozen=True, tag="ClockAdvanced"):
    """Time passed for a program that would not idle, so that its due timers could fire."""


class SecretRegistered(_Payload, frozen=True, tag="SecretRegistered"):
    """A secret value was given a surrogate before its first use.

    Attributes:
        number: ordinal among the secrets of the run.
        source: where the value came from, such as ``env:ANTHROPIC_API_KEY``; none if found.
        surrogate: the stand-in, of the same length and character classes.
        public: how many leading characters are a public prefix, and true.
    """

    number: int
    source: str | None
    surrogate: str
    public: int


class SecretSuspected(_Payload, frozen=True, tag="SecretSuspected"):
    """A secret was found too late or inside an encoded body: the run must not be exported."""

    record: int
    number: int


# --- effects ------------------------------------------------------------------------------------


class EffectStarted(_Payload, frozen=True, tag="EffectStarted"):
    """The program called an effect: name and arguments, bound to its signature."""

    name: str
    arguments: JsonText


class EffectReturned(_Payload, frozen=True, tag="EffectReturned"):
    """An effect answered: its value, or the failure it raised."""

    value: JsonText = msgspec.field(default_factory=_null)
    failure: Failure | None = None


class EffectCancelled(_Payload, frozen=True, tag="EffectCancelled"):
    """The program stopped waiting for an effect or abandoned a response in mid-stream.

    Attributes:
        effect: seq of the record that asked.
    """

    effect: int


# --- HTTP ---------------------------------------------------------------------------------------


class RequestSent(_Payload, frozen=True, tag="RequestSent"):
    """An HTTP request, as far as it is compared; the exact body bytes follow the head."""

    method: str
    path: str
    query: str
    headers: Pairs
    credentials: Pairs


class WireObserved(_Payload, frozen=True, tag="WireObserved"):
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


class ResponseStarted(_Payload, frozen=True, tag="ResponseStarted"):
    """The head of a response, as the program saw it."""

    status: int
    headers: Pairs
    http_version: str
    reason: str


class ChunksReceived(_Payload, frozen=True, tag="ChunksReceived"):
    """Chunks of one body that followed one another; their bytes follow the head.

    Attributes:
        chunks: (size in bytes, claimed time in us) of each.
    """

    chunks: tuple[tuple[int, int], ...]


class ResponseEnded(_Payload, frozen=True, tag="ResponseEnded"):
    """The exchange ended: complete, or with the failure that the transport raised."""

    failure: Failure | None = None


# --- what the dialects read in an exchange --------------------------------------------------------


class PromptSent(_Payload, frozen=True, tag="PromptSent"):
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


class ToolReturned(_Payload, frozen=True, tag="ToolReturned"):
    """The program handed a tool's result back to the model."""

    dialect: str
    call_id: str
    is_error: bool
    content: str


class RequestRetried(_Payload, frozen=True, tag="RequestRetried"):
    """The client sent a request again; ``attempt`` counts from 1."""

    dialect: str
    attempt: int


class ResponseReceived(_Payload, frozen=True, tag="ResponseReceived"):
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


class ToolCalled(_Payload, frozen=True, tag="ToolCalled"):
    """The model asked for a tool: exact JSON text of the arguments."""

    dialect: str
    call_id: str
    name: str
    arguments: str


# --- output -------------------------------------------------------------------------------------


class OutputWritten(_Payload, frozen=True, tag="OutputWritten"):
    """Bytes that the program wrote to a stream between two other records.

    Attributes:
        stream: ``stdout``.
        marks: (chunks delivered so far in the record before, bytes written then), in order.
    """

    stream: str
    marks: tuple[tuple[int, int], ...]


Payload = (
    RunStarted
    | RunEnded
    | RunSealed
    | TaskSpawned
    | TaskEnded
    | ThreadStarted
    | ReadingsTaken
    | ClockAdvanced
    | SecretRegistered
    | SecretSuspected
    | EffectStarted
    | EffectReturned
    | EffectCancelled
    | RequestSent
    | WireObserved
    | ResponseStarted
    | ChunksReceived
    | ResponseEnded
    | PromptSent
    | ToolReturned
    | RequestRetried
    | ResponseReceived
    | ToolCalled
    | OutputWritten
)
#: Facts are what a dialect may derive.
Fact = PromptSent | ToolReturned | RequestRetried | ResponseReceived | ToolCalled

_ROLES: Final[dict[type[_Payload], Role]] = {
    RunStarted: "noted",
    RunEnded: "derived",
    RunSealed: "derived",
    TaskSpawned: "derived",
    TaskEnded: "derived",
    ThreadStarted: "derived",
    ReadingsTaken: "answered",
    ClockAdvanced: "delivered",
    SecretRegistered: "noted",
    SecretSuspected: "noted",
    EffectStarted: "derived",
    EffectReturned: "delivered",
    EffectCancelled: "derived",
    RequestSent: "derived",
    WireObserved: "delivered",
    ResponseStarted: "delivered",
    ChunksReceived: "delivered",
    ResponseEnded: "delivered",
    PromptSent: "derived",
    ToolReturned: "derived",
    RequestRetried: "derived",
    ResponseReceived: "derived",
    ToolCalled: "derived",
    OutputWritten: "derived",
}

#: Every kind by name, with its role.
CATALOGUE: Final[dict[str, Role]] = {
    str(kind.__struct_config__.tag): role for kind, role in _ROLES.items()
}


_NAMES: Final = {kind: str(kind.__struct_config__.tag) for kind in _ROLES}


def kind_of(payload: Payload) -> str:
    """Return the name of a payload's kind."""
    return _NAMES[type(payload)]


def role_of(kind: str) -> Role | None:
    """Return the role of a kind, or None for a kind that this version does not know."""
    return CATALOGUE.get(kind)


