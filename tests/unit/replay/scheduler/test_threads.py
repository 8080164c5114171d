"""Threads of the schedule: started by the program, joined, pooled, frozen at the end."""

from __future__ import annotations

import _thread
import asyncio
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

import anyio
import anyio.to_thread
import pytest

import replay
from replay.errors import UsageError, WorkflowError
from replay.projections.clocks import VectorClocks
from replay.session.opening import open_run
from replay.session.record import record_program
from replay.session.replay import replay_log


def run_both(program, tmp_path, *, verdict="identical"):
    """Record a synchronous program and replay it; return the recording."""
    recording = record_program(program, workspace=tmp_path, entry="t", dialects=())
    reader = open_run(recording.run_id, workspace=tmp_path)
    report = replay_log(reader, program, dialects=())
    reader.close()
    assert report.verdict == verdict, (report.divergence, report.notes)
    return recording


def kinds_of(recording, tmp_path):
    reader = open_run(recording.run_id, workspace=tmp_path)
    kinds = [entry.header.kind for entry in reader.entries()]
    reader.close()
    return kinds


def test_threads_sleep_side_by_side_in_scheduled_time(tmp_path):
    order = []

    def work(name, seconds):
        time.sleep(seconds)
        order.append(name)

    def program():
        order.clear()
        threads = [
            threading.Thread(target=work, args=(name, seconds))
            for name, seconds in (("slow", 0.03), ("fast", 0.01))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return list(order)

    assert run_both(program, tmp_path).result() == ["fast", "slow"]


def test_a_lock_is_given_to_the_one_that_waits_longest(tmp_path):
    def program():
        lock, order = threading.Lock(), []

        def work(number):
            with lock:
                order.append(number)

        with lock:
            threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
            for thread in threads:
                thread.start()
        for thread in threads:
            thread.join()
        return order

    assert run_both(program, tmp_path).result() == [0, 1, 2, 3, 4]


def test_a_lock_older_than_the_run_is_waited_for_in_the_schedule(tmp_path):
    lock = threading.Lock()
    condition = threading.Condition()
    items = queue.Queue(1)

    def program():
        woken = []

        def wait():
            with condition:
                woken.append(condition.wait(5))

        waiter = threading.Thread(target=wait)
        waiter.start()

        def hold():
            with lock:
                time.sleep(0.01)
                items.put("held")

        holder = threading.Thread(target=hold)
        holder.start()
        with lock:
            got = items.get(timeout=5)
        with condition:
            condition.notify()
        waiter.join()
        holder.join()
        return [got, woken]

    assert run_both(program, tmp_path).result() == ["held", [True]]


def test_two_threads_that_wait_for_each_other_are_told_so(tmp_path):
    def program():
        first, second = threading.Lock(), threading.Lock()

        def other():
            with second:
                time.sleep(0.001)
                with first:
                    pass

        thread = threading.Thread(target=other)
        with first:
            thread.start()
            time.sleep(0.001)
            with second:
                pass

    with pytest.raises(WorkflowError, match="can never come"):
        run_both(program, tmp_path).result()


def test_waits_give_up_in_scheduled_time(tmp_path):
    def program():
        lock, event, items = threading.Lock(), threading.Event(), queue.SimpleQueue()
        lock.acquire()
        began = time.monotonic()
        found = [lock.acquire(timeout=0.01), event.wait(0.01), lock.acquire(blocking=False)]
        with pytest.raises(queue.Empty):
            items.get(timeout=0.01)
        with pytest.raises(queue.Empty):
            items.get_nowait()
        with pytest.raises(ValueError, match="timeout"):
            items.get(timeout=-1)
        with pytest.raises(ValueError, match="timeout"):
            lock.acquire(timeout=-2)
        return [*found, time.monotonic() - began >= 0.03]

    assert run_both(program, tmp_path).result() == [False, False, False, True]


def test_who_asks_again_and_again_lets_the_others_run(tmp_path):
    def program():
        thread = threading.Thread(target=time.sleep, args=(0.01,))
        thread.start()
        asked = 0
        while thread.is_alive():
            asked += 1
        lock = threading.Lock()
        holder = threading.Thread(target=lambda: (lock.acquire(), time.sleep(0), lock.release()))
        holder.start()
        while not lock.acquire(blocking=False):
            asked += 1
        return asked > 0

    assert run_both(program, tmp_path).result()


def test_a_pool_runs_as_many_as_it_says_and_names_its_threads_anew_in_each_run(tmp_path):
    def program():
        running, most = [], []

        def work(number):
            running.append(number)
            most.append(len(running))
            time.sleep(0.001 * number)
            running.remove(number)
            return number, threading.current_thread().name

        with ThreadPoolExecutor(2) as pool:
            futures = {pool.submit(work, number) for number in range(5)}
            found = [future.result() for future in as_completed(futures)]
        return [max(most), sorted({name for _, name in found}), len(found)]

    names = ["ThreadPoolExecutor-0_0", "ThreadPoolExecutor-0_1"]
    assert run_both(program, tmp_path).result() == [2, names, 5]
    assert run_both(program, tmp_path).result() == [2, names, 5]


def test_a_pool_from_before_the_run_is_adopted_and_given_back(tmp_path):
    pool = ThreadPoolExecutor(2)

    def program():
        return list(pool.map(abs, (-1, -2, -3)))

    assert run_both(program, tmp_path).result() == [1, 2, 3]
    assert pool.submit(abs, -4).result() == 4
    with pytest.raises(UsageError, match="threads outside of the run"):
        record_program(program, workspace=tmp_path, entry="t", dialects=()).result()
    pool.shutdown()


def test_a_pool_of_the_programs_serves_its_loop(tmp_path):
    async def main():
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            jobs = [loop.run_in_executor(pool, threading.current_thread) for _ in range(3)]
            return len({thread.name for thread in await asyncio.gather(*jobs)})

    assert run_both(lambda: asyncio.run(main()), tmp_path).result() == 1


def test_worker_threads_of_anyio_are_threads_of_the_schedule(tmp_path):
    async def main():
        found = []

        def work(number):
            time.sleep(0.002 * (3 - number))
            anyio.from_thread.run_sync(found.append, number)
            return threading.current_thread().name

        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(anyio.to_thread.run_sync, work, number)
        return found

    recording = run_both(lambda: anyio.run(main), tmp_path)
    assert recording.result() == [2, 1, 0]
    assert kinds_of(recording, tmp_path).count("ThreadStarted") == 3


def test_each_thread_may_run_a_loop_of_its_own(tmp_path):
    def program():
        async def main(number):
            await asyncio.sleep(0.001 * number)
            return number

        with ThreadPoolExecutor(3) as pool:
            return list(pool.map(lambda number: asyncio.run(main(number)), (3, 1, 2)))

    assert run_both(program, tmp_path).result() == [3, 1, 2]


def test_a_program_ends_when_its_threads_have_and_daemons_are_stopped(tmp_path):
    finished = []

    def late():
        time.sleep(0.01)
        finished.append("late")

    def for_ever():
        try:
            threading.Event().wait()
        finally:
            finished.append("stopped")

    def program():
        threading.Thread(target=late).start()
        threading.Thread(target=for_ever, daemon=True).start()
        _thread.start_new_thread(for_ever, ())

    recording = run_both(program, tmp_path)
    assert recording.reason == "completed"
    assert finished.count("late") == 2
    assert kinds_of(recording, tmp_path)[-1] == "RunSealed"


def test_an_error_in_a_thread_is_the_threads_affair(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(str(args.exc_value)))

    def program():
        def fail():
            raise ValueError("in a thread")

        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        return "went on"

    assert run_both(program, tmp_path).result() == "went on"
    assert told == ["in a thread", "in a thread"]


def test_a_replay_that_stops_leaves_no_word_of_its_threads(tmp_path, capsys):
    texts = iter(("recorded", "changed"))

    def program():
        def work(text):
            time.sleep(0.001)
            print(text)
            time.sleep(0.001)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(work, (next(texts), "more")))

    run_both(lambda: None, tmp_path)  # the engine's own threads are there from now on
    before = threading.active_count()
    run_both(program, tmp_path, verdict="diverged")
    assert capsys.readouterr().err == ""
    for _ in range(100):  # what the system does after the last turn takes its time
        if threading.active_count() <= before:
            break
        time.sleep(0.02)
    assert threading.active_count() <= before


def test_what_a_lock_hands_over_is_in_the_causal_clock(tmp_path):
    def program():
        lock, started = threading.Lock(), threading.Event()
        lock.acquire()

        def second():
            started.set()
            with lock:
                replay_effect()

        thread = threading.Thread(target=second)
        thread.start()
        started.wait()
        replay_effect()
        lock.release()
        thread.join()

    recording = run_both(program, tmp_path)
    reader = open_run(recording.run_id, workspace=tmp_path)
    entries = list(reader.entries())
    reader.close()
    state = VectorClocks().initial()
    for entry in entries:
        state = VectorClocks().apply(state, entry.header, None)
    asked = [entry.header.seq for entry in entries if entry.header.kind == "EffectStarted"]
    assert state.order(*asked) == "before"


@replay.effect
def replay_effect():
    return 1
