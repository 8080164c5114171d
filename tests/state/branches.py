"""Sends, a graph inside a graph, a command, an interrupt, a functional graph, a node that fails."""

import asyncio
import operator
from typing import Annotated, TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt


class Board(TypedDict):
    xs: Annotated[list, operator.add]
    answer: str


def inner():
    graph = StateGraph(Board)
    graph.add_node("in", lambda _: {"xs": ["inside"]})
    graph.add_edge(START, "in")
    return graph.compile(name="inner")


def outer(checkpointer=None):
    graph = StateGraph(Board)
    graph.add_node("fan", lambda _: {})
    graph.add_node("one", lambda sent: {"xs": [sent["n"]]})
    graph.add_node("sub", inner())
    graph.add_node("jump", lambda _: Command(update={"xs": ["jump"]}, goto="human"))
    graph.add_node("human", lambda _: {"answer": interrupt("ok?") if checkpointer else "none"})
    graph.add_edge(START, "fan")
    graph.add_conditional_edges("fan", lambda _: [Send("one", {"n": n}) for n in range(3)])
    graph.add_edge("one", "sub")
    graph.add_edge("sub", "jump")
    graph.add_edge("human", END)
    return graph.compile(checkpointer=checkpointer)


async def asked() -> None:
    graph, thread = outer(InMemorySaver()), {"configurable": {"thread_id": "t"}}
    async for step in graph.astream({"xs": [], "answer": ""}, thread):
        print(step)
    print(await graph.ainvoke(Command(resume="yes"), thread))


@task
def double(number: int) -> int:
    return 2 * number


@entrypoint(checkpointer=InMemorySaver())
def flow(number: int, *, previous=None):
    return entrypoint.final(value=double(number).result(), save=(previous or 0) + number)


def fail(_: Board) -> dict:
    raise ValueError("no")


def failing():
    graph = StateGraph(Board)
    graph.add_node("fail", fail)
    graph.add_edge(START, "fail")
    return graph.compile()


print(outer().invoke({"xs": [], "answer": ""}))
asyncio.run(asked())
for number in (1, 2):
    print(flow.invoke(number, {"configurable": {"thread_id": "f"}}))
try:
    failing().invoke({"xs": [], "answer": "fails"})
except ValueError as error:
    print(error)
