"""One line for a person about each record. What comes back is raw: the terminal makes it inert."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from orchestrator.cli.reading.records import Event
from orchestrator.cli.terminal import counted
from replay.events.kinds import (
    CaptureGap,
    ChunksReceived,
    CodeLoaded,
    EffectCancelled,
    EffectReturned,
    EffectStarted,
    FileRead,
    FileWritten,
    OutputWritten,
    ProcessEnded,
    ProcessFed,
    ProcessSignalled,
    ProcessSpawned,
    ProcessStarted,
    ProcessWrote,
    PromptSent,
    ReadingsTaken,
    RequestRetried,
    RequestSent,
    ResponseEnded,
    ResponseReceived,
    ResponseStarted,
    RunEnded,
    RunSealed,
    RunStarted,
    SecretRegistered,
    StateChanged,
    TaskEnded,
    TaskSpawned,
    ThreadStarted,
    ToolCalled,
    ToolReturned,
    WireObserved,
)

__all__ = ["MAIN_THREAD", "summary", "task_labels"]

#: What is not done by any task or other thread. A program's main task is often called `main`.
MAIN_THREAD = "main-thread"
_LONG = 200


def task_labels(events: Iterable[Event]) -> dict[int, str]:
    """Return the spawn path of each task and thread: labels, numbered where there are twins."""
    paths = {0: MAIN_THREAD}
    for event in events:
        payload = event.payload
        if isinstance(payload, TaskSpawned | ThreadStarted):
            parent = paths.get(event.header.task, str(event.header.task))
            own = payload.label if payload.ordinal == 0 else f"{payload.label}:{payload.ordinal}"
            paths[event.header.seq] = own if parent == MAIN_THREAD else f"{parent}/{own}"
    return paths


def summary(event: Event) -> str:
    """Return what happened, in a few words."""
    payload = event.payload
    match payload:
        case None:
            return f"({event.state})"
        case RunStarted():
            return f"{payload.entry} {' '.join(payload.arguments)}"
        case RunEnded():
            return payload.failure.type if payload.failure else _raw(payload.value)
        case RunSealed():
            return f"{payload.reason}, {payload.events} events"
        case TaskSpawned():
            return f"{payload.label}:{payload.ordinal} {_raw(payload.arguments)}"
        case TaskEnded():
            return payload.error or ""
        case ThreadStarted():
            return f"{payload.label}:{payload.ordinal}"
        case ReadingsTaken():
            return ", ".join(
                f"{r.source}({r.argument})={_raw(r.value)}" for r in payload.readings[:4]
            )
        case EffectStarted():
            return f"{payload.name} {_raw(payload.arguments)}"
        case EffectReturned():
            return payload.failure.type if payload.failure else _raw(payload.value)
        case EffectCancelled():
            return f"event {payload.effect}"
        case RequestSent():
            return f"{payload.method} {payload.path}"
        case WireObserved():
            return f"{payload.scheme}://{payload.host} {payload.http_version}"
        case ResponseStarted():
            return str(payload.status)
        case ChunksReceived():
            size_bytes = sum(size for size, _ in payload.chunks)
            return f"{counted(len(payload.chunks), 'chunk')}, {counted(size_bytes, 'byte')}"
        case ResponseEnded():
            return payload.failure.type if payload.failure else ""
        case PromptSent():
            return f"{payload.model}, {counted(payload.messages, 'message')}"
        case ResponseReceived():
            return payload.error_message or payload.text[:_LONG]
        case ToolCalled():
            return f"{payload.name} {payload.arguments[:_LONG]}"
        case ToolReturned():
            return payload.content[:_LONG]
        case RequestRetried():
            return f"attempt {payload.attempt}"
        case OutputWritten():
            return f"{payload.stream}: {(event.body or '')[:_LONG]}"
        case FileRead():
            found = counted(payload.size, "byte") if payload.form == "file" else payload.form
            return f"{payload.path}: {', '.join(payload.error) or found}"
        case FileWritten():
            return f"{payload.path} ({payload.mode}): {counted(payload.size, 'byte')}"
        case CaptureGap():
            return f"{payload.what}: {payload.name}"
        case CodeLoaded():
            loaded = counted(len(payload.distributions), "distribution")
            return f"{counted(len(payload.files), 'file')}, {loaded}"
        case StateChanged():
            return _state(payload)
        case ProcessStarted():
            return shlex.join(payload.arguments)[:_LONG]
        case ProcessSpawned():
            return payload.failure.type if payload.failure else f"process {payload.pid}"
        case ProcessFed():
            return f"event {payload.process}: {(event.body or '')[:_LONG]}"
        case ProcessSignalled():
            return f"event {payload.process}: signal {payload.signal}"
        case ProcessWrote():
            return f"{payload.stream}: {(event.body or '')[:_LONG]}"
        case ProcessEnded():
            return f"exit status {payload.returncode}"
        case SecretRegistered():
            return payload.source or "found in what was recorded"
        case _:
            return ""


def _state(change: StateChanged) -> str:
    """Return such as ``board.count written =3 (by left)``."""
    store = f"{change.store}:{change.ordinal}" if change.ordinal else change.store
    key = "(keys)" if change.key is None else change.key
    item = "" if change.item is None else f"[{change.item}]"
    value = "" if change.operation in {"read", "deleted"} else f" ={_raw(change.value)}"
    by = f" (by {', '.join(change.by)})" if change.by else ""
    return f"{store}.{key}{item} {change.operation}{value}{by}"


def _raw(value: bytes) -> str:
    return bytes(value)[:_LONG].decode("utf-8", "replace")
