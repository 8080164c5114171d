"""Workflows are the functions they were, with a record and a replay beside them."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from replay.errors import UsageError
from replay.session.opening import open_run
from replay.session.workflow import (
    arguments_text,
    call_with,
    entry_name,
    first_record,
    is_workflow,
    workflow,
)


@workflow
async def review(topic: str, times: int = 2) -> list[object]:
    """Say it so many times."""
    await asyncio.sleep(0)
    return [topic] * times


async def spread(first, *rest, last=None):
    return [first, *rest, last]


def test_calling_a_workflow_is_what_it_was():
    assert inspect.iscoroutinefunction(review)
    assert is_workflow(review)
    assert not is_workflow(spread)
    assert asyncio.run(review("ho", times=1)) == ["ho"]


def test_a_call_is_recorded_with_its_arguments_and_replayed_with_them(tmp_path):
    recording = review.record("ho", times=3, workspace=tmp_path / "runs")
    report = review.replay("last", workspace=tmp_path / "runs")

    assert recording.result() == ["ho", "ho", "ho"]
    assert report.verdict == "identical"
    assert report.root_replayed == recording.root
    reader = open_run("last", workspace=tmp_path / "runs")
    started = first_record(reader)
    reader.close()
    assert started.entry == entry_name(review)
    assert started.entry.endswith("test_workflow.py:review")
    assert started.arguments == ('{"topic":"ho","times":3}',)


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((), {}, "[]"),
        (("a", 2), {}, '["a",2]'),
        (("a",), {"times": 2}, '{"topic":"a","times":2}'),
        ((), {"times": 2, "topic": None}, '{"times":2,"topic":null}'),
    ],
)
def test_arguments_are_written_by_place_or_by_name(args, kwargs, text):
    if args or kwargs:
        assert arguments_text(review, args, kwargs) == text
    else:
        with pytest.raises(UsageError):
            arguments_text(review, args, kwargs)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (("a", 1, 2), {}),
        ((("a", "tuple"),), {}),
        (({1: "number as a key"},), {}),
        ((object(),), {}),
        ((float("nan"),), {}),
        ((), {"topic": b"bytes"}),
        ((), {"nope": 1}),
    ],
)
def test_arguments_that_would_come_back_as_others_are_refused(args, kwargs):
    with pytest.raises(UsageError):
        arguments_text(review, args, kwargs)


def test_by_place_and_by_name_at_once_is_refused_where_it_is_ambiguous():
    assert arguments_text(spread, (1, 2, 3), {}) == "[1,2,3]"
    with pytest.raises(UsageError):
        arguments_text(spread, (1, 2, 3), {"last": 4})


@pytest.mark.parametrize("text", ["{", "3", '["a",1,2]', '{"nope":1}'])
def test_recorded_arguments_that_do_not_fit_are_refused(text):
    with pytest.raises(UsageError):
        call_with(review, text)


def test_only_a_coroutine_function_is_a_workflow():
    with pytest.raises(UsageError, match="async def"):
        workflow(lambda: None)  # type: ignore[arg-type]
