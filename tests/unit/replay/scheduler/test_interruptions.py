"""Who never rests still hears of the world, and a signal finds the loop of a waiting thread."""

from __future__ import annotations

import asyncio
import signal
import threading
import time

import replay
from replay import effect


@effect
def soon():
    time.sleep(0.05)
    return "soon"


def test_a_thread_that_sleeps_for_no_time_again_and_again_lets_inputs_in(tmp_path):
    async def main():
        done = []
        waiting = asyncio.get_running_loop().run_in_executor(None, lambda: done.append(soon()))

        def poll():
            while not done:
                time.sleep(0)

        await asyncio.to_thread(poll)
        await waiting
        return done

    recording = replay.record(main, workspace=tmp_path, dialects=())
    report = replay.replay("last", main, workspace=tmp_path, dialects=())

    assert recording.result() == ["soon"]
    assert report.verdict == "identical"


def test_an_interrupt_while_a_worker_computes_cancels_the_program(tmp_path):
    main_thread = threading.main_thread().ident
    rounds = []

    def compute():
        signal.pthread_kill(main_thread, signal.SIGINT)
        for _ in range(200_000):
            rounds.append(1)

    async def main():
        await asyncio.to_thread(compute)

    recording = replay.record(main, workspace=tmp_path, dialects=())

    assert recording.reason == "cancelled"
    assert isinstance(recording.error, KeyboardInterrupt)
    assert len(rounds) == 200_000
