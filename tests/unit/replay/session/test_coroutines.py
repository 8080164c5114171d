"""What a halted program left is closed without a warning that it forgot an `await`."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import replay
from replay.session.coroutines import close_coroutine

UNAWAITED = "was never awaited"


async def _inner():
    await asyncio.sleep(0)


async def _outer(*held, **named):
    await asyncio.sleep(0)


def _warnings(recwarn):
    gc.collect()
    return [str(each.message) for each in recwarn if UNAWAITED in str(each.message)]


def test_what_an_unstarted_coroutine_holds_is_closed_with_it(recwarn):
    close_coroutine(_outer(_inner(), [_inner()], late=(_inner(), _outer(_inner()))))

    assert _warnings(recwarn) == []


def test_what_a_begun_coroutine_holds_is_there_for_its_last_words_and_then_closed(recwarn):
    states = []

    async def begun():
        held = _inner()
        try:
            await _outer(_inner())
        finally:
            states.append(held.cr_frame is not None)

    coroutine = begun()
    task = coroutine.send(None)
    close_coroutine(coroutine)
    del coroutine, task

    assert states == [True]
    assert _warnings(recwarn) == []


def test_a_coroutine_that_refuses_to_end_raises_nothing():
    async def stubborn():
        try:
            await asyncio.sleep(0)
        finally:
            raise RuntimeError

    coroutine = stubborn()
    coroutine.send(None)

    close_coroutine(coroutine)


def test_a_divergence_leaves_no_warning_behind(tmp_path, recwarn):
    words = ["one"]

    async def main():
        task = asyncio.create_task(asyncio.wait_for(_inner(), 1))
        print(words[0])
        other = asyncio.create_task(_inner())
        await task
        await other

    recording = replay.record(main, workspace=tmp_path / "w")
    words[0] = "two"

    assert replay.replay(recording, main).verdict == "diverged"
    assert _warnings(recwarn) == []


def test_a_stand_in_is_not_asked_what_it_stands_for(recwarn):
    asked = []

    class StandIn:
        @property
        def __class__(self):
            asked.append(self)
            raise RuntimeError

    close_coroutine(_outer(StandIn(), _inner()))

    assert asked == []
    assert _warnings(recwarn) == []


def test_what_is_looked_at_is_bounded_by_its_number_and_not_by_what_each_of_it_holds():
    row = [None] * 10_000
    tracemalloc.start()
    try:
        close_coroutine(_outer([row] * 1_000))
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
