"""What a run was doing after any of its records."""

from __future__ import annotations

import pytest

from replay.events.kinds import RunEnded, RunSealed
from replay.projections.fold import fold
from replay.projections.status import OpenEffect, Status
from tests.support.conversations import (
    answer_effect,
    cancel_effect,
    conversation,
    end,
    records,
    send,
    spawn,
    start_effect,
)
from tests.support.recordings import RUN_ID, Recording


def status_of(run):
    return fold(Status(), records(run))


def progress(run):
    return [task.progress for task in status_of(run).tasks]


def test_before_the_first_record_it_is_pending():
    assert Status().initial().progress == "pending"


def test_a_started_run_is_running():
    state = status_of(Recording())

    assert (state.run, state.progress, state.sealed) == (RUN_ID, "running", False)
    assert [(task.label, task.parent) for task in state.tasks] == [("main", None)]


def test_a_task_goes_from_pending_to_its_end():
    run = Recording()
    task = spawn(run)
    seen = [progress(run)]
    effect = start_effect(run, task)
    seen.append(progress(run))
    answer_effect(run, task, effect)
    seen.append(progress(run))
    end(run, task)
    seen.append(progress(run))

    assert [tasks[1] for tasks in seen] == ["pending", "waiting", "running", "completed"]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [("ok", "completed"), ("error", "failed"), ("timeout", "failed"), ("cancelled", "cancelled")],
)
def test_the_outcome_of_its_last_record_says_how_a_task_ended(outcome, expected):
    run = Recording()
    end(run, spawn(run), outcome)

    assert progress(run)[1] == expected


def test_open_effects_are_named_and_hold_the_run_waiting():
    run = Recording()
    task = spawn(run)
    effect = start_effect(run, task, "slow")
    exchange = send(run, 0)

    state = status_of(run)

    assert state.open_effects == (
        OpenEffect(seq=effect, task=task, name="slow"),
        OpenEffect(seq=exchange, task=0, name="POST /v1/messages"),
    )
    assert state.progress == "waiting"


def test_a_cancelled_effect_is_closed():
    run = Recording()
    cancel_effect(run, 0, start_effect(run, 0))

    assert (status_of(run).progress, status_of(run).open_effects) == ("running", ())


@pytest.mark.parametrize("reason", ["completed", "failed", "cancelled"])
def test_the_seal_says_how_the_run_ended(reason):
    run = Recording()
    run.add(RunEnded())
    run.add(RunSealed(reason=reason, events=3))

    assert (status_of(run).progress, status_of(run).sealed) == (reason, True)


def test_an_ended_run_stays_ended_whatever_is_open():
    run = Recording()
    start_effect(run, 0)
    run.add(RunEnded(), outcome="error")

    assert status_of(run).progress == "failed"


def test_what_had_not_ended_when_its_run_did_was_stopped_with_it():
    run = Recording()
    idle, left, done = spawn(run), spawn(run), spawn(run)
    start_effect(run, left)
    end(run, done)
    before = progress(run)
    run.add(RunEnded())
    run.add(RunSealed(reason="completed", events=7))

    assert idle != left
    assert before[1:] == ["pending", "waiting", "completed"]
    assert progress(run) == ["completed", "stopped", "stopped", "completed"]


def test_records_are_counted_by_task():
    state = status_of(conversation())

    assert [task.records for task in state.tasks] == [4, 14, 5]
    assert [task.progress for task in state.tasks] == ["completed", "completed", "failed"]
