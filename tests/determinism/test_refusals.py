"""What a run cannot hold yet is refused by name, in the recording, and not found out later."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import sys
import threading
import time
from pathlib import Path
from time import sleep as sleep_bound_early

import pytest

from replay.errors import UsageError
from replay.log.duckdb_store import DuckDBStore
from replay.session.record import record_program
from replay.session.replay import replay_log


def record(main, tmp_path):
    return record_program(lambda: asyncio.run(main()), entry="t", workspace=tmp_path, dialects=())


async def starts_a_thread():
    threading.Thread(target=print, args=("live!",)).start()


async def makes_a_real_loop():
    asyncio.SelectorEventLoop()


@pytest.mark.parametrize(
    ("main", "what"),
    [
        (makes_a_real_loop, "outside the schedule"),
    ],
)
def test_it_is_refused_live_and_the_refusal_replays(main, what, tmp_path):
    recording = record(main, tmp_path)

    with pytest.raises(UsageError, match=what):
        recording.result()
    store = DuckDBStore.open(recording.directory, read_only=True)
    report = replay_log(store, lambda: asyncio.run(main()), dialects=())
    store.close()
    assert report.verdict == "identical"


def test_after_the_run_threads_and_loops_are_free_again(tmp_path):
    record(starts_a_thread, tmp_path)
    before, thread = [], threading.Thread(target=lambda: before.append(True))

    thread.start()
    thread.join()
    asyncio.SelectorEventLoop().close()

    assert before == [True]


def test_a_sleep_bound_early_is_a_timer_of_the_schedule_too(tmp_path):
    async def main():
        started = asyncio.get_running_loop().time()
        await asyncio.to_thread(sleep_bound_early, 0.05)
        time.sleep(0.05)  # noqa: ASYNC251 - it blocks the whole loop, which is the point
        return asyncio.get_running_loop().time() - started

    recording = record(main, tmp_path)
    store = DuckDBStore.open(recording.directory, read_only=True)

    report = replay_log(store, lambda: asyncio.run(main()), dialects=())

    store.close()
    assert recording.result() >= 0.099
    assert report.verdict == "identical"


async def calls_c():
    ctypes.CDLL(None).socket(1, 1, 0)
    print("done")


def test_a_way_out_in_a_replay_is_refused_and_named_as_the_cause(tmp_path):
    recording = record(calls_c, tmp_path)
    recording.result()
    store = DuckDBStore.open(recording.directory, read_only=True)

    report = replay_log(store, lambda: asyncio.run(calls_c()), dialects=())

    store.close()
    assert report.verdict == "refused"
    assert "was refused" in report.notes[0]
    assert report.live_effects == 0


def test_nobody_reading_the_output_is_no_divergence(tmp_path, monkeypatch):
    async def main():
        print("words")

    recording = record(main, tmp_path)
    store = DuckDBStore.open(recording.directory, read_only=True)

    full = Path("/dev/full").open("w")  # noqa: SIM115 - closing it fails, too
    monkeypatch.setattr(sys, "stdout", full)
    report = replay_log(store, lambda: asyncio.run(main()), dialects=())
    with contextlib.suppress(OSError):
        full.close()

    store.close()
    assert report.verdict == "identical"


async def records_another_run():
    record_program(lambda: None, entry="inner", workspace="never", dialects=())


def test_a_run_inside_a_run_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recording = record(records_another_run, tmp_path / "ws")

    with pytest.raises(UsageError, match="already"):
        recording.result()
    assert not (tmp_path / "never").exists()
