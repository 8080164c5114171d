"""A newsroom of three frameworks in one event loop: LangGraph, pydantic-ai and the raw SDK.

Five LangGraph nodes research in parallel beside a synchronous one, with a checkpointer in memory; a
prebuilt agent uses a synchronous and an asynchronous tool; two pydantic-ai agents do the same, one
streaming; three streams of the raw SDK interleave. All of it talks to whatever speaks the Anthropic
Messages protocol at ``ANTHROPIC_BASE_URL``::

    ritornello record -- python examples/frameworks/newsroom.py
    ritornello replay last
"""

# Written as a user would.
# ruff: noqa: S311

from __future__ import annotations

import asyncio
import operator
import os
import random
import sys
from typing import Annotated, Any, TypedDict

import anthropic
from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt import create_react_agent
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel

MODEL = os.environ.get("NEWSROOM_MODEL", "claude-sonnet-4-5")
MAX_TOKENS = int(os.environ.get("NEWSROOM_MAX_TOKENS", "64"))
DESKS = ("politics", "science", "sports", "weather", "music")

chat = ChatAnthropic(model=MODEL, max_tokens=MAX_TOKENS, max_retries=2)


# --- LangGraph ------------------------------------------------------------------------------------


class Edition(TypedDict):
    """What the nodes share."""

    topic: str
    lines: Annotated[list[str], operator.add]


def desk(name: str) -> Any:
    """Return a node that asks the model about a topic, from its own point of view."""

    async def research(state: Edition) -> dict[str, list[str]]:
        answer = await chat.ainvoke(f"One line on {state['topic']} from the {name} desk.")
        print(name, "desk is done")
        return {"lines": [f"{name}: {answer.text}"]}

    return research


def archive(state: Edition) -> dict[str, list[str]]:
    """Look into the archive: a synchronous node, which runs in a worker thread."""
    return {"lines": [f"archive: {len(state['topic'])} boxes, seen by {random.randrange(9)}"]}


async def editor(state: Edition) -> dict[str, list[str]]:
    """Join what the desks wrote."""
    answer = await chat.ainvoke("Summarise:\n" + "\n".join(state["lines"]))
    return {"lines": [f"editor: {answer.text}"]}


def newspaper() -> Any:
    """Build the graph: all desks and the archive in parallel, then the editor."""
    graph = StateGraph(Edition)
    for name, node in [*((name, desk(name)) for name in DESKS), ("archive", archive)]:
        graph.add_node(name, node)
        graph.add_edge(START, name)
        graph.add_edge(name, "editor")
    graph.add_node("editor", editor)
    graph.add_edge("editor", END)
    return graph.compile(checkpointer=InMemorySaver())


@tool
async def forecast(city: str) -> str:
    """Say what the weather will be in a city."""
    await asyncio.sleep(0.01)
    return f"rain in {city}, {random.randrange(100)} per cent"


@tool
def population(city: str) -> str:
    """Say how many people live in a city."""
    return f"{len(city)} million in {city}"


async def press() -> None:
    """Run the graph three ways, and the agent."""
    paper = newspaper()
    settings = [{"configurable": {"thread_id": str(number)}} for number in range(3)]
    done = await paper.ainvoke({"topic": "the harbour", "lines": []}, settings[0])
    print(*done["lines"], sep="\n")
    async for update in paper.astream(
        {"topic": "the bridge", "lines": []}, settings[1], stream_mode="updates"
    ):
        print("update of", *update)
    async for piece, details in paper.astream(
        {"topic": "the ferry", "lines": []}, settings[2], stream_mode="messages"
    ):
        print(details["langgraph_node"], piece.id, repr(piece.content))
    agent = create_react_agent(chat, [forecast, population])
    result = await agent.ainvoke({"messages": [("user", "How is the weather, and for how many?")]})
    for message in result["messages"]:
        print(type(message).__name__, message.id, message.content)


# --- pydantic-ai ----------------------------------------------------------------------------------


def correspondent() -> Agent[None, str]:
    """Build an agent with an asynchronous and two synchronous tools."""
    agent = Agent(
        AnthropicModel(MODEL),
        system_prompt="Be brief.",
        model_settings={"max_tokens": MAX_TOKENS},
    )

    @agent.tool_plain
    async def call_witness(name: str) -> str:
        await asyncio.sleep(0.01)
        return f"{name} saw it at {asyncio.get_running_loop().time() % 60:.0f} past"

    @agent.tool_plain
    def read_notes(name: str) -> str:
        return f"notes on {name}, page {random.randrange(50)}"

    @agent.tool_plain
    def count_words(text: str) -> int:
        return len(text.split())

    return agent


async def report() -> None:
    """Run the agent once, four at a time, streaming, and step by step."""
    agent = correspondent()
    print("report:", (await agent.run("What happened at the harbour?")).output)
    answers = await asyncio.gather(*[agent.run(f"What happened at pier {n}?") for n in range(4)])
    print([answer.output for answer in answers])
    async with agent.run_stream("Tell it slowly.") as story:
        async for text in story.stream_text(delta=True):
            print("told", repr(text))
    async with agent.iter("And step by step?") as steps:
        async for step in steps:
            print("step", type(step).__name__)


# --- the raw SDK ----------------------------------------------------------------------------------


async def sing(client: anthropic.AsyncAnthropic, voice: str) -> str:
    """Stream one voice."""
    prompt: Any = [{"role": "user", "content": f"Sing one line, {voice}."}]
    async with client.messages.stream(
        model=MODEL, max_tokens=MAX_TOKENS, messages=prompt
    ) as events:
        async for text in events.text_stream:
            print(voice, repr(text))
    return (await events.get_final_message()).id


async def main() -> None:
    """Do all of it at once where it can be, one after the other where it reads better."""
    async with anthropic.AsyncAnthropic() as client:
        voices = [sing(client, voice) for voice in ("alto", "tenor", "bass")]
        print(await asyncio.gather(*voices))
    await press()
    if "--without-pydantic-ai" not in sys.argv:
        await report()
    async with asyncio.TaskGroup() as group:
        group.create_task(press(), name="second edition")
        async with anthropic.AsyncAnthropic() as client:
            print(await sing(client, "everybody"))


if __name__ == "__main__":
    asyncio.run(main())
