"""A program that the schedule cannot move is told where it stands."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from replay.session import watchdog
from replay.session.record import record_program

pytestmark = pytest.mark.skipif(
    not hasattr(time, "pthread_getcpuclockid"), reason="no clock of another thread here"
)


def test_a_lock_held_in_c_is_named_with_its_place(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(watchdog, "STANDSTILL_S", 0.25)
    monkeypatch.setattr(sys, "__stderr__", sys.stderr)
    lock = threading.Lock()
    # Bound before the run: the method in C, which no door reaches.
    acquire, release = lock.acquire, lock.release
    helper = threading.Timer(1.5, release)
    helper.start()

    def program():
        acquire()

        def other():
            acquire()

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    record_program(program, workspace=tmp_path, entry="t", dialects=()).result()
    helper.join()
    told = capfd.readouterr().err
    assert "the program stands still" in told
    assert "test_watchdog.py" in told
    assert "thread 1" in told


def test_a_program_that_computes_or_waits_for_the_world_is_left_alone(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(watchdog, "STANDSTILL_S", 0.1)
    monkeypatch.setattr(sys, "__stderr__", sys.stderr)

    def program():
        def compute():
            end = time.thread_time() + 0.3
            while time.thread_time() < end:
                sum(range(1000))

        thread = threading.Thread(target=compute)
        thread.start()
        time.sleep(0.3)
        thread.join()

    record_program(program, workspace=tmp_path, entry="t", dialects=()).result()
    assert "stands still" not in capfd.readouterr().err
