"""A program that waits for ever, with a thread that will not end: its record stays as it is."""

from __future__ import annotations

import sys
import threading

import pytest

from replay.errors import WorkflowError
from replay.log.fsck import check
from replay.session.opening import open_run
from replay.session.record import record_program
from replay.session.replay import replay_log


@pytest.fixture
def _hasty():
    """Let threads change places between any two instructions, so that a gap is found at once."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_hasty")
def test_a_thread_that_was_given_up_reaches_neither_the_seal_nor_the_schedule(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("replay.scheduler.core._END_S", 0.2)
    stop = []

    def program():
        never = threading.Lock()
        never.acquire()

        def stay():
            while not stop:
                try:
                    with never:
                        pass
                except BaseException:
                    pass
                try:
                    print("still here")
                except BaseException:
                    continue

        threading.Thread(target=stay, daemon=True).start()
        never.acquire()

    recording = record_program(program, workspace=tmp_path, entry="t", dialects=())
    stop.append(True)
    reader = open_run(recording.run_id, workspace=tmp_path)
    kinds = [entry.header.kind for entry in reader.entries()]
    checked = check(reader)
    stop.clear()
    report = replay_log(reader, program, dialects=())
    stop.append(True)
    reader.close()

    assert isinstance(recording.error, WorkflowError)
    assert "OutputWritten" not in kinds
    assert (checked.integrity, checked.completeness) == ("ok", "sealed")
    assert report.verdict == "identical"
    capsys.readouterr()
