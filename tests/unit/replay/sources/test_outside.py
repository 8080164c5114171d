"""What happens outside leaves nothing behind, in whatever order the threads come to it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from replay.sources.outside import LiveWorld


class Later:
    """A tape whose records are durable when the test says so."""

    def __init__(self):
        self.actions = []

    def after(self, seq, action):
        self.actions.append(action)


@pytest.fixture
def tape():
    return Later()


@pytest.fixture
def world(tape):
    return LiveWorld(tape, SimpleNamespace(post=lambda arrival: None), SimpleNamespace())


async def nothing(post):
    """Be work that is done at once."""


def begin(world, seq, work=nothing):
    return world.begin(SimpleNamespace(seq=seq), work, network=False, flight=None)


def test_an_answer_that_comes_before_the_start_has_returned_leaves_nothing(world, tape):
    begin(world, 7)
    world.finished(SimpleNamespace(seq=7))
    tape.actions.pop()()

    assert world._running == {}


def test_what_was_given_up_before_it_was_durable_does_not_begin(world, tape):
    begun = []

    cancel = begin(world, 7, begun.append)
    cancel()
    tape.actions.pop()()

    assert begun == []
    assert world._running == {}


def test_nothing_begins_once_the_run_has_ended(world, tape):
    begun = []

    begin(world, 7, begun.append)
    world.stop()
    tape.actions.pop()()

    assert begun == []
