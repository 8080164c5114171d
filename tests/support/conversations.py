"""A run with tasks, an effect, and a chat with a tool call, record by record; for projections."""

from __future__ import annotations

import msgspec

from replay.events.kinds import (
    EffectCancelled,
    EffectReturned,
    EffectStarted,
    PromptSent,
    RequestRetried,
    RequestSent,
    ResponseEnded,
    ResponseReceived,
    ResponseStarted,
    TaskEnded,
    TaskSpawned,
    ToolCalled,
    ToolReturned,
)
from replay.events.payload import decode_payload
from tests.support.recordings import Recording

RAW = msgspec.Raw


def records(recording: Recording):
    """The headers and payloads of a recording, read back from their bytes."""
    parts: list[bytes | None] = []
    for entry in recording.entries:
        parts += [part.data for part in entry.brought]
        data = b"".join(parts[ref] or b"" for ref in entry.parts)
        yield entry.header, decode_payload(entry.header.media, data)[0]


def spawn(run: Recording, label="worker", ordinal=0, task=0) -> int:
    payload = TaskSpawned(label=label, ordinal=ordinal, arguments=RAW(b"{}"), seed="0" * 32)
    return run.add(payload, task=task)


def start_effect(run: Recording, task: int, name="lookup") -> int:
    return run.add(EffectStarted(name=name, arguments=RAW(b"{}")), task=task)


def answer_effect(run: Recording, task: int, effect: int, outcome="ok") -> int:
    return run.add(
        EffectReturned(value=RAW(b"1")), task=task, answers=effect, part=0, outcome=outcome
    )


def cancel_effect(run: Recording, task: int, effect: int) -> int:
    return run.add(EffectCancelled(effect=effect), task=task, outcome="cancelled")


def end(run: Recording, task: int, outcome="ok") -> int:
    return run.add(TaskEnded(), task=task, outcome=outcome)


def send(run: Recording, task: int, *, model="large", returned=None, attempt=0) -> int:
    """A request with what the dialect reads in it; the number of the exchange."""
    exchange = run.add(
        RequestSent(method="POST", path="/v1/messages", query="", headers=(), credentials=()),
        body=b'{"messages":[]}',
        task=task,
    )
    if attempt:
        run.add(RequestRetried(dialect="anthropic", attempt=attempt), task=task)
    if returned is not None:
        run.add(
            ToolReturned(dialect="anthropic", call_id=returned, is_error=False, content="4"),
            task=task,
        )
    run.add(
        PromptSent(
            dialect="anthropic",
            operation="chat",
            model=model,
            messages=1,
            system=False,
            tools=(),
            stream=False,
            max_tokens=10,
            seed="unsupported",
        ),
        task=task,
    )
    return exchange


def answer(
    run: Recording,
    task: int,
    exchange: int,
    *,
    model="large-1",
    call=None,
    tokens=(10, 5),
    error=None,
) -> None:
    """A response with what the dialect reads in it."""
    run.add(
        ResponseStarted(status=200, headers=(), http_version="HTTP/1.1", reason="OK"),
        task=task,
        answers=exchange,
        part=0,
    )
    run.add(ResponseEnded(), task=task, answers=exchange, part=1)
    run.add(
        ResponseReceived(
            dialect="anthropic",
            status=500 if error else 200,
            response_id=None,
            model=model,
            text="4",
            thinking="",
            stop_reason=None,
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            cache_read_tokens=0,
            cache_write_tokens=None,
            complete=True,
            error_type=error,
            error_message=None,
        ),
        task=task,
    )
    if call is not None:
        run.add(
            ToolCalled(dialect="anthropic", call_id=call, name="add", arguments="{}"), task=task
        )


def conversation() -> Recording:
    """A run of two tasks: one uses a tool in a chat, one calls effects; the first joins both."""
    run = Recording()
    chat = spawn(run, "chat")
    work = spawn(run, "work")
    first = send(run, chat)
    effect = start_effect(run, work)
    answer(run, chat, first, call="call_1")
    answer_effect(run, work, effect)
    second = send(run, chat, returned="call_1", attempt=1)
    late = start_effect(run, work, "slow")
    answer(run, chat, second, model=None, tokens=(None, 7))
    cancel_effect(run, work, late)
    ended = [end(run, chat), end(run, work, outcome="error")]
    run.add(TaskEnded(), heard=ended)
    return run
