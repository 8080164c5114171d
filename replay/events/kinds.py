"""The catalogue of kinds: what can have happened, and which side of the door it came from.

An *input* is what the outside world did; a *derived* record is what the program did because of it.
A replay copies the first and computes the second, so the role of a kind is fixed here and never by
a field that somebody could set. Inputs are *answered* (the value of a question asked at that very
point), *delivered* (entered at idle) or *noted* (about the run; the program does not see them).
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from replay.events.code_kinds import AdmissionDecided, CodeLoaded
from replay.events.exchange_kinds import (
    ChunksReceived,
    PromptSent,
    RequestRetried,
    RequestSent,
    ResponseEnded,
    ResponseReceived,
    ResponseStarted,
    ToolCalled,
    ToolReturned,
    WireObserved,
)
from replay.events.file_kinds import CaptureGap, FileRead, FileWritten
from replay.events.kind_base import (
    Failure,
    ForkOrigin,
    JsonText,
    Names,
    Pairs,
    PayloadBase,
    Role,
    null,
)
from replay.events.process_kinds import (
    ProcessEnded,
    ProcessFed,
    ProcessSignalled,
    ProcessSpawned,
    ProcessStarted,
    ProcessWrote,
)
from replay.events.state_kinds import StateChanged

__all__ = [
    "CATALOGUE",
    "CancelRequested",
    "CaptureGap",
    "ChunksReceived",
    "ClockAdvanced",
    "CodeLoaded",
    "EffectCancelled",
    "EffectReturned",
    "EffectStarted",
    "Fact",
    "Failure",
    "FileRead",
    "FileWritten",
    "ForkOrigin",
    "OutputWritten",
    "Payload",
    "ProcessEnded",
    "ProcessFed",
    "ProcessSignalled",
    "ProcessSpawned",
    "ProcessStarted",
    "ProcessWrote",
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
    "SignalReceived",
    "StateChanged",
    "TaskEnded",
    "TaskSpawned",
    "ThreadStarted",
    "ToolCalled",
    "ToolReturned",
    "WireObserved",
    "kind_of",
    "role_of",
]

# --- the run ------------------------------------------------------------------------------------


class RunStarted(PayloadBase, frozen=True, tag="RunStarted", omit_defaults=True):
    """A run began. All that identifies it and its surroundings; the only record with the run id.

    Attributes:
        run: the run's id (a ULID).
        entry: what was run: ``command`` with its argument list, or ``file.py:qualname``.
        arguments: argument list of the command, or JSON of the call's arguments.
        directory: working directory when it started.
        seed: run seed, 32 hex digits; each task's seed derives from it.
        flags: scheduler flags by name, so that later schedulers can still run this log.
        monotonic: microseconds of the monotonic clock at the claimed time of this record.
        versions: (name, version) of engine, Python and packages that matter.
        dialects: (name, version) of the dialects that derive prompts and responses.
        adapters: (name, version) of the adapters that derive state changes; a version beginning
            with ``off`` says why one of them did not.
        hash_seed: the value of PYTHONHASHSEED, or ``random``.
        argv: `sys.argv`; absent in older logs, as is the next.
        setting: what the program finds without asking, by name: ``zone`` (a `TZ`, or base64 of a
            TZif file), ``locale`` and ``text`` (encoding of files), encoding and error handler of
            ``stdin``, ``stdout``, ``stderr``; and answers that need no reading, by source.
        observed: what the run was taken from, where another tool saw it and the engine did not
            record it; such a run can be read and never replayed. Empty for every recorded run.
        forked_from: the run that this one was made from by a fork; absent for all others.
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
    argv: Names = ()
    adapters: Pairs = ()
    setting: dict[str, str] = msgspec.field(default_factory=dict)
    observed: Pairs = ()
    forked_from: ForkOrigin | None = None


class RunEnded(PayloadBase, frozen=True, tag="RunEnded"):
    """The workflow returned or raised. ``value`` is its result when that is plain JSON."""

    value: JsonText = msgspec.field(default_factory=null)
    type: str | None = None
    failure: Failure | None = None
    exit_code: int | None = None


class RunSealed(PayloadBase, frozen=True, tag="RunSealed"):
    """The last record of a run. Without it a log is open or truncated, never complete."""

    reason: Literal["completed", "failed", "cancelled"]
    events: int


# --- who runs -----------------------------------------------------------------------------------


class TaskSpawned(PayloadBase, frozen=True, tag="TaskSpawned"):
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


class TaskEnded(PayloadBase, frozen=True, tag="TaskEnded"):
    """A task finished; the header's outcome says how."""

    error: str | None = None


class ThreadStarted(PayloadBase, frozen=True, tag="ThreadStarted"):
    """A worker thread joined the schedule."""

    label: str
    ordinal: int
    participant: int


# --- questions and answers ----------------------------------------------------------------------


class Reading(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """One synchronous reading: source, argument, JSON of the answer, claimed time (us)."""

    source: str
    argument: str
    value: JsonText
    time: int


class ReadingsTaken(PayloadBase, frozen=True, tag="ReadingsTaken"):
    """Clock, randomness and environment readings that followed one another."""

    readings: tuple[Reading, ...]


class ClockAdvanced(PayloadBase, frozen=True, tag="ClockAdvanced"):
    """Time passed for a program that would not idle, so that its due timers could fire."""


class CancelRequested(PayloadBase, frozen=True, tag="CancelRequested"):
    """Whoever awaits the run was cancelled, so the run's main task is: once, when this enters."""


class SignalReceived(PayloadBase, frozen=True, tag="SignalReceived"):
    """A signal reached the process; its handler runs on the program's main thread from here on.

    Attributes:
        name: such as ``SIGINT``; numbers differ between systems.
    """

    name: str


class SecretRegistered(PayloadBase, frozen=True, tag="SecretRegistered"):
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


class SecretSuspected(PayloadBase, frozen=True, tag="SecretSuspected"):
    """A secret was found too late or inside an encoded body: the run must not be exported."""

    record: int
    number: int


# --- effects ------------------------------------------------------------------------------------


class EffectStarted(PayloadBase, frozen=True, tag="EffectStarted", omit_defaults=True):
    """The program called an effect: name and arguments, bound to its signature.

    Attributes:
        name: its name.
        arguments: JSON object of its arguments by name.
        on_resume: what is to become of it if a crash leaves it without an answer; absent for
            ``ask``.
    """

    name: str
    arguments: JsonText
    on_resume: Literal["again", "fail", "ask"] = "ask"


class EffectReturned(PayloadBase, frozen=True, tag="EffectReturned"):
    """An effect answered: its value, or the failure it raised."""

    value: JsonText = msgspec.field(default_factory=null)
    failure: Failure | None = None


class EffectCancelled(PayloadBase, frozen=True, tag="EffectCancelled"):
    """The program stopped waiting for an effect or abandoned a response in mid-stream.

    Attributes:
        effect: seq of the record that asked.
    """

    effect: int


# --- output -------------------------------------------------------------------------------------


class OutputWritten(PayloadBase, frozen=True, tag="OutputWritten"):
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
    | CancelRequested
    | SignalReceived
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
    | ProcessStarted
    | ProcessSpawned
    | ProcessFed
    | ProcessSignalled
    | ProcessWrote
    | ProcessEnded
    | OutputWritten
    | FileRead
    | FileWritten
    | CaptureGap
    | CodeLoaded
    | StateChanged
    | AdmissionDecided
)
#: Facts are what a dialect may derive.
Fact = PromptSent | ToolReturned | RequestRetried | ResponseReceived | ToolCalled

_ROLES: Final[dict[type[PayloadBase], Role]] = {
    RunStarted: "noted",
    RunEnded: "derived",
    RunSealed: "derived",
    TaskSpawned: "derived",
    TaskEnded: "derived",
    ThreadStarted: "derived",
    ReadingsTaken: "answered",
    ClockAdvanced: "delivered",
    CancelRequested: "delivered",
    SignalReceived: "delivered",
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
    ProcessStarted: "derived",
    ProcessSpawned: "delivered",
    ProcessFed: "derived",
    ProcessSignalled: "derived",
    ProcessWrote: "delivered",
    ProcessEnded: "delivered",
    OutputWritten: "derived",
    FileRead: "answered",
    FileWritten: "derived",
    CaptureGap: "noted",
    CodeLoaded: "noted",
    StateChanged: "derived",
    AdmissionDecided: "noted",
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
