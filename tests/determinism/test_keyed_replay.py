"""Parallel agents with one and the same prompt: each gets its own recorded answer, or none."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest

from orchestrator.testing import ScriptedProvider
from replay.log.duckdb_store import DuckDBStore
from replay.session.keyed import replay_keyed
from replay.session.record import record_program

pytestmark = pytest.mark.imports_sdk

AGENTS = ("ada", "brook", "cleo", "dana", "ezra")


def start_orders(count):
    """Every start order equally likely, the recorded one first, the same in each test run."""
    orders = list(itertools.permutations(AGENTS))
    random.Random(7).shuffle(orders)
    return [AGENTS, *orders[: count - 1]]


def program(base_url, order, *, named, prompt="What is it?"):
    import anthropic

    async def agent(client, who):
        message = await client.messages.create(
            model="m", max_tokens=64, messages=[{"role": "user", "content": prompt}]
        )
        return who, message.content[0].text

    async def main():
        async with anthropic.AsyncAnthropic(base_url=base_url, api_key="unused") as client:
            tasks = [
                asyncio.create_task(agent(client, who), name=who if named else None)
                for who in order
            ]
            return dict(await asyncio.gather(*tasks))

    return lambda: asyncio.run(main())


@pytest.fixture
def provider():
    with ScriptedProvider(mode="wild") as server:
        yield server


def recorded(provider, tmp_path, *, named):
    recording = record_program(
        program(provider.base_url, AGENTS, named=named), entry="test", workspace=tmp_path / "ws"
    )
    answers = recording.result()
    assert len(set(answers.values())) == len(AGENTS), "the provider answered each differently"
    return DuckDBStore.open(recording.directory, read_only=True), answers


@pytest.mark.parametrize("starts", [10, pytest.param(50, marks=pytest.mark.full)])
def test_named_agents_get_their_own_answers_in_any_start_order(provider, tmp_path, starts):
    store, answers = recorded(provider, tmp_path, named=True)
    asked_live = len(provider.requests)

    for order in start_orders(starts):
        report = replay_keyed(store, program(provider.base_url, order, named=True))

        assert report.result() == answers
        assert report.unused == 0
    assert len(provider.requests) == asked_live
    store.close()


def test_anonymous_agents_in_another_order_are_reported_at_the_spawn(provider, tmp_path):
    store, answers = recorded(provider, tmp_path, named=False)

    for order in start_orders(8):
        report = replay_keyed(store, program(provider.base_url, order, named=False))

        if order == AGENTS:
            assert report.result() == answers
            continue
        difference = report.difference
        assert difference is not None
        assert difference.recorded_kind == difference.replayed_kind == "TaskSpawned"
        changed = difference.fields[0]
        assert changed.path == "arguments.who"
        first = next(i for i, who in enumerate(order) if who != AGENTS[i])
        assert (changed.recorded, changed.replayed) == (AGENTS[first], order[first])
        assert "test_keyed_replay.py" in (difference.replayed_place or "")
    store.close()


def test_a_changed_prompt_is_stopped_before_it_gets_an_answer(provider, tmp_path):
    store, _ = recorded(provider, tmp_path, named=True)

    changed = program(provider.base_url, AGENTS, named=True, prompt="What was it?")
    report = replay_keyed(store, changed)

    assert report.difference is not None
    assert report.difference.replayed_kind == "RequestSent"
    assert [f.path for f in report.difference.fields] == ["body.messages[0].content"]
    store.close()


def test_a_task_that_the_recording_does_not_have_gets_nothing(provider, tmp_path):
    store, _ = recorded(provider, tmp_path, named=True)

    report = replay_keyed(store, program(provider.base_url, ("ada", "zoe"), named=True))

    assert report.difference is not None
    assert report.difference.category == "extra"
    assert "zoe[0]" in report.difference.task
    store.close()
