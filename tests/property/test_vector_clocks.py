"""Vector clocks against happens-before computed another way: reachability over causes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.errors import IntegrityError, UsageError
from replay.events.header import Header
from replay.events.kinds import TaskEnded
from replay.projections.clocks import ClockState, VectorClocks
from replay.projections.fold import fold

CLOCKS = VectorClocks()


def header(seq, task, causes):
    return Header(
        causes=causes,
        commitment="0" * 64,
        index=0,
        kind="TaskEnded",
        lamport=0,
        media="json",
        participant=0,
        seq=seq,
        size=0,
        task=task,
        time=0,
        v=1,
    )


def random_program(seed, actors, records):
    """A log of spawns, hand-overs and joins: each task's records form a chain."""
    choose = random.Random(seed)
    headers = [header(0, 0, ())]
    last = {0: 0}
    inbox: dict[int, set[int]] = {0: set()}
    while len(headers) < records:
        seq = len(headers)
        task = choose.choice(list(last))
        causes = tuple(sorted({last[task], *inbox[task]}))
        inbox[task].clear()
        headers.append(header(seq, task, causes))
        last[task] = seq
        action = choose.random()
        if len(last) < actors and action < 2 * actors / records:
            # A spawn: the child begins with what its parent knew; its name is the spawn's seq.
            last[seq] = seq
            inbox[seq] = set()
        elif action > 0.7:
            other = choose.choice(list(last))
            if other != task:
                inbox[other].add(seq)
        elif action > 0.69:
            # A join: one task waits for many.
            for other in choose.sample(list(last), min(len(last), 20)):
                if other != task:
                    inbox[task].add(last[other])
    return headers


def pasts(headers):
    """The strict past of each record, as a bit set."""
    past: list[int] = []
    for each in headers:
        bits = 0
        for cause in each.causes:
            bits |= past[cause] | 1 << cause
        past.append(bits)
    return past


def expected(past, a, b):
    if a == b:
        return "equal"
    if past[b] >> a & 1:
        return "before"
    return "after" if past[a] >> b & 1 else "concurrent"


def clocks_of(headers):
    return fold(CLOCKS, [(each, TaskEnded()) for each in headers])


@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(1, 70))
def test_all_pairs_of_a_small_program(seed, actors, records):
    headers = random_program(seed, actors, records)
    past, state = pasts(headers), clocks_of(headers)

    for a in range(records):
        for b in range(records):
            assert state.order(a, b) == expected(past, a, b), (a, b)


@st.composite
def any_logs(draw):
    """Logs in which a task's records need not be a chain, nor have any cause at all."""
    headers = [header(0, 0, ())]
    for seq in range(1, draw(st.integers(1, 40))):
        causes = tuple(sorted(draw(st.sets(st.integers(0, seq - 1), max_size=4))))
        headers.append(header(seq, draw(st.integers(0, 3)), causes))
    return headers


@given(any_logs())
def test_all_pairs_of_any_log_at_all(headers):
    past, state = pasts(headers), clocks_of(headers)

    for a in range(len(headers)):
        for b in range(len(headers)):
            assert state.order(a, b) == expected(past, a, b), (a, b)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_sample_of_pairs_of_a_thousand_tasks(seed):
    headers = random_program(seed, 1000, 8000)
    past, state = pasts(headers), clocks_of(headers)
    choose = random.Random(seed)
    pairs = [(choose.randrange(8000), choose.randrange(8000)) for _ in range(20_000)]

    orders = [state.order(a, b) for a, b in pairs]

    assert len({each.task for each in headers}) > 900
    assert orders == [expected(past, a, b) for a, b in pairs]
    assert set(orders) >= {"before", "after", "concurrent"}


def test_a_gather_of_a_thousand_tasks_knows_all_of_them():
    spawns = [header(seq, 0, (seq - 1,) if seq else ()) for seq in range(1001)]
    ends = [header(1001 + number, number + 1, (number + 1,)) for number in range(1000)]
    join = header(2001, 0, (1000, *range(1001, 2001)))

    state = clocks_of([*spawns, *ends, join])

    assert state.order(1001, 2000) == "concurrent"
    assert {state.order(end, 2001) for end in range(1001, 2001)} == {"before"}
    assert len(state.vector(2001)) == 1001
    assert state.vector(1500) == {0: 501, 500: 1}


@given(st.integers(0, 2**32), st.integers(0, 50))
def test_folding_in_two_steps_gives_the_same(seed, cut):
    records = [(each, TaskEnded()) for each in random_program(seed, 8, 50)]

    assert fold(CLOCKS, records[cut:], fold(CLOCKS, records[:cut])) == fold(CLOCKS, records)


def test_applying_one_by_one_gives_the_same():
    headers = random_program(3, 5, 30)
    state = CLOCKS.initial()
    for each in headers:
        before = state
        state = CLOCKS.apply(state, each, TaskEnded())
        assert len(before.chain_of) == each.seq

    assert state == clocks_of(headers)


def test_a_chain_of_one_task_shares_one_clock():
    state = clocks_of([header(seq, 0, (seq - 1,) if seq else ()) for seq in range(100)])

    assert len({id(clock) for clock in state.clocks}) == 1


@pytest.mark.parametrize("bad", [header(5, 0, ()), header(0, 0, (0,)), header(0, 0, (7,))])
def test_a_log_out_of_order_is_refused(bad):
    with pytest.raises(IntegrityError):
        fold(CLOCKS, [(bad, TaskEnded())])


@pytest.mark.parametrize(("a", "b"), [(-1, 0), (0, 1), (5, 5)])
def test_records_that_are_not_there_have_no_order(a, b):
    with pytest.raises(UsageError):
        clocks_of([header(0, 0, ())]).order(a, b)
    with pytest.raises(UsageError):
        ClockState().vector(a)
