"""Each HTTP exchange of a run as one value: where it went, what a dialect read, how it ended.

The one invariant: what the record does not say is None, never a guess; an exchange whose records
have holes is an exchange all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from replay.events.header import Header
from replay.events.kinds import (
    Payload,
    PromptSent,
    RequestRetried,
    RequestSent,
    ResponseEnded,
    ResponseReceived,
    ResponseStarted,
    WireObserved,
)

__all__ = ["Exchange", "exchanges"]

#: ``open``: no end is on record. ``incomplete``: the dialect saw only a piece of the answer.
Ending: TypeAlias = Literal["open", "complete", "incomplete", "failed"]


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request and what came of it; a request sent again is another exchange.

    Attributes:
        seq: position of the `RequestSent`.
        sent_us: claimed time of the request, microseconds since the Unix epoch.
        method, path: of the request.
        host: where it went, with the port if it is not the scheme's own.
        request_id, response_date: the provider's own marks, as sent.
        status: the HTTP status.
        ending: how far it came.
        ended_at: position of the record that says so; None while open.
        attempt: which retry it was, counted from 1 by the client's own header; None for none.
        dialect, operation: who read it, and as what.
        model_asked, model_answered, response_id: as the dialect reads them.
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens: the provider's counts.
    """

    seq: int
    sent_us: int
    method: str | None = None
    path: str | None = None
    host: str | None = None
    request_id: str | None = None
    response_date: str | None = None
    status: int | None = None
    ending: Ending = "open"
    ended_at: int | None = None
    attempt: int | None = None
    dialect: str | None = None
    operation: str | None = None
    model_asked: str | None = None
    model_answered: str | None = None
    response_id: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None


def exchanges(records: Iterable[tuple[Header, Payload | None]]) -> tuple[Exchange, ...]:
    """Read the exchanges of a run, in order of their requests.

    Args:
        records: headers in log order, each with its payload, None where that is not here.
    """
    found: dict[int, Exchange] = {}
    # What a dialect read stands behind the exchange's own records of the same task.
    current: dict[int, int] = {}
    for header, payload in records:
        if header.kind == "RequestSent":
            current[header.task] = header.seq
            found[header.seq] = _sent(header, payload)
            continue
        if header.kind in {"ResponseEnded", "EffectReturned"} and header.answers is not None:
            current[header.task] = header.answers
        seq = current.get(header.task) if header.answers is None else header.answers
        before = None if seq is None else found.get(seq)
        if before is not None:
            found[before.seq] = _after(before, header, payload)
    return tuple(found.values())


def _sent(header: Header, payload: Payload | None) -> Exchange:
    sent = Exchange(seq=header.seq, sent_us=header.time)
    if isinstance(payload, RequestSent):
        return msgspec.structs.replace(sent, method=payload.method, path=payload.path)
    return sent


def _after(before: Exchange, header: Header, payload: Payload | None) -> Exchange:
    """Return the exchange with what one more of its records says."""
    replace = msgspec.structs.replace
    if header.kind == "ResponseEnded":
        failed = header.outcome != "ok"
        failed = failed or (isinstance(payload, ResponseEnded) and payload.failure is not None)
        return replace(before, ending="failed" if failed else "complete", ended_at=header.seq)
    match payload:
        case WireObserved():
            return replace(
                before,
                host=payload.host,
                request_id=payload.request_id,
                response_date=payload.response_date,
            )
        case ResponseStarted():
            return replace(before, status=payload.status)
        case PromptSent():
            return replace(
                before,
                dialect=payload.dialect,
                operation=payload.operation,
                model_asked=payload.model,
            )
        case RequestRetried():
            return replace(before, dialect=payload.dialect, attempt=payload.attempt)
        case ResponseReceived():
            incomplete = before.ending == "complete" and not payload.complete
            return replace(
                before,
                dialect=payload.dialect,
                model_answered=payload.model,
                response_id=payload.response_id,
                input_tokens=payload.input_tokens,
                output_tokens=payload.output_tokens,
                cache_read_tokens=payload.cache_read_tokens,
                cache_write_tokens=payload.cache_write_tokens,
                ending="incomplete" if incomplete else before.ending,
            )
        case _:
            return before
