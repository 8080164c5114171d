# ruff: noqa: ASYNC100, ASYNC110, ASYNC251
"""Timers, clocks and inputs: what comes first, live and in a replay."""

import asyncio
import itertools
import math
import time

import pytest

from replay.doors.context import current
from replay.doors.effects import effect
from replay.sources.live import BUSY_CALLBACKS
from tests.support.reruns import identical


@effect
async def answer(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


def test_equal_deadlines_fire_in_order_of_creation(tmp_path):
    async def main():
        loop = asyncio.get_running_loop()
        when = loop.time() + 0.003
        for number in (3, 1, 2):
            loop.call_at(when, print, number)
        await asyncio.sleep(0.005)

    assert identical(main, tmp_path).lines == ["3", "1", "2"]


def test_timers_that_are_due_fire_one_at_a_time_and_each_is_run_to_idle(tmp_path):
    async def main():
        async def work(name):
            await asyncio.sleep(0.002)
            print(name, "woke")
            for _ in range(3):
                await asyncio.sleep(0)
            print(name, "idle")

        tasks = [asyncio.create_task(work(name)) for name in "ab"]
        until = time.monotonic() + 0.01
        while time.monotonic() < until:  # both are overdue when the loop is next idle
            pass
        await asyncio.gather(*tasks)

    assert identical(main, tmp_path).lines == ["a woke", "a idle", "b woke", "b idle"]


def test_a_timer_at_or_before_an_inputs_time_fires_before_it(tmp_path):
    async def main():
        loop = asyncio.get_running_loop()
        started = loop.time()
        task = asyncio.create_task(answer(0.004))
        await asyncio.sleep(0)
        fired = []
        for delay in (0.001, 0.002, 0.003):
            loop.call_at(started + delay, lambda d=delay: fired.append((d, loop.time())))
        await task
        print(len(fired), all(at >= started + delay for delay, at in fired))
        print(sorted(fired) == fired)

    assert identical(main, tmp_path).lines == ["3 True", "True"]


def test_no_timer_fires_before_its_deadline_not_even_by_the_last_bit_of_a_float(tmp_path):
    async def main():
        loop = asyncio.get_running_loop()
        started = loop.time()
        fired = []
        for count in range(1, 200):
            for when in (started + count / 1e6, math.nextafter(started + count / 1e6, math.inf)):
                loop.call_at(when, lambda when=when: fired.append(loop.time() - when))
        await asyncio.sleep(0.001)
        print(len(fired), min(fired) >= 0, max(fired) <= 2e-6)

    assert identical(main, tmp_path).lines == ["398 True True"]


def test_loop_time_at_a_firing_is_the_deadline_rounded_up_to_microseconds(tmp_path):
    async def main():
        loop = asyncio.get_running_loop()
        when = loop.time() + 0.0012345678
        await asyncio.sleep(0)
        future = loop.create_future()
        loop.call_at(when, lambda: future.set_result(loop.time()))
        print(0 <= await future - when < 2e-6)

    assert identical(main, tmp_path).lines == ["True"]


def test_loop_time_and_the_monotonic_clock_share_an_epoch_and_never_go_back(tmp_path):
    async def main():
        loop = asyncio.get_running_loop()
        seen = []
        for _ in range(20):
            seen += [loop.time(), time.monotonic()]
            await asyncio.sleep(0.0003)
        steps = itertools.pairwise(seen)
        # Loop time counts whole microseconds.
        print(all(later >= earlier - 1e-6 for earlier, later in steps))
        print([round(value, 6) for value in seen])

    assert identical(main, tmp_path).lines[0] == "True"


def test_a_time_out_that_is_armed_and_cancelled_again_and_again_does_not_grow_the_heap(tmp_path):
    async def main():
        largest = 0
        for _ in range(10_000):
            async with asyncio.timeout(600):
                pass
            largest = max(largest, len(current().scheduler.timers._heap))
        print(largest < 200)

    assert identical(main, tmp_path).lines == ["True"]


def test_a_deadline_that_never_comes_is_no_timer(tmp_path):
    async def main():
        loop = asyncio.get_running_loop()
        loop.call_later(float("inf"), print, "never")
        handle = loop.call_at(1e300, print, "never")
        print(len(current().scheduler.timers._heap), handle.when())
        handle.cancel()
        await asyncio.wait_for(asyncio.sleep(0), float("inf"))

    assert identical(main, tmp_path).lines == ["0 1e+300"]


def test_a_program_that_never_idles_gets_its_input_after_a_recorded_number_of_callbacks(tmp_path):
    async def main():
        task = asyncio.create_task(answer(0.001))
        rounds = 0
        while not task.done():
            rounds += 1
            await asyncio.sleep(0)
        print(rounds)

    found = identical(main, tmp_path)
    (header,) = (e.header for e in found.entries if e.header.callbacks is not None)
    assert (header.kind, header.trigger) == ("EffectReturned", "busy")
    assert header.callbacks % BUSY_CALLBACKS == 0
    assert int(found.lines[0]) >= header.callbacks - 10


def test_a_program_that_never_idles_still_gets_its_timers(tmp_path):
    async def main():
        flag = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.call_later(0.002, flag.set)
        loop.call_later(0.001, print, "first")
        while not flag.is_set():
            await asyncio.sleep(0)
        await answer(0)
        print("set")

    found = identical(main, tmp_path)
    assert found.lines == ["first", "set"]
    advanced = [e.header for e in found.entries if e.header.kind == "ClockAdvanced"]
    assert advanced
    assert all(header.callbacks for header in advanced)


def test_a_time_out_beats_an_answer_that_comes_later(tmp_path):
    async def main():
        for seconds, patience in ((30, 0.005), (0.0, 30)):
            try:
                print(await asyncio.wait_for(answer(seconds), patience))
            except TimeoutError:
                print("late")

    found = identical(main, tmp_path)
    assert found.lines == ["late", "0.0"]
    kinds = [entry.header.kind for entry in found.entries]
    assert kinds.count("EffectCancelled") == kinds.count("EffectReturned") == 1


def test_blocking_sleeps_of_threads_are_timers_of_the_run(tmp_path):
    async def main():
        def nap(name, seconds):
            time.sleep(seconds)
            print(name)

        await asyncio.gather(
            asyncio.to_thread(nap, "slow", 0.006),
            asyncio.to_thread(nap, "fast", 0.003),
            asyncio.to_thread(nap, "same", 0.003),
        )
        time.sleep(0.001)
        with pytest.raises(ValueError):
            time.sleep(-1)

    assert identical(main, tmp_path).lines == ["fast", "same", "slow"]
