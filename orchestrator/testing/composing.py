"""Composes what the script leaves open: words, tool inputs, ids and token counts.

The one invariant: everything is drawn from the `Draws` given, so an answer is a function of their
seed and of the request. Which seed that is (the body's digest or fresh randomness) is the mode's
business.
"""

from __future__ import annotations

from typing import Final, cast

from orchestrator.testing.draws import Draws
from orchestrator.testing.request_record import RequestRecord
from orchestrator.testing.script import Answer, Block, Script, Text, Thinking, ToolUse, Usage

__all__ = ["Json", "compose_blocks", "compose_usage", "credential_of", "token_count"]

#: A JSON object as `json.loads` gives it.
Json = dict[str, object]

# Some words are not ASCII, so that cuts inside characters happen in ordinary answers.
_OPENINGS: Final = ("As far as I can see,", "In short:", "Briefly:", "It seems that", "Well,")
_SUBJECTS: Final = (
    "the harbour", "a quiet ledger", "the café", "this refrain", "the third draft", "an old map",
    "the naïve estimate", "the orchestra", "Zoë's lantern", "the archive", "the tide", "東京",
)  # fmt: skip
_VERBS: Final = (
    "returns to", "outlives", "agrees with", "borrows from", "contradicts", "remembers",
    "waits for", "repeats", "measures", "answers",
)  # fmt: skip
_OBJECTS: Final = (
    "the first page", "its own echo", "a smaller number", "the evening train", "every witness",
    "the missing chord", "a façade", "what was recorded", "the next season", "its neighbour 🎵",
)  # fmt: skip
_SCHEMA_DEPTH_MAX: Final = 8
_CHARACTERS_A_TOKEN: Final = 4


def compose_blocks(
    request: RequestRecord, prompt: Json, answer: Answer, script: Script, draws: Draws
) -> tuple[Block, ...]:
    """Return the content of an answer: as scripted, or tool calls, or text."""
    if answer.blocks is not None:
        return answer.blocks
    if answer.echo is not None:
        echo = answer.echo
        text = credential_of(request) if echo.text is None else echo.text
        return (Text(echo.before + text + echo.after),)
    blocks: list[Block] = []
    thinking = prompt.get("thinking")
    if isinstance(thinking, dict) and thinking.get("type") in {"enabled", "adaptive"}:
        blocks.append(Thinking(_sentences(draws), draws.name("sig", 32)))
    calls = _tool_calls(prompt, script, draws)
    if not calls or draws.below(2):
        blocks.append(Text(_sentences(draws)))
    return (*blocks, *calls)


def compose_usage(request: RequestRecord, blocks: tuple[Block, ...]) -> Usage:
    """Return plausible token counts: four characters to a token."""
    characters = 0
    for block in blocks:
        match block:
            case Text(text=text) | Thinking(thinking=text):
                characters += len(text)
            case ToolUse():
                characters += len(repr(block.input)) + len(block.name)
    return Usage(
        input_tokens=token_count(request), output_tokens=1 + characters // _CHARACTERS_A_TOKEN
    )


def token_count(request: RequestRecord) -> int:
    """Return the number of input tokens claimed for a request."""
    return 1 + len(request.prompt_text) // _CHARACTERS_A_TOKEN


def credential_of(request: RequestRecord) -> str:
    """Return the key a request came with, without the scheme; empty if it has none."""
    authorization = request.header("authorization")
    if authorization is not None:
        return authorization.partition(" ")[2] or authorization
    return request.header("x-api-key") or ""


def _sentences(draws: Draws) -> str:
    sentences = [
        f"{draws.one_of(_OPENINGS)} {draws.one_of(_SUBJECTS)} {draws.one_of(_VERBS)} "
        f"{draws.one_of(_OBJECTS)}."
        for _ in range(1 + draws.below(3))
    ]
    return " ".join(sentences)


def _tool_calls(prompt: Json, script: Script, draws: Draws) -> tuple[ToolUse, ...]:
    tools = [tool for tool in _objects(prompt.get("tools")) if isinstance(tool.get("name"), str)]
    choice = prompt.get("tool_choice")
    choice = choice if isinstance(choice, dict) else {}
    if not tools or choice.get("type") == "none" or _has_tool_result(prompt):
        return ()
    if choice.get("type") == "tool":
        tools = [tool for tool in tools if tool["name"] == choice.get("name")]
    elif script.tools == "none" and choice.get("type") != "any":
        return ()
    if script.tools == "first" or choice.get("disable_parallel_tool_use") is True:
        tools = tools[:1]
    inputs = dict(script.tool_inputs)
    return tuple(
        ToolUse(name, inputs[name] if name in inputs else _input(tool, draws))
        for tool in tools
        for name in (cast("str", tool["name"]),)
    )


def _has_tool_result(prompt: Json) -> bool:
    messages = _objects(prompt.get("messages"))
    blocks = _objects(messages[-1].get("content")) if messages else []
    return any(block.get("type") == "tool_result" for block in blocks)


def _objects(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _input(tool: Json, draws: Draws) -> Json:
    value = _value(tool.get("input_schema"), draws, 0)
    return cast("Json", value) if isinstance(value, dict) else {}


def _value(schema: object, draws: Draws, depth: int) -> object:
    """Return a value of the type that a JSON schema asks for; constraints are not looked at."""
    if not isinstance(schema, dict) or depth > _SCHEMA_DEPTH_MAX:
        return None
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return draws.one_of(choices)
    for name in ("anyOf", "oneOf", "allOf"):
        options = _objects(schema.get(name))
        if options:
            return _value(options[0], draws, depth + 1)
    match schema.get("type"):
        case "object":
            properties = schema.get("properties")
            members = properties if isinstance(properties, dict) else {}
            return {name: _value(member, draws, depth + 1) for name, member in members.items()}
        case "array":
            return [_value(schema.get("items"), draws, depth + 1) for _ in range(2)]
        case "integer" | "number":
            return 1 + draws.below(99)
        case "boolean":
            return draws.below(2) == 1
        case "null":
            return None
        case _:
            return draws.one_of(_SUBJECTS)
