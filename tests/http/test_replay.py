"""Unmodified programs, recorded against a wild provider, replay bit for bit in other processes."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.testing import (
    Answer,
    Delivery,
    Rule,
    Script,
    ScriptedProvider,
    overloaded,
    rate_limited,
    reset_before_head,
    reset_in_body,
    server_error,
)
from tests.http.driver import LIBRARIES, PROGRAMS, Process, record, replay
from tests.http.raw_server import raw_server

SLOW = Answer(delivery=Delivery(latency_ms=400))
FAILING = Script(
    rules=(
        Rule(contains="rate limited", answers=(rate_limited("0.02"),)),
        Rule(contains="overloaded", answers=(overloaded("0.01"), overloaded("0.01"))),
        Rule(contains="server error for good", answers=(server_error(),), repeat=True),
        Rule(contains="server error", answers=(server_error("0.01"),)),
        Rule(contains="reset before head, then", answers=(reset_before_head(),)),
        Rule(contains="reset before head for", answers=(reset_before_head(),), repeat=True),
        Rule(contains="reset in body", answers=(reset_in_body(20),)),
        Rule(contains="too slow", answers=(SLOW,)),
        Rule(
            contains="error in stream",
            answers=(Answer(error_after_events=4, error_type="overloaded_error"),),
        ),
        Rule(contains="reset in stream", answers=(reset_in_body(400),)),
        Rule(contains="cancelled", answers=(Answer(delivery=Delivery(chunk_latency_ms=60)),)),
    )
)


def fake_key() -> str:
    """A key of the real shape that is nobody's."""
    return "sk-ant-api03-" + "".join(secrets.choice(_KEY_LETTERS) for _ in range(95))


