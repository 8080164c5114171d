"""Programs that look past the doors, spin, or will not end."""

from __future__ import annotations

import multiprocessing.pool
import os
import sys
import threading
import time

import pytest

from replay.errors import CaptureError
from replay.log.fsck import check
from replay.session.opening import open_run
from replay.session.record import record_program
from replay.session.replay import replay_log


def both(program, tmp_path):
    recording = record_program(program, workspace=tmp_path, entry="t", dialects=())
    reader = open_run(recording.run_id, workspace=tmp_path)
    report = replay_log(reader, program, dialects=())
    checked = check(reader)
    reader.close()
    assert (checked.integrity, checked.completeness) == ("ok", "sealed")
    return recording, report


@pytest.mark.parametrize(
    "write",
    [
        lambda text: os.write(1, text.encode()),
        lambda text: open(1, "w", closefd=False).write(text),  # noqa: SIM115
        lambda text: open(1, "wb", 0, closefd=False).write(text.encode()),  # noqa: SIM115
        lambda text: sys.__stdout__.write(text),
        lambda text: sys.stdout.buffer.write(text.encode()),
    ],
    ids=["os.write", "open(1)", "open(1) raw", "sys.__stdout__", "buffer"],
)
def test_standard_output_is_recorded_under_every_name(write, tmp_path, capsys):
    texts = iter(["recorded\n", "changed\n"])

    def program():
        write(next(texts))

    _, report = both(program, tmp_path)

    assert report.verdict == "diverged"
    assert report.divergence.replayed_kind == "OutputWritten"


def test_a_thread_that_spins_on_a_flag_or_a_clock_lets_the_others_run(tmp_path):
    def program():
        stop, done = threading.Event(), []

        def spin():
            while not stop.is_set():
                pass

        spinner = threading.Thread(target=spin)
        spinner.start()
        time.sleep(0.01)
        stop.set()
        spinner.join()
        threading.Timer(0.01, done.append, (True,)).start()
        end = time.monotonic() + 60
        while not done and time.monotonic() < end:
            pass
        return done

    recording, report = both(program, tmp_path)

    assert recording.result() == [True]
    assert report.verdict == "identical"


@pytest.mark.full
def test_a_thread_that_catches_everything_adds_nothing_behind_the_seal(tmp_path):
    stop = []

    def program():
        def stay():
            while not stop:
                try:
                    time.sleep(0.001)
                except BaseException:
                    continue

        threading.Thread(target=stay, daemon=True).start()
        time.sleep(0.01)
        return "ended"

    recording, report = both(program, tmp_path)
    stop.append(True)

    assert recording.result() == "ended"
    assert report.verdict == "identical"


def test_the_program_sees_its_own_threads_and_none_of_the_engines(tmp_path):
    def program():
        thread = threading.Thread(target=time.sleep, args=(0.01,), name="mine")
        thread.start()
        names = [each.name for each in threading.enumerate()]
        counted = threading.active_count()
        thread.join()
        return [counted == len(names), "mine" in names, [n for n in names if "ritornello" in n]]

    recording, report = both(program, tmp_path)

    assert recording.result() == [True, True, []]
    assert report.verdict == "identical"


def test_a_pool_that_waits_for_descriptors_stops_the_recording_by_name(tmp_path):
    def program():
        with multiprocessing.pool.ThreadPool(2) as pool:
            pool.map(abs, range(3))

    with pytest.raises(CaptureError, match="waits for descriptors"):
        record_program(program, workspace=tmp_path, entry="t", dialects=())


def test_the_mode_of_a_directory_is_asserted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    modes = iter([0o755, 0o700])

    def program():
        os.mkdir("made", next(modes))  # noqa: PTH102 - the function itself is meant

    _, report = both(program, tmp_path / "w")

    assert report.verdict == "diverged"
