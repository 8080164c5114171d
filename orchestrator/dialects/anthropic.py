"""The dialect of the Anthropic Messages API: ``/v1/messages`` and ``/v1/messages/count_tokens``.

Reads what any server of that API sent (the cloud, a proxy under a path prefix, a local model), with
what the official client would make of the same bytes as the measure.
Source: https://docs.anthropic.com/en/api/messages, and client release 2.11.
"""

from __future__ import annotations

from typing import Final

from orchestrator.dialects.anthropic_answer import read_answer
from orchestrator.dialects.anthropic_prompt import read_prompt
from replay.doors.dialect import RequestView, ResponseView
from replay.events.exchange_kinds import FieldRoles
from replay.events.kinds import Fact

__all__ = ["AnthropicMessages", "dialect"]

_OPERATIONS: Final = {"/v1/messages": "messages", "/v1/messages/count_tokens": "count_tokens"}


class AnthropicMessages:
    """Reads exchanges of the Messages API; without state, so one object serves all."""

    name: str = "anthropic-messages"
    version: int = 1
    compared_headers: frozenset[str] = frozenset(
        {"anthropic-beta", "anthropic-version", "content-type"}
    )
    field_roles: FieldRoles = (
        ("messages", "prompt"),
        ("system", "prompt"),
        ("tools", "tool schema"),
        ("tool_choice", "tool schema"),
        ("mcp_servers", "tool schema"),
        ("model", "model"),
        ("max_tokens", "model"),
        ("temperature", "model"),
        ("top_k", "model"),
        ("top_p", "model"),
        ("stop_sequences", "model"),
        ("thinking", "model"),
        ("output_config", "model"),
        ("output_format", "model"),
        ("service_tier", "model"),
        ("stream", "model"),
    )

    def matches(self, request: RequestView) -> bool:
        """Say whether it is a POST to one of the two paths, under any prefix."""
        return request.method == "POST" and _operation(request.path) is not None

    def read_request(self, request: RequestView) -> tuple[Fact, ...]:
        """Read a request: a retry if it is one, the prompt, then the tool results handed back."""
        operation = _operation(request.path)
        return () if operation is None else read_prompt(self.name, operation, request)

    def read_response(self, request: RequestView, response: ResponseView) -> tuple[Fact, ...]:
        """Read a response: the answer, then each tool that a complete answer asks for."""
        operation = _operation(request.path)
        return () if operation is None else read_answer(self.name, operation, response)


def _operation(path: str) -> str | None:
    for end, operation in _OPERATIONS.items():
        if path.endswith(end):
            return operation
    return None


#: What the entry point ``ritornello.dialects`` names.
dialect: Final = AnthropicMessages()
