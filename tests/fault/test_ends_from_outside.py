"""A program that is asked to end, and one that nobody listens to any more."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from replay.doors.effects import effect
from replay.errors import CaptureError
from replay.log.fsck import check
from replay.log.workspace import Workspace
from replay.session.opening import open_run
from replay.session.record import record_program
from replay.session.replay import replay_log
from tests.fault.test_kills import Durable

ROOT = Path(__file__).parents[2]


def the_run(workspace):
    (directory,) = (workspace / "runs").iterdir()
    return directory


@pytest.mark.parametrize("form", ["synchronous", "asynchronous", "in a thread"])
def test_a_program_that_is_asked_to_end_is_sealed_with_all_that_it_showed(tmp_path, capfd, form):
    assert threading.current_thread() is threading.main_thread()
    said = []

    def wait():
        print("waiting")
        signal.raise_signal(signal.SIGTERM)
        time.sleep(60)
        said.append("went on")

    async def waits():
        try:
            wait_for = asyncio.sleep(60)
            print("waiting")
            signal.raise_signal(signal.SIGTERM)
            await wait_for
        finally:
            print("a real one runs no finally")

    def program():
        if form == "synchronous":
            wait()
        elif form == "asynchronous":
            asyncio.run(waits())
        else:
            thread = threading.Thread(target=wait)
            thread.start()
            thread.join()

    recording = record_program(program, workspace=tmp_path, entry="t", dialects=())
    shown = capfd.readouterr().out
    reader = open_run(recording.run_id, workspace=tmp_path)
    kinds = [entry.header.kind for entry in reader.entries()]
    checked = check(reader)
    report = replay_log(reader, program, dialects=())
    reader.close()

    assert recording.reason == "cancelled"
    assert isinstance(recording.error, SystemExit)
    assert recording.error.code == 128 + signal.SIGTERM
    assert (shown, said) == ("waiting\n", [])
    assert kinds.count("OutputWritten") == 1
    assert kinds.index("OutputWritten") < kinds.index("SignalReceived") < kinds.index("RunEnded")
    assert (checked.integrity, checked.completeness) == ("ok", "sealed")
    assert report.verdict == "identical"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.full
def test_the_command_passes_the_request_on_and_ends_with_its_code(tmp_path):
    (tmp_path / "agent.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    command = subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli", "record", "--", sys.executable, "agent.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with command:
        assert command.stdout is not None
        assert command.stdout.readline() == "up\n"
        command.send_signal(signal.SIGTERM)
        _, told = command.communicate(timeout=50)

    assert command.returncode == 128 + signal.SIGTERM
    assert ", cancelled," in told
    assert Durable(the_run(tmp_path / ".ritornello")).checked.completeness == "sealed"


@pytest.mark.full
def test_a_program_that_computes_ends_when_it_is_asked_twice(tmp_path):
    program = "import os\nprint(os.getpid(), flush=True)\nwhile True: pass\n"
    (tmp_path / "agent.py").write_text(program)
    command = subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli", "record", "--", sys.executable, "agent.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with command:
        assert command.stdout is not None
        process = int(command.stdout.readline())
        with contextlib.suppress(ProcessLookupError):
            while command.poll() is None:
                os.kill(process, signal.SIGTERM)
                time.sleep(0.2)
        _, told = command.communicate(timeout=50)

    assert command.returncode == 128 + signal.SIGTERM
    assert "its run, if it had begun, stays open" in told
    assert Durable(the_run(tmp_path / ".ritornello")).checked.completeness == "open"


@pytest.mark.parametrize(
    ("reason", "opened"),
    [("Broken pipe", "closed pipe"), ("No space left on device", "/dev/full")],
)
def test_output_that_nobody_takes_stops_the_program_and_leaves_the_log_whole(
    tmp_path, monkeypatch, reason, opened
):
    done = []

    @effect(name="look up")
    def look_up(number):
        done.append(number)
        return number

    def program():
        for number in range(100_000):
            print(f"{number} gave {look_up(number)}")

    if opened == "closed pipe":
        taking, giving = os.pipe()
        os.close(taking)
    else:
        giving = os.open(opened, os.O_WRONLY)
    with os.fdopen(giving, "wb", buffering=0) as raw, monkeypatch.context() as patched:
        patched.setattr("sys.stdout", io.TextIOWrapper(raw, write_through=True))
        with pytest.raises(CaptureError, match=f"standard output cannot be written: {reason}"):
            record_program(program, workspace=tmp_path, entry="t", dialects=())

    durable = Durable(the_run(tmp_path))
    assert (durable.checked.integrity, durable.checked.completeness) == ("ok", "open")
    assert set(done) <= durable.started
    assert len(done) < 100_000
    assert Workspace.open(tmp_path, create=False).verify().integrity == "ok"


def test_a_last_word_that_nobody_takes_is_on_record_and_the_run_is_whole(tmp_path, monkeypatch):
    taking, giving = os.pipe()
    os.close(taking)

    def program():
        time.time()
        print("the end")

    with os.fdopen(giving, "wb", buffering=0) as raw, monkeypatch.context() as patched:
        patched.setattr("sys.stdout", io.TextIOWrapper(raw, write_through=True))
        try:
            record_program(program, workspace=tmp_path, entry="t", dialects=())
        except CaptureError:
            expected = "open"
        else:
            expected = "sealed"

    durable = Durable(the_run(tmp_path))
    assert (durable.checked.integrity, durable.checked.completeness) == ("ok", expected)
