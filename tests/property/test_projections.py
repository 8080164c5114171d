"""The law of every projection: folding in two steps gives what folding in one gives."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.events.kinds import TaskEnded
from replay.projections.clocks import VectorClocks
from replay.projections.fold import fold
from replay.projections.graph import Graph
from replay.projections.spend import Spend
from replay.projections.status import Status
from tests.support import conversations as make
from tests.support.recordings import Recording

PROJECTIONS = [Graph(), Spend(), Status(), VectorClocks()]

each_projection = pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda p: type(p).__name__)


@st.composite
def runs(draw):
    """Random programs of tasks, effects and chats; what they do need not make sense."""
    run = Recording()
    tasks, effects, exchanges = [0], [(0, 0)], []
    for action in draw(st.lists(st.integers(0, 7), max_size=25)):
        task = draw(st.sampled_from(tasks))
        if action == 0:
            tasks.append(
                make.spawn(run, draw(st.sampled_from("ab")), draw(st.integers(0, 1)), task)
            )
        elif action == 1:
            effects.append((task, make.start_effect(run, task)))
        elif action == 2:
            make.answer_effect(run, *draw(st.sampled_from(effects)))
        elif action == 3:
            make.cancel_effect(run, *draw(st.sampled_from(effects)))
        elif action == 4:
            returned = draw(st.sampled_from([None, "x", "y"]))
            attempt = draw(st.integers(0, 1))
            exchanges.append((task, make.send(run, task, returned=returned, attempt=attempt)))
        elif action == 5 and exchanges:
            tokens = draw(st.tuples(st.none() | st.integers(0, 9), st.none() | st.integers(0, 9)))
            call = draw(st.sampled_from([None, "x", "y"]))
            make.answer(run, *draw(st.sampled_from(exchanges)), tokens=tokens, call=call)
        elif action == 6:
            make.end(run, task, draw(st.sampled_from(["ok", "error", "cancelled", "timeout"])))
        else:
            heard = draw(st.sets(st.integers(0, len(run.entries) - 1), max_size=3))
            run.add(TaskEnded(), task=task, heard=heard)
    if draw(st.booleans()):
        run.seal()
    return list(make.records(run))


@each_projection
@given(runs(), st.integers(0, 60))
def test_folding_in_two_steps_gives_the_same(projection, records, cut):
    first = fold(projection, records[:cut])
    before = msgspec.json.encode(first)

    assert fold(projection, records[cut:], first) == fold(projection, records)
    assert msgspec.json.encode(first) == before


@each_projection
@given(runs())
def test_applying_one_by_one_gives_the_same(projection, records):
    state = projection.initial()
    for header, payload in records:
        state = projection.apply(state, header, payload)

    assert state == fold(projection, records)


# Clocks share structure, which no encoding keeps: they are folded again instead of written down.
@pytest.mark.parametrize("projection", PROJECTIONS[:3], ids=lambda p: type(p).__name__)
@given(runs())
def test_a_state_can_be_written_down_and_gone_on_from(projection, records):
    half = len(records) // 2
    state = fold(projection, records[:half])

    again = msgspec.json.decode(msgspec.json.encode(state), type=type(state))

    assert again == state
    assert fold(projection, records[half:], again) == fold(projection, records)
