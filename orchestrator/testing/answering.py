"""Decides what a request is answered: script first, the mode for what the script leaves open.

*Pure*: an answer is a function of the request's body (and the seed, if one is given). *Wild*: every
answer has fresh ids, wording, token split and latency, as a live provider's has; a seed makes them
a function of seed and ordinal. Knows no socket.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from email.utils import formatdate
from typing import Literal

import msgspec

from orchestrator.testing.composing import (
    Json,
    compose_blocks,
    compose_usage,
    credential_of,
    token_count,
)
from orchestrator.testing.delivery import Response, compress
from orchestrator.testing.draws import Draws
from orchestrator.testing.message_body import (
    Message,
    encode_json,
    error_body,
    message_body,
    message_events,
    stream_event,
)
from orchestrator.testing.request_record import RequestRecord
from orchestrator.testing.script import Answer, Block, Script, ToolUse

__all__ = ["Answerer", "Mode", "refusal"]

Mode = Literal["pure", "wild"]

_JSON = "application/json"
_STREAM = "text/event-stream; charset=utf-8"
_WILD_LATENCY_MS = 12
_WILD_CHUNK_LATENCY_MS = 3
_PATHS = {
    "/v1/messages": "POST",
    "/v1/messages/count_tokens": "POST",
    "/v1/models": "GET",
}


class Answerer:
    """Answers requests; may be asked from several threads.

    Args:
        mode: who composes what the script leaves open.
        seed: see the module; None in wild mode draws from the operating system.
        script: rules and default.
    """

    def __init__(self, mode: Mode, seed: int | None, script: Script) -> None:
        self._mode = mode
        self._seed = seed
        self._script = script
        # How many answers of each rule were taken; guarded by the lock.
        self._taken = [0] * len(script.rules)
        self._lock = threading.Lock()

    def respond(self, request: RequestRecord) -> Response:
        """Return the answer to a request; takes it off the script."""
        answer = self._take(request)
        draws = self._draws(request)
        request_id = draws.name("req_")
        status, content_type, pieces = self._content(request, answer, draws, request_id)
        headers = [("content-type", content_type), ("request-id", request_id)]
        delivery = answer.delivery
        if delivery.gzip and "gzip" in (request.header("accept-encoding") or ""):
            pieces = compress(pieces)
            headers.append(("content-encoding", "gzip"))
        wild = self._mode == "wild"
        if wild:
            headers.append(("date", formatdate(usegmt=True)))
        latency, chunk_latency = delivery.latency_ms, delivery.chunk_latency_ms
        if latency is None:
            latency = draws.below(_WILD_LATENCY_MS) if wild else 0
        if chunk_latency is not None:
            chunk_latencies: tuple[int, ...] = (chunk_latency,)
        elif wild and not delivery.chunk_sizes:
            chunk_latencies = tuple(draws.below(_WILD_CHUNK_LATENCY_MS) for _ in range(16))
        else:  # Thousands of tiny chunks with a pause after each would take seconds.
            chunk_latencies = ()
        echoed = ""
        if answer.echo is not None:
            echoed = credential_of(request) if answer.echo.text is None else answer.echo.text
        return Response(
            status=status,
            headers=(*headers, *answer.headers),
            pieces=pieces,
            latency_ms=latency,
            chunk_latencies_ms=chunk_latencies,
            delivery=delivery,
            # As it stands in a JSON string.
            echoed=encode_json(echoed)[1:-1],
            echo_cut_at=() if answer.echo is None else answer.echo.cut_at,
        )

    def _take(self, request: RequestRecord) -> Answer:
        # Predicates may be slow or ask the provider: they run outside the lock.
        matching = [n for n, rule in enumerate(self._script.rules) if rule.matches(request)]
        with self._lock:
            for number in matching:
                rule = self._script.rules[number]
                taken = self._taken[number]
                if taken < len(rule.answers):
                    self._taken[number] += 1
                    return rule.answers[taken]
                if rule.repeat and rule.answers:
                    return rule.answers[-1]
        return self._script.default

    def _draws(self, request: RequestRecord) -> Draws:
        if self._mode == "pure":
            seed = f"pure {self._seed} ".encode() + hashlib.sha256(request.body).digest()
        elif self._seed is not None:
            seed = f"wild {self._seed} {request.ordinal}".encode()
        else:
            seed = os.urandom(32)
        return Draws(seed)

    def _content(
        self, request: RequestRecord, answer: Answer, draws: Draws, request_id: str
    ) -> tuple[int, str, tuple[bytes, ...]]:
        """Return status, content type and body."""
        if answer.body is not None:
            return answer.status, answer.content_type, (answer.body,)
        if answer.status != 200:
            return _error(answer.status, answer, request_id)
        method = _PATHS.get(request.path)
        if method is None:
            return _error(404, Answer(error_message="no such path"), request_id)
        if method != request.method:
            return _error(405, Answer(error_message=f"{request.path} takes {method}"), request_id)
        if request.path == "/v1/models":
            return 200, _JSON, (encode_json(_models(self._script)),)
        prompt = _prompt(request)
        if prompt is None:
            message = "a prompt has model (text), messages (list) and max_tokens (integer)"
            return _error(400, Answer(error_message=message), request_id)
        if request.path == "/v1/messages/count_tokens":
            return 200, _JSON, (encode_json({"input_tokens": token_count(request)}),)
        return self._message(request, prompt, answer, draws, request_id)

    def _message(
        self, request: RequestRecord, prompt: Json, answer: Answer, draws: Draws, request_id: str
    ) -> tuple[int, str, tuple[bytes, ...]]:
        is_stream = prompt.get("stream") is True
        if answer.error_after_events is not None and not is_stream:
            return _error(500, answer, request_id)
        blocks = tuple(
            _with_id(block, draws)
            for block in compose_blocks(request, prompt, answer, self._script, draws)
        )
        calls = any(isinstance(block, ToolUse) for block in blocks)
        message = Message(
            id=answer.response_id or draws.name("msg_"),
            model=str(prompt["model"]),
            blocks=blocks,
            stop_reason=answer.stop_reason or ("tool_use" if calls else "end_turn"),
            usage=answer.usage or compose_usage(request, blocks),
        )
        if not is_stream:
            return 200, _JSON, (encode_json(message_body(message)),)
        events = tuple(message_events(message, answer.piece_sizes, draws))
        if answer.error_after_events is not None:
            error = error_body(529, answer.error_type, answer.error_message, request_id)
            events = (*events[: answer.error_after_events], stream_event("error", error))
        return 200, _STREAM, events


def refusal(status: int, message: str) -> Response:
    """Return an answer outside any script, after which the connection closes."""
    body = encode_json(error_body(status, None, message, "req_none"))
    headers = (("content-type", _JSON), ("x-should-retry", "false"), ("connection", "close"))
    return Response(status=status, headers=headers, pieces=(body,))


def _error(status: int, answer: Answer, request_id: str) -> tuple[int, str, tuple[bytes, ...]]:
    body = error_body(status, answer.error_type, answer.error_message, request_id)
    return status, _JSON, (encode_json(body),)


def _with_id(block: Block, draws: Draws) -> Block:
    if isinstance(block, ToolUse) and block.id is None:
        return msgspec.structs.replace(block, id=draws.name("toolu_"))
    return block


def _prompt(request: RequestRecord) -> Json | None:
    """Return the body of a prompt, or None if it lacks what every prompt has."""
    try:
        prompt = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(prompt, dict):
        return None
    counts = request.path.endswith("/count_tokens")
    is_prompt = (
        isinstance(prompt.get("model"), str)
        and isinstance(prompt.get("messages"), list)
        and (counts or isinstance(prompt.get("max_tokens"), int))
    )
    return prompt if is_prompt else None


def _models(script: Script) -> Json:
    models = [
        {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"}
        for name in script.models
    ]
    ends = {"first_id": script.models[0], "last_id": script.models[-1]} if script.models else {}
    return {"data": models, "has_more": False, "first_id": None, "last_id": None} | ends
