"""Random programs: what is folded from the log is, after every record, what the program had."""

import asyncio
import json
import tempfile
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

import replay
from replay.events.kinds import StateChanged
from replay.projections.fold import fold
from replay.projections.state import State
from tests.support.reruns import rerun
from tests.support.states import records_of

keys = st.sampled_from("abc")
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("xyz", max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=2),
    max_leaves=4,
)
steps = st.one_of(
    st.tuples(st.just("write"), keys, plain),
    st.tuples(st.just("delete"), keys, st.none()),
    st.tuples(st.just("read"), keys, st.none()),
    st.tuples(st.just("iterate"), keys, st.none()),
    st.tuples(st.just("pause"), keys, st.none()),
    st.tuples(st.just("sleep"), keys, st.none()),
)
programs = st.lists(st.lists(steps, max_size=6), min_size=1, max_size=4)


def _snapshot(board):
    return json.loads(json.dumps(dict(board.items())))


def _program(tasks, initial, seen):
    board = replay.state("board", initial)

    async def worker(todo):
        for what, key, value in todo:
            if what == "write":
                board[key] = value
                seen.append(_snapshot(board))
            elif what == "delete" and key in board:
                del board[key]
                seen.append(_snapshot(board))
            elif what == "read":
                board.get(key)
            elif what == "iterate":
                list(board)
            elif what == "pause":
                await asyncio.sleep(0)
            elif what == "sleep":
                await asyncio.sleep(0.001)

    async def main():
        async with asyncio.TaskGroup() as group:
            for todo in tasks:
                group.create_task(worker(todo))

    return main


@settings(max_examples=6)
@given(programs, st.dictionaries(keys, plain, max_size=2))
def test_the_folded_state_is_the_live_state_after_every_change(tasks, initial):
    seen = []
    with tempfile.TemporaryDirectory() as directory:
        found = rerun(_program(tasks, initial, seen), Path(directory) / "w")
        records = records_of(found.recording.directory)

    assert found.report.verdict == "identical", found.report
    folded, state = [], State().initial()
    for header, payload in records:
        state = State().apply(state, header, payload)
        if isinstance(payload, StateChanged) and payload.operation in {"written", "deleted"}:
            folded.append({k: json.loads(v) for k, v in state.values("board").items()})
    # The first half is the recording's, the other the replay's.
    assert seen == folded * 2
    assert state == fold(State(), records)


@given(programs=programs)
@settings(max_examples=5)
def test_folding_in_two_steps_gives_the_same(programs):
    with tempfile.TemporaryDirectory() as directory:
        found = rerun(_program(programs, {"a": 1}, []), Path(directory) / "w")
        records = records_of(found.recording.directory)
    whole = fold(State(), records)
    for cut in (0, 3, 50):
        first = fold(State(), records[:cut])

        again = fold(State(), records[cut:], first)

        assert again == whole
        assert msgspec.json.encode(again.keys) == msgspec.json.encode(whole.keys)
