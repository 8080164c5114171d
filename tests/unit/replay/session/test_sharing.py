"""Who may be on stage together, and whose thread finalizes garbage."""

import asyncio
import gc
import threading
import time
from typing import ClassVar

import pytest

import replay
from replay.doors.effects import effect
from replay.errors import UsageError
from replay.session.sharing import is_shared_thread, on_stage, shared_heap


def in_thread(work):
    results = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    return results[0]


def enter():
    try:
        with on_stage() as shared:
            return shared
    except UsageError:
        return "refused"


def test_a_run_on_the_main_thread_is_alone_and_others_share():
    assert (is_shared_thread(), in_thread(is_shared_thread)) == (False, True)
    with on_stage() as shared:
        assert shared is False
        assert in_thread(enter) == "refused"
    assert in_thread(lambda: _with_shared(enter)) is True


def _with_shared(work):
    with on_stage():
        return in_thread(work)


def test_the_main_thread_is_refused_while_others_share():
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with on_stage():
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(30)
    try:
        with pytest.raises(UsageError, match="another run is under way"), on_stage():
            pass
    finally:
        leave.set()
        thread.join()
    assert enter() is False


class Cycle:
    finalized: ClassVar[list[str]] = []

    def __init__(self):
        self.me = self

    def __del__(self):
        Cycle.finalized.append(threading.current_thread().name)


def test_only_the_engine_collects_while_runs_share_the_heap():
    Cycle.finalized.clear()
    with shared_heap(), shared_heap():
        assert not gc.isenabled()
        Cycle()
        kept = [[] for _ in range(200_000)]
        deadline = time.monotonic() + 60
        while not Cycle.finalized and time.monotonic() < deadline:
            kept.append([])
            time.sleep(0.01)
    assert gc.isenabled()
    assert Cycle.finalized == ["ritornello-collector"]


def test_a_process_that_does_not_collect_is_left_so():
    gc.disable()
    try:
        with shared_heap():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_run_alone_collects_on_its_own_thread_as_the_record_says(tmp_path):
    async def main():
        Cycle.finalized.clear()
        await asyncio.sleep(0.0001)  # what is there when a program first idles is left alone
        Cycle()
        for _ in range(300):
            await asyncio.sleep(0.0001)
        return list(Cycle.finalized)

    alone = replay.record(main, workspace=tmp_path, dialects=())

    async def service():
        return await replay.record(main, workspace=tmp_path, dialects=())

    shared = asyncio.run(service())

    assert alone.result() == ["MainThread"]
    assert shared.result() == []
    for recording in (alone, shared):
        report = replay.replay(recording.run_id, main, workspace=tmp_path, dialects=())
        assert report.verdict == "identical", report


def test_no_run_finalizes_the_garbage_of_another(tmp_path):
    left, allocated = threading.Event(), threading.Event()

    @effect
    def wait_for(which: str) -> bool:
        return {"left": left, "allocated": allocated}[which].wait(30)

    async def leaves_garbage():
        Cycle()
        left.set()
        wait_for("allocated")

    async def allocates():
        wait_for("left")
        kept = [[] for _ in range(20_000)]
        allocated.set()
        return len(kept), list(Cycle.finalized)

    async def service():
        return await asyncio.gather(
            replay.record(leaves_garbage, workspace=tmp_path, dialects=()),
            replay.record(allocates, workspace=tmp_path, dialects=()),
        )

    gc.collect()
    Cycle.finalized.clear()
    _, other = asyncio.run(service())

    assert other.result() == (20_000, [])
