"""What users test their own workflows with: a provider that says what a script tells it.

The provider is a real HTTP server on the loopback interface, so the program under test runs with
its real client and its real transport.
"""

from orchestrator.testing.request_record import RequestRecord
from orchestrator.testing.script import (
    Abort,
    Answer,
    Block,
    Delivery,
    Echo,
    Rule,
    Script,
    Text,
    Thinking,
    ToolUse,
    Usage,
    overloaded,
    rate_limited,
    reset_before_head,
    reset_in_body,
    server_error,
    stream_error,
)
from orchestrator.testing.server import ScriptedProvider

__all__ = [
    "Abort",
    "Answer",
    "Block",
    "Delivery",
    "Echo",
    "RequestRecord",
    "Rule",
    "Script",
    "ScriptedProvider",
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
