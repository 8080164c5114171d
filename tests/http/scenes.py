"""Providers that the programs talk to, keys that nobody owns, and processes unlike one another."""

from __future__ import annotations

import secrets
import socket
import string
import tempfile
from pathlib import Path

from orchestrator.testing import (
    Answer,
    Delivery,
    Rule,
    Script,
    overloaded,
    rate_limited,
    reset_before_head,
    reset_in_body,
    server_error,
    stream_error,
)
from tests.http.driver import Process

_SLOW = Answer(delivery=Delivery(latency_ms=400))
_LETTERS = string.ascii_letters + string.digits

#: What `programs/errors.py` and `programs/streams.py` expect.
TROUBLE = Script(
    rules=(
        Rule(contains="slow", answers=(_SLOW,), repeat=True),
        Rule(contains="rate limited", answers=(rate_limited("0.02"),)),
        Rule(contains="overloaded", answers=(overloaded("0.01"), overloaded("0.01"))),
        Rule(contains="server error for good", answers=(server_error(),), repeat=True),
        Rule(contains="server error", answers=(server_error("0.01"),)),
        Rule(contains="reset before head, then", answers=(reset_before_head(),)),
        Rule(contains="reset before head for", answers=(reset_before_head(),), repeat=True),
        Rule(contains="reset in body", answers=(reset_in_body(20),)),
        Rule(contains="error in stream", answers=(stream_error(4),)),
        Rule(contains="reset in stream", answers=(reset_in_body(400),)),
        Rule(contains="cancelled", answers=(Answer(delivery=Delivery(chunk_latency_ms=60)),)),
    )
)


def fake_key() -> str:
    """A key of the real shape."""
    return "sk-ant-api03-" + "".join(secrets.choice(_LETTERS) for _ in range(95))


def closed_url() -> str:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"


#: Processes to replay in. None of them knows a key or the provider's address.
PROCESSES = (
    Process(variables={"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu"}, heap_noise=50_000),
    Process(variables={"PYTHONHASHSEED": "4242", "LC_ALL": "C"}, gc_threshold=7),
    Process(variables={"PYTHONMALLOC": "malloc", "TZ": "UTC", "LANG": "C.UTF-8"}, busy=True),
    Process(directory=Path(tempfile.gettempdir()), variables={"PYTHONHASHSEED": "0"}),
    Process(variables={"PYTHONMALLOC": "debug", "LC_ALL": "POSIX"}),
    # Not in development mode: libraries and asyncio then run other code of their own.
    Process(variables={"PYTHONWARNINGS": "default", "TZ": "America/St_Johns"}),
    Process(variables={"PYTHONOPTIMIZE": "1", "PYTHONDONTWRITEBYTECODE": "1"}),
    Process(variables={"PYTHONUNBUFFERED": "1", "COLUMNS": "20", "NO_COLOR": "1"}),
    Process(directory=Path("/"), gc_threshold=1, heap_noise=3),
    Process(variables={"PYTHONUTF8": "1", "HTTP_PROXY": "http://127.0.0.1:9"}),
    *(
        Process(
            variables={"PYTHONHASHSEED": str(seed), "TZ": f"UTC{seed % 24 - 12:+d}"},
            heap_noise=seed * 37 % 90_000,
            gc_threshold=seed % 700,
            busy=seed % 3 == 0,
        )
        for seed in (7, 77, 777, 7777, 77777, 123, 1234, 12345, 123456, 1234567)
    ),
)
