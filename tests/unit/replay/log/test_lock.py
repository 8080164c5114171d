"""Who writes a run is seen from outside, and looking is in nobody's way."""

from __future__ import annotations

import fcntl
import os
import threading

import pytest

from replay.errors import LogError
from replay.log import lock as locks
from replay.log.lock import LOCK_NAME, RunLock, is_written


def test_a_run_is_written_while_somebody_has_its_lock_for_writing(tmp_path):
    assert not is_written(tmp_path)
    lock = RunLock.exclusive(tmp_path)
    assert is_written(tmp_path)
    lock.release()
    assert not is_written(tmp_path)
    lock = RunLock.shared(tmp_path)
    assert not is_written(tmp_path)
    lock.release()
    assert not is_written(tmp_path / "absent")


def test_a_writer_waits_for_whoever_only_looks(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_LOOKS", 10_000)
    RunLock.exclusive(tmp_path).release()
    looking = os.open(tmp_path / LOCK_NAME, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    taken, tries = [], threading.Event()

    def take():
        tries.set()
        taken.append(RunLock.exclusive(tmp_path))

    writer = threading.Thread(target=take)
    writer.start()
    tries.wait()
    writer.join(0.05)
    os.close(looking)
    writer.join()

    assert len(taken) == 1
    taken[0].release()


def test_a_writer_is_refused_where_another_reads_or_writes_on(tmp_path):
    lock = RunLock.exclusive(tmp_path)
    with pytest.raises(LogError, match=f"being written by process {os.getpid()}"):
        RunLock.exclusive(tmp_path)
    lock.release()
    lock = RunLock.shared(tmp_path)
    with pytest.raises(LogError, match="being read by another process"):
        RunLock.exclusive(tmp_path)
    lock.release()
