"""A recorded question is found by its task, kind and content, behind a position, once."""

from __future__ import annotations

import asyncio

import pytest

import replay
from replay.log.duckdb_store import DuckDBStore
from replay.sources.history import History
from replay.sources.identity import Paths
from replay.sources.recollection import Recollection


@replay.effect
async def ask(question: str) -> str:
    return question.upper()


async def _twice(first, second):
    return [await ask(first), await ask(second)]


async def _main():
    async with asyncio.TaskGroup() as group:
        group.create_task(_twice("a", "b"), name="one")
        group.create_task(_twice("a", "c"), name="two")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    recording = replay.record(_main, workspace=tmp_path_factory.mktemp("w"))
    reader = DuckDBStore.open(recording.directory, read_only=True)
    yield reader
    reader.close()


def _questions(store):
    """Return (spawn path of the task, index, seq, payload) of each question."""
    history, paths, found = History(store), Paths(), []
    for entry in store.entries():
        header = entry.header
        if header.kind == "TaskSpawned":
            payload = history.payload(entry)[0]
            paths.spawned(header, payload.label, payload.ordinal)
        elif header.kind == "EffectStarted":
            path = paths.of(header.task)
            found.append((path, header.index, header.seq, history.raw_payload(entry)))
    return found


def test_each_question_is_found_once_under_its_own_task(store):
    recollection = Recollection(store, 1)
    questions = _questions(store)
    assert len(questions) == 4
    for path, index, seq, data in questions:
        assert recollection.find(path, "EffectStarted", index, data) == seq
        assert recollection.find(path, "EffectStarted", index, data) is None
        assert recollection.has_answer(seq)


def test_one_call_more_moves_the_indexes_and_changes_nothing(store):
    recollection = Recollection(store, 1)
    for path, index, seq, data in _questions(store):
        assert recollection.find(path, "EffectStarted", index + 1, data) == seq


def test_other_content_another_kind_and_another_task_are_not_found(store):
    recollection = Recollection(store, 1)
    first, second = sorted({path for path, *_ in _questions(store)})
    other = {first: second, second: first}
    for path, index, _, data in _questions(store):
        assert recollection.find(path, "EffectStarted", index, data + b" ") is None
        assert recollection.find(path, "RequestSent", index, data) is None
        if b'"a"' not in data:
            assert recollection.find(other[path], "EffectStarted", index, data) is None


def test_what_stands_before_the_position_is_not_recalled(store):
    questions = _questions(store)
    position = questions[2][2]
    recollection = Recollection(store, position)
    found = [
        recollection.find(path, "EffectStarted", index, data) for path, index, _, data in questions
    ]
    assert found[:2] == [None, None]
    assert found[2:] == [seq for _, _, seq, _ in questions[2:]]


def test_anew_nothing_is_recalled(store):
    recollection = Recollection(store, 1, anew=True)
    for path, index, _, data in _questions(store):
        assert recollection.find(path, "EffectStarted", index, data) is None
