"""The picture of a run: who brought up whom, and which record shows it."""

from __future__ import annotations

from replay.events.kinds import RunEnded
from replay.projections.fold import fold
from replay.projections.graph import Graph
from tests.support.conversations import conversation, end, records, send, spawn
from tests.support.recordings import Recording

GRAPH = Graph()


def graph_of(run):
    return fold(GRAPH, records(run))


def links(state):
    labels = {node.seq: node.label for node in state.nodes}
    return {(edge.type, labels[edge.source], labels[edge.target]) for edge in state.edges}


def test_a_conversation_with_a_tool_is_drawn_whole():
    state = graph_of(conversation())

    assert [(node.type, node.label, node.outcome) for node in state.nodes] == [
        ("task", "main", "ok"),
        ("task", "chat", "ok"),
        ("task", "work", "error"),
        ("exchange", "POST /v1/messages", "ok"),
        ("prompt", "large", None),
        ("effect", "lookup", "ok"),
        ("response", "large-1", "ok"),
        ("tool", "add", "ok"),
        ("exchange", "POST /v1/messages", "ok"),
        ("prompt", "large", None),
        ("effect", "slow", "cancelled"),
        ("response", "", "ok"),
    ]
    assert links(state) == {
        ("spawned", "main", "chat"),
        ("spawned", "main", "work"),
        ("caused", "chat", "POST /v1/messages"),
        ("caused", "POST /v1/messages", "large"),
        ("answered", "large", "large-1"),
        ("caused", "large-1", "add"),
        ("answered", "add", "POST /v1/messages"),
        ("answered", "large", ""),
        ("caused", "work", "lookup"),
        ("caused", "work", "slow"),
        ("handed_over", "chat", "main"),
        ("handed_over", "work", "main"),
    }


def test_every_edge_points_forward_except_hand_overs_and_names_a_record():
    state = graph_of(conversation())
    nodes = {node.seq for node in state.nodes}

    for edge in state.edges:
        assert {edge.source, edge.target} <= nodes
        assert edge.type == "handed_over" or edge.source < edge.target
        assert edge.seq < len(state.owners)


def test_a_spawn_is_no_hand_over():
    run = Recording()
    task = spawn(run)
    end(run, task)

    assert [edge.type for edge in graph_of(run).edges] == ["spawned"]


def test_what_a_task_was_born_with_is_no_hand_over():
    run = Recording()
    before = end(run, 0)
    task = spawn(run)
    run.add(RunEnded(), task=task, heard=[before])

    assert [edge.type for edge in graph_of(run).edges] == ["spawned"]


def test_equal_siblings_are_told_apart():
    run = Recording()
    spawn(run)
    spawn(run, ordinal=1)

    assert [node.label for node in graph_of(run).nodes] == ["main", "worker", "worker[1]"]


def test_a_result_of_an_unknown_call_is_no_edge():
    run = Recording()
    send(run, 0, returned="from before")

    assert [edge.type for edge in graph_of(run).edges] == ["caused", "caused"]
