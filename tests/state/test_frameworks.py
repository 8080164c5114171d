"""Unmodified framework programs: their state changes are on record, and a replay computes them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from replay.events.kinds import RunStarted
from replay.projections.fold import fold
from replay.projections.state import State
from tests.http.driver import Process, record, replay
from tests.support.states import changes_of, records_of

HERE = Path(__file__).parent
OTHER = Process(variables={"PYTHONHASHSEED": "11", "TZ": "Asia/Kathmandu"}, heap_noise=20_000)
pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("langgraph", "pydantic_ai")),
        reason="the frameworks are not installed",
    ),
]


def _run(program, tmp_path_factory):
    workspace = tmp_path_factory.mktemp(program)
    recorded = record(HERE / f"{program}.py", workspace, variables={})
    assert recorded.error == ""
    return recorded


@pytest.fixture(scope="module")
def newsroom(tmp_path_factory):
    return _run("newsroom", tmp_path_factory)


@pytest.fixture(scope="module")
def clerk(tmp_path_factory):
    return _run("clerk", tmp_path_factory)


@pytest.fixture(scope="module")
def branches(tmp_path_factory):
    return _run("branches", tmp_path_factory)


def _short(changes):
    return [
        (each.operation, each.key, each.item, each.by, json.loads(bytes(each.value)))
        for each in changes
    ]


def test_a_graph_offers_merges_and_reads(newsroom):
    changes = [c for c in changes_of(newsroom.directory) if c.store == "LangGraph"]

    assert _short(changes) == [
        ("offered", "n", None, ("__start__",), 0),
        ("written", "n", None, ("__start__",), 0),
        ("read", "n", None, ("inc",), None),
        ("offered", "n", None, ("inc",), 1),
        ("written", "n", None, ("inc",), 1),
        ("offered", "n", None, ("inc",), 2),
        ("written", "n", None, ("inc",), 2),
    ]


def test_a_thread_of_conversation_is_one_store_over_several_executions(newsroom):
    records = records_of(newsroom.directory)
    state = fold(State(), records)

    values = {key: json.loads(value) for key, value in state.values("newsroom[7]").items()}
    assert values["topic"] == "printed"
    assert values["notes"][0]["content"] == "hi"
    assert values["notes"][1:] == [
        "left dikes", "right dikes", "from outside", "left sea", "right sea",
    ]  # fmt: skip
    held = [c for c in changes_of(newsroom.directory) if c.operation == "held" and c.key == "notes"]
    assert [json.loads(bytes(c.value))[-1:] for c in held] == [[], ["from outside"]]


def test_nodes_side_by_side_offer_concurrently_and_the_graph_merges_them(newsroom):
    offers = [
        (header, payload)
        for header, payload in records_of(newsroom.directory)
        if header.kind == "StateChanged"
        and payload.operation == "offered"
        and payload.by in {("left",), ("right",)}
    ]
    state = fold(State(), records_of(newsroom.directory))

    (first, _), (second, _) = offers[:2]
    assert first.task != second.task
    assert state.clocks.order(first.seq, second.seq) == "concurrent"
    assert all(key.concurrent == () for key in state.keys)


def test_every_sort_of_graph_ends_in_the_state_that_it_returns(branches):
    state = fold(State(), records_of(branches.directory))

    def holds(store, ordinal=0):
        return {key: json.loads(value) for key, value in state.values(store, ordinal).items()}

    fanned = [0, 1, 2, 0, 1, 2, "inside", "jump"]
    assert holds("LangGraph") == {"xs": fanned, "answer": "none"}
    assert holds("LangGraph[t]") == {"xs": fanned, "answer": "yes"}
    assert [holds("sub/inner", number)["xs"][-1] for number in (0, 1)] == ["inside"] * 2
    assert holds("LangGraph[f]") == {"__previous__": 3}
    assert holds("LangGraph", 1) == {"xs": [], "answer": "fails"}
    printed = branches.stdout.decode().splitlines()
    assert printed[0] == str(holds("LangGraph"))
    assert printed[-1] == "no"


def test_a_history_is_recorded_message_by_message(clerk):
    changes = changes_of(clerk.directory)
    by_run = [[c for c in changes if c.ordinal == number] for number in range(3)]

    kinds = ["request", "response"] * 2
    assert {(c.store, c.key) for c in changes} == {("clerk", "messages")}
    assert [(c.operation, c.item, c.by[0]) for c in by_run[0] if c.operation != "read"] == [
        ("written", position, kind) for position, kind in enumerate(kinds)
    ]
    assert [c.operation for c in by_run[1] if c.operation != "read"] == [
        *["held"] * 4,
        *["written"] * 2,
    ]
    first = json.loads(bytes(by_run[0][0].value))
    assert first["parts"][0]["content"] == "What is in the file?"
    assert first["instructions"] == "Be short."
    assert all(c.opaque == () for c in changes)


def test_the_folded_history_is_what_the_program_saw(clerk):
    state = fold(State(), records_of(clerk.directory))

    lengths = [len(json.loads(state.values("clerk", n)["messages"])) for n in range(3)]
    printed = clerk.stdout.decode().split("\n")
    assert printed[0].split()[-1] == str(lengths[1])
    assert printed[2].split() == [str(lengths[2]), "list"]


@pytest.mark.sample(2)
@pytest.mark.parametrize("program", ["newsroom", "clerk", "branches"])
@pytest.mark.parametrize("process", [Process(), OTHER], ids=["alike", "unlike"])
def test_a_replay_elsewhere_computes_the_same_changes(program, process, request):
    recorded = request.getfixturevalue(program)
    replayed = replay(HERE / f"{program}.py", recorded, process=process)

    assert replayed.report["divergence"] is None
    assert replayed.verdict == "identical"
    assert replayed.report["root_replayed"] == recorded.root
    assert replayed.stdout == recorded.stdout


def test_a_program_that_changes_state_otherwise_diverges_at_that_record(newsroom, tmp_path):
    changed = tmp_path / "newsroom.py"
    text = (HERE / "newsroom.py").read_text().replace('{"topic": "printed"}', '{"topic": "p"}')
    changed.write_text(text)

    report = replay(changed, newsroom).report

    assert report["verdict"] == "diverged"
    assert report["divergence"]["recorded_kind"] in {"StateChanged", "TaskSpawned"}


def test_the_first_record_lists_the_adapters(clerk):
    started = next(p for _, p in records_of(clerk.directory) if isinstance(p, RunStarted))

    assert started.adapters == (("langgraph", "1"), ("pydantic-ai", "1"))
