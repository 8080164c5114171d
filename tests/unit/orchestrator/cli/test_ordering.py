"""Before, after or concurrent, asked by number or by name."""

from __future__ import annotations

import pytest

from orchestrator.cli.reading.ordering import order_of
from orchestrator.cli.reading.records import iter_events
from orchestrator.cli.reading.summaries import summary, task_labels
from replay.errors import NotFoundError
from tests.support.conversations import end, spawn
from tests.support.recordings import ListReader, Recording


@pytest.fixture
def events():
    """The main thread spawns two tasks of one name; the first spawns one of its own."""
    recording = Recording()
    first = spawn(recording, "worker")
    second = spawn(recording, "worker", ordinal=1)
    inner = spawn(recording, "inner", task=first)
    for task in (inner, first, second):
        end(recording, task)
    return list(iter_events(ListReader(recording.entries)))


def test_paths_name_the_parents_and_number_the_twins(events):
    assert list(task_labels(events).values()) == [
        "main-thread",
        "worker",
        "worker:1",
        "worker/inner",
    ]
    assert all(isinstance(summary(event), str) for event in events)


@pytest.mark.parametrize("name", ["nobody", "99", "", "-1"])
def test_a_name_that_nothing_has_is_refused_and_the_others_are_named(events, name):
    with pytest.raises(NotFoundError) as refused:
        order_of(events, name, "0")

    assert refused.value.hint


def test_tasks_are_found_by_path_or_by_the_end_of_it(events):
    assert order_of(events, "inner", "worker/inner") == "equal"
    assert order_of(events, "worker:1", "inner") == "concurrent"
    assert order_of(events, "0", "inner") == "before"
    assert order_of(events, "inner", "0") == "after"
