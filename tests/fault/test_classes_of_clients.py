"""Unmodified clients and frameworks: what differs is named, in the user's file and line."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import msgspec
import pytest

from orchestrator.cli.reading.explanation import explained
from orchestrator.testing import ScriptedProvider
from replay.session.report import Report
from tests.http.driver import record, replay_many
from tests.http.endpoints import endpoints
from tests.http.scenes import fake_key

#: Processes of a loaded machine; alone they take a few seconds.
pytestmark = pytest.mark.timeout(240)

OPENAI = """
import asyncio
import os

import openai

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "What the weather is.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]


async def ask(client, *messages, **more):
    said = [{"role": role, "content": text} for role, text in messages]
    answer = await client.chat.completions.create(model="small", messages=said, **more)
    return answer.choices[0].message


async def main():
    options = {"base_url": os.environ["BASE_URL"] + "/v1", "api_key": os.environ["OPENAI_API_KEY"]}
    async with openai.AsyncOpenAI(**options) as client:
        first = await ask(client, ("user", "Name a harbour."), temperature=0.5)
        await ask(client, ("system", "Be brief."), ("user", "Describe " + first.content))
        await ask(client, ("user", "How is the weather there?"), tools=TOOLS)


asyncio.run(main())
"""

#: class, name: old text, new text, path of the changed field, text of the line that asks.
CHANGES = {
    ("prompt", "template"): ('"Describe "', '"Depict "', "body.messages[1].content"),
    ("prompt", "system text"): ("Be brief.", "Be long.", "body.messages[0].content"),
    ("prompt", "first question"): ("Name a harbour.", "Name a port.", "body.messages[0].content"),
    ("tool schema", "description"): (
        "What the weather is.",
        "Tells the weather.",
        "body.tools[0].function.description",
    ),
    ("tool schema", "type"): (
        '{"type": "string"}',
        '{"type": "array"}',
        "body.tools[0].function.parameters.properties.city.type",
    ),
    ("tool schema", "name"): (
        '"name": "weather"',
        '"name": "forecast"',
        "body.tools[0].function.name",
    ),
    ("model", "name"): ('model="small"', 'model="large"', "body.model"),
    ("model", "temperature"): ("temperature=0.5", "temperature=0.7", "body.temperature"),
    ("model", "another parameter"): (
        "temperature=0.5",
        "temperature=0.5, max_completion_tokens=9",
        "body.max_completion_tokens",
    ),
}

AGENT = """
import asyncio
import os

from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel

agent = Agent(AnthropicModel("small"), instructions="Answer in one sentence.")


@agent.tool_plain
def weather(city: str) -> str:
    \"\"\"Tell the weather.\"\"\"
    return "rain in " + city


async def main():
    first = await agent.run("Name a harbour.")
    print(first.output)
    second = await agent.run("Describe " + first.output)
    print(second.output)


asyncio.run(main())
"""

AGENT_CHANGES = {
    ("prompt", "instructions"): ("in one sentence", "in two sentences", "first = await agent.run"),
    ("prompt", "template"): ('"Describe "', '"Depict "', "second = await agent.run"),
    ("tool schema", "docstring"): (
        "Tell the weather",
        "Say the weather",
        "first = await agent.run",
    ),
    ("model", "name"): (
        'AnthropicModel("small")',
        'AnthropicModel("large")',
        "first = await agent.run",
    ),
    ("missing", "last question left out"): (
        '    second = await agent.run("Describe " + first.output)\n    print(second.output)\n',
        "",
        None,
    ),
    ("extra", "one question more"): (
        "    print(second.output)\n",
        '    print(second.output)\n    await agent.run("Once more")\n',
        'run("Once more")',
    ),
}


def mutants(place: Path, source: str, changes) -> dict:
    paths = {}
    for number, (key, (old, new, _)) in enumerate(changes.items()):
        assert source.count(old) == 1
        paths[key] = place / f"mutant_{number}.py"
        paths[key].write_text(source.replace(old, new))
    return paths


def told(place: Path, replayed, mutant: Path):
    report = msgspec.convert(replayed.report, Report)
    assert (report.verdict, report.live_effects) == ("diverged", 0)
    recorded = (place / "agent.py").read_bytes()
    try:  # whoever edits a program edits its file
        (place / "agent.py").write_bytes(mutant.read_bytes())
        return report.divergence, explained(report, "last", place, place).divergence
    finally:
        (place / "agent.py").write_bytes(recorded)


@pytest.fixture(scope="module")
def openai_replays(tmp_path_factory):
    place = tmp_path_factory.mktemp("openai")
    (place / "agent.py").write_text(OPENAI)
    with endpoints() as (url, _):
        variables = {"BASE_URL": url, "OPENAI_API_KEY": fake_key()}
        recorded = record(place / "agent.py", place, variables=variables, preload=("openai",))
    assert recorded.error == ""
    paths = mutants(place, OPENAI, CHANGES)
    found = replay_many([(path, recorded) for path in paths.values()], preload=("openai",))
    return place, {key: (each, paths[key]) for key, each in zip(paths, found, strict=True)}


@pytest.mark.full
@pytest.mark.parametrize(("sort", "name"), CHANGES, ids=lambda each: each.replace(" ", "-"))
def test_a_change_of_a_request_of_the_openai_client_is_classed(sort, name, openai_replays):
    place, replays = openai_replays
    divergence, explanation = told(place, *replays[sort, name])

    assert explanation.sort == sort
    assert explanation.basis in {"dialect", "names"}
    assert CHANGES[sort, name][2] in [each.path for each in divergence.fields]
    file, _, rest = explanation.place.partition(":")
    assert Path(file).parent == place
    line = Path(file).read_text().splitlines()[int(rest.split()[0]) - 1]
    assert "chat.completions.create" in line


def test_a_prompt_of_the_openai_client_is_traced_to_the_answer_before(openai_replays):
    place, replays = openai_replays
    _, explanation = told(place, *replays["prompt", "template"])
    fed = explanation.fed_by[0]

    assert fed.kind in {"ChunksReceived", "ResponseReceived"}
    assert fed.side == "both"
    assert fed.field == "body.messages[1].content"


@pytest.mark.full
@pytest.mark.skipif(
    importlib.util.find_spec("pydantic_ai") is None, reason="pydantic-ai is not installed"
)
def test_a_divergence_inside_a_framework_names_the_users_line(tmp_path):
    (tmp_path / "agent.py").write_text(AGENT)
    with ScriptedProvider(mode="wild") as provider:
        variables = {"ANTHROPIC_BASE_URL": provider.base_url, "ANTHROPIC_API_KEY": fake_key()}
        libraries = ("pydantic_ai", "pydantic_ai.models.anthropic", "httpx", "httpx2")
        recorded = record(tmp_path / "agent.py", tmp_path, variables=variables, preload=libraries)
    assert recorded.error == ""
    paths = mutants(tmp_path, AGENT, AGENT_CHANGES)
    found = replay_many([(path, recorded) for path in paths.values()], preload=libraries)
    for (key, path), replayed in zip(paths.items(), found, strict=True):
        divergence, explanation = told(tmp_path, replayed, path)
        print(key, divergence, explanation, sep="\n")
        assert explanation.sort == key[0]
        line = AGENT_CHANGES[key][2]
        if line is not None:
            # Where a task of the framework asked: who started that, which the recording knows.
            file, _, rest = explanation.place.partition(":")
            assert Path(file) in {path, tmp_path / "agent.py"}
            assert line in Path(file).read_text().splitlines()[int(rest.split()[0]) - 1]
