"""A LangGraph program as its users write it: two nodes side by side, a reducer, a checkpointer."""

import asyncio
import operator
from typing import Annotated, TypedDict

from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph


class Story(TypedDict):
    topic: str
    notes: Annotated[list, operator.add]


class Count(TypedDict):
    n: int


async def left(state: Story) -> dict:
    await asyncio.sleep(0.01)
    return {"notes": ["left " + state["topic"]]}


async def right(state: Story) -> dict:
    return {"notes": ["right " + state["topic"]]}


async def edit(state: Story) -> dict:
    return {"topic": "printed"}


def newsroom():
    graph = StateGraph(Story)
    for node in (left, right, edit):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "left")
    graph.add_edge(START, "right")
    graph.add_edge(["left", "right"], "edit")
    graph.add_edge("edit", END)
    return graph.compile(checkpointer=InMemorySaver(), name="newsroom")


def counter():
    graph = StateGraph(Count)
    graph.add_node("inc", lambda state: {"n": state["n"] + 1})
    graph.add_edge(START, "inc")
    graph.add_conditional_edges("inc", lambda state: END if state["n"] > 1 else "inc")
    return graph.compile()


async def main() -> None:
    graph, thread = newsroom(), {"configurable": {"thread_id": "7"}}
    await graph.ainvoke({"topic": "dikes", "notes": [HumanMessage("hi", id="1")]}, thread)
    graph.update_state(thread, {"notes": ["from outside"]})
    story = await graph.ainvoke({"topic": "sea", "notes": []}, thread)
    print(len(story["notes"]), story["topic"])


asyncio.run(main())
print(counter().invoke({"n": 0}))
