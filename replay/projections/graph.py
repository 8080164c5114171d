"""The run as a graph: tasks, effects, exchanges, prompts, responses, tools, and what links them.

The one invariant: an edge names the record that shows it, so every line of the picture can be
looked up. Edges point forward in the log, from what came first to what came of it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from replay.events.header import Header, Outcome
from replay.events.kinds import (
    EffectCancelled,
    EffectReturned,
    EffectStarted,
    Payload,
    PromptSent,
    RequestSent,
    ResponseEnded,
    ResponseReceived,
    RunStarted,
    TaskEnded,
    TaskSpawned,
    ThreadStarted,
    ToolCalled,
    ToolReturned,
)
from replay.projections import fold

__all__ = ["Edge", "EdgeType", "Graph", "GraphState", "Node", "NodeType"]

NodeType = Literal["task", "effect", "exchange", "prompt", "response", "tool"]
#: ``spawned``: a task, another. ``caused``: a task, its effect or exchange; an exchange, the prompt
#: read in it; a response, the tool it calls. ``answered``: a prompt or exchange, its response; a
#: tool, the exchange that hands its result back. ``handed_over``: a task, its knowledge to another.
EdgeType = Literal["spawned", "caused", "answered", "handed_over"]


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """Something that took part in the run.

    Attributes:
        seq: the record that brought it up; 0 is the main thread.
        type: what it is.
        label: task label, effect name, method and path, model, or tool name.
        task: the task it belongs to; a task belongs to the one that spawned it.
        exchange: the exchange that a prompt, response or tool was read in.
        key: the provider's id of a tool call.
        outcome: how it ended, once it has.
    """

    seq: int
    type: NodeType
    label: str
    task: int
    exchange: int | None = None
    key: str | None = None
    outcome: Outcome | None = None


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """A link between two nodes.

    Attributes:
        source, target: seqs of the nodes.
        type: what links them.
        seq: the first record that shows it.
    """

    source: int
    target: int
    type: EdgeType
    seq: int


class GraphState(msgspec.Struct, frozen=True, kw_only=True):
    """The graph after some records.

    Attributes:
        nodes: in log order.
        edges: in log order; one for each source, target and type.
        owners: the task of each record.
        current: (task, exchange) of what each task is sending or has just received.
    """

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    owners: tuple[int, ...] = ()
    current: tuple[tuple[int, int], ...] = ()


class Graph:
    """The projection; see :class:`GraphState`."""

    def initial(self) -> GraphState:
        """Return the state before the first record."""
        return GraphState()

    def builder(self, state: GraphState) -> _Builder:
        """Return a builder that goes on from a state."""
        return _Builder(state)

    def apply(self, state: GraphState, header: Header, payload: Payload) -> GraphState:
        """Return the state after one more record."""
        return fold.apply(self, state, header, payload)


class _Builder:
    def __init__(self, state: GraphState) -> None:
        self._nodes = {node.seq: node for node in state.nodes}
        self._edges = {(edge.source, edge.target, edge.type): edge for edge in state.edges}
        self._owners = list(state.owners)
        self._current = dict(state.current)
        # By exchange: its prompt and its response. By the provider's id: the tool call.
        self._prompts: dict[int, int] = {}
        self._responses: dict[int, int] = {}
        self._tools: dict[str, int] = {}
        for node in state.nodes:
            self._index(node)

    def add(self, header: Header, payload: Payload) -> None:
        seq, task = header.seq, header.task
        self._owners.append(task)
        for cause in header.causes:
            giver = self._owners[cause] if cause < seq else task
            # What is older than the task, it was born with; that is no hand-over.
            if giver != task and cause > task:
                self._link(giver, task, "handed_over", seq)
        exchange = self._current.get(task)
        if isinstance(payload, RunStarted):
            self._put(Node(seq=0, type="task", label="main", task=0))
        elif isinstance(payload, TaskSpawned | ThreadStarted):
            label = f"{payload.label}[{payload.ordinal}]" if payload.ordinal else payload.label
            self._put(Node(seq=seq, type="task", label=label, task=task))
            self._link(task, seq, "spawned", seq)
        elif isinstance(payload, EffectStarted):
            self._put(Node(seq=seq, type="effect", label=payload.name, task=task))
            self._link(task, seq, "caused", seq)
        elif isinstance(payload, RequestSent):
            self._current[task] = seq
            label = f"{payload.method} {payload.path}"
            self._put(Node(seq=seq, type="exchange", label=label, task=task))
            self._link(task, seq, "caused", seq)
        elif isinstance(payload, EffectReturned | ResponseEnded):
            if header.answers is not None:
                self._end(header.answers, header.outcome)
                self._current[task] = header.answers
        elif isinstance(payload, EffectCancelled):
            self._end(payload.effect, "cancelled")
            self._current[task] = payload.effect
        elif isinstance(payload, TaskEnded):
            self._end(task, header.outcome)
        elif exchange is not None:
            self._read(seq, task, exchange, header, payload)

    def state(self) -> GraphState:
        return GraphState(
            nodes=tuple(self._nodes.values()),
            edges=tuple(self._edges.values()),
            owners=tuple(self._owners),
            current=tuple(self._current.items()),
        )

    def _read(self, seq: int, task: int, exchange: int, header: Header, payload: Payload) -> None:
        """Take what a dialect read in an exchange; its facts follow the exchange's own records."""
        if isinstance(payload, PromptSent):
            node = Node(seq=seq, type="prompt", label=payload.model, task=task, exchange=exchange)
            self._put(node)
            self._link(exchange, seq, "caused", seq)
        elif isinstance(payload, ResponseReceived):
            node = Node(
                seq=seq,
                type="response",
                label=payload.model or "",
                task=task,
                exchange=exchange,
                outcome="error" if payload.error_type is not None else "ok",
            )
            self._put(node)
            self._link(self._prompts.get(exchange, exchange), seq, "answered", seq)
        elif isinstance(payload, ToolCalled):
            node = Node(
                seq=seq,
                type="tool",
                label=payload.name,
                task=task,
                exchange=exchange,
                key=payload.call_id,
            )
            self._put(node)
            self._link(self._responses.get(exchange, exchange), seq, "caused", seq)
        elif isinstance(payload, ToolReturned):
            tool = self._tools.get(payload.call_id)
            if tool is not None:  # otherwise it was called before the recording began
                self._end(tool, "error" if payload.is_error else "ok")
                self._link(tool, exchange, "answered", seq)

    def _put(self, node: Node) -> None:
        self._nodes[node.seq] = node
        self._index(node)

    def _index(self, node: Node) -> None:
        if node.exchange is not None:
            if node.type == "prompt":
                self._prompts[node.exchange] = node.seq
            elif node.type == "response":
                self._responses[node.exchange] = node.seq
        if node.key is not None:
            self._tools[node.key] = node.seq

    def _link(self, source: int, target: int, type_: EdgeType, seq: int) -> None:
        key = (source, target, type_)
        if key not in self._edges:
            self._edges[key] = Edge(source=source, target=target, type=type_, seq=seq)

    def _end(self, seq: int, outcome: Outcome) -> None:
        node = self._nodes.get(seq)
        if node is not None:
            self._nodes[seq] = msgspec.structs.replace(node, outcome=outcome)
