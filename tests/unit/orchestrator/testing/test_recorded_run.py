"""Recorded runs without pytest: one function, one bundle."""

import random

import pytest

import replay
from orchestrator.testing import NotRepeatedError, recorded
from orchestrator.testing.recorded_run import record_to
from replay.errors import NotFoundError, UsageError


def test_a_function_returns_in_its_replay_what_it_returned_live(tmp_path):
    bundle = tmp_path / "recordings" / "number.ritornello"

    live = recorded(lambda: random.random(), bundle)

    assert recorded(lambda: random.random(), bundle) == live
    assert recorded(lambda: random.random(), bundle, mode="none") == live
    assert recorded(lambda: random.random(), bundle, mode="rewrite") != live


def test_a_coroutine_function_has_a_loop_of_its_own_and_does_nothing_live(tmp_path):
    asked = []

    @replay.effect
    async def ask(question):
        asked.append(question)
        return f"{question} {random.random()}"

    async def main():
        return await ask("tide")

    bundle = str(tmp_path / "ask.ritornello")

    live = recorded(main, bundle)

    assert (recorded(main, bundle), asked) == (live, ["tide"])


def test_another_result_is_an_assertion_error_with_the_report(tmp_path):
    bundle = tmp_path / "one.ritornello"
    recorded(lambda: print("one"), bundle)

    with pytest.raises(NotRepeatedError, match="expected OutputWritten") as raised:
        recorded(lambda: print("two"), bundle)

    assert raised.value.report.verdict == "diverged"


def test_what_the_function_raises_is_raised_and_nothing_is_kept(tmp_path):
    bundle = tmp_path / "one.ritornello"

    with pytest.raises(ZeroDivisionError):
        recorded(lambda: 1 / 0, bundle)

    assert not bundle.exists()


def test_what_a_coroutine_raises_in_its_replay_is_raised_as_it_is(tmp_path):
    bundle = tmp_path / "one.ritornello"
    answer = [1]

    async def main():
        assert answer == [1]

    recorded(main, bundle)
    answer.append(2)

    with pytest.raises(AssertionError, match=r"assert \[1, 2\] == \[1\]"):
        recorded(main, bundle)


def test_a_bundle_that_is_not_there_or_has_another_name_is_refused(tmp_path):
    with pytest.raises(NotFoundError, match="there is no recording"):
        recorded(lambda: 1, tmp_path / "none.ritornello", mode="none")
    with pytest.raises(UsageError, match=r"ends in \.ritornello"):
        recorded(lambda: 1, tmp_path / "none.zip")
    with pytest.raises(UsageError, match="'all' is no mode"):
        recorded(lambda: 1, tmp_path / "none.ritornello", mode="all")


def test_a_run_that_is_being_recorded_lies_where_whoever_asked_for_it_clears_up(tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    kept = record_to(
        tmp_path / "one.ritornello",
        lambda: len(list(scratch.iterdir())),
        entry="one",
        scratch=scratch,
    )

    assert kept.value == 1
    assert list(scratch.iterdir()) == []
