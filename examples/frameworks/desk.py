"""The same kind of graph without ``async``: LangGraph's ``invoke`` and its pool of threads.

Parallel nodes run on a thread pool of LangGraph's own and block on a synchronous client; an agent
with synchronous tools follows, then pydantic-ai's ``run_sync``::

    ritornello record -- python examples/frameworks/desk.py
    ritornello replay last
"""

# Written as a user would.
# ruff: noqa: S311

from __future__ import annotations

import operator
import os
import random
import time
from typing import Annotated, Any, TypedDict

from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt import create_react_agent
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel

MODEL = os.environ.get("NEWSROOM_MODEL", "claude-sonnet-4-5")
MAX_TOKENS = int(os.environ.get("NEWSROOM_MAX_TOKENS", "64"))

chat = ChatAnthropic(model=MODEL, max_tokens=MAX_TOKENS, max_retries=2)


class Edition(TypedDict):
    """What the nodes share."""

    topic: str
    lines: Annotated[list[str], operator.add]


def desk(name: str) -> Any:
    """Return a node that asks the model, and streams the answer."""

    def research(state: Edition) -> dict[str, list[str]]:
        pieces = [piece.text for piece in chat.stream(f"One line on {state['topic']}, {name}.")]
        time.sleep(0.001 * random.randrange(5))
        print(name, "wrote", len(pieces), "pieces")
        return {"lines": [f"{name}: {''.join(pieces)}"]}

    return research


def editor(state: Edition) -> dict[str, list[str]]:
    """Join what the desks wrote."""
    return {"lines": [chat.invoke("Summarise:\n" + "\n".join(state["lines"])).text]}


@tool
def population(city: str) -> str:
    """Say how many people live in a city."""
    return f"{random.randrange(90)} million in {city}"


@tool
def mayor(city: str) -> str:
    """Say who is the mayor of a city."""
    return f"the mayor of {city} is {chat.invoke('Invent a name.').text}"


def main() -> None:
    """Run the graph twice, the agent, and a batch."""
    graph = StateGraph(Edition)
    for name in ("politics", "science", "sports", "weather"):
        graph.add_node(name, desk(name))
        graph.add_edge(START, name)
        graph.add_edge(name, "editor")
    graph.add_node("editor", editor)
    graph.add_edge("editor", END)
    paper = graph.compile(checkpointer=InMemorySaver())
    settings: Any = {"configurable": {"thread_id": "morning"}}
    print(*paper.invoke({"topic": "the harbour", "lines": []}, settings)["lines"], sep="\n")
    settings = {"configurable": {"thread_id": "evening"}}
    for update in paper.stream({"topic": "the tide", "lines": []}, settings, stream_mode="updates"):
        print("update of", *update)
    agent = create_react_agent(chat, [population, mayor])
    for message in agent.invoke({"messages": [("user", "Who lives there?")]})["messages"]:
        print(type(message).__name__, message.id, message.content)
    for answer in chat.batch(["one word", "two words", "three words"]):
        print(answer.id, answer.text)
    correspondent = Agent(AnthropicModel(MODEL), model_settings={"max_tokens": MAX_TOKENS})

    @correspondent.tool_plain
    def read_notes(name: str) -> str:
        return f"notes on {name}, page {random.randrange(50)}"

    print(correspondent.run_sync("What happened at the harbour?").output)


if __name__ == "__main__":
    main()
