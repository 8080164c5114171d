"""What users test their own workflows with: a provider that says what a script tells it.

The provider is a real HTTP server on the loopback interface, so the program under test runs with
its real client and its real transport. Importing this package imports nothing else; a name is
loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.testing.recorded_run import NotRepeatedError, recorded
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
    "NotRepeatedError",
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
    "recorded",
    "reset_before_head",
    "reset_in_body",
    "server_error",
    "stream_error",
]

_HOMES = {
    "NotRepeatedError": "orchestrator.testing.recorded_run",
    "RequestRecord": "orchestrator.testing.request_record",
    "ScriptedProvider": "orchestrator.testing.server",
    "recorded": "orchestrator.testing.recorded_run",
}


def __getattr__(name: str) -> object:
    """Load a public name on first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "orchestrator.testing.script")), name)
