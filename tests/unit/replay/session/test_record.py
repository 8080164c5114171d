"""What a recording writes at its beginning and at its end, and what it lets out meanwhile."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import time

import pytest

import replay
from replay import effect
from replay.doors.libraries import loaded_gaps
from replay.errors import UsageError
from replay.session.record import record_program

KEY = "sk-abcDEF0123456789abcdefXYZ"


def identical(main, workspace):
    recording = replay.record(main, workspace=workspace, dialects=())
    report = replay.replay("last", main, workspace=workspace, dialects=())
    assert report.verdict == "identical", report.divergence
    return recording


def test_a_secret_in_the_argument_list_is_in_no_record(tmp_path, monkeypatch):
    monkeypatch.setenv("OUR_API_KEY", KEY)

    recording = record_program(
        lambda: None, workspace=tmp_path, entry="command", arguments=("a.py", "--key", KEY)
    )

    kept = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert recording.reason == "completed"
    assert b"a.py" in kept
    assert KEY.encode() not in kept


def test_a_task_named_after_a_secret_replays(tmp_path, monkeypatch):
    monkeypatch.setenv("OUR_API_KEY", KEY)

    async def main():
        await asyncio.create_task(asyncio.sleep(0), name="use " + os.environ["OUR_API_KEY"])

    identical(main, tmp_path)


@pytest.mark.parametrize("error", [ValueError("\ud800"), ValueError(2**70), SystemExit(2**70)])
def test_an_exception_that_is_no_json_ends_the_run_like_any_other(tmp_path, error):
    async def main():
        raise error

    recording = identical(main, tmp_path)

    assert recording.reason == "failed"
    assert recording.error is error


def test_half_characters_in_names_and_in_the_environment_are_kept(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "\udcff_NAME", "\udcfe")
    seen = []

    async def main():
        await asyncio.create_task(asyncio.sleep(0), name="\ud800")
        seen.append((os.environ["\udcff_NAME"], "\udcff_NAME" in list(os.environ)))

    identical(main, tmp_path)

    assert seen == [("\udcfe", True), ("\udcfe", True)]


def test_output_after_a_reading_comes_out_while_the_program_waits(tmp_path, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    monkeypatch.setattr(sys, "stdout", out)

    async def main():
        time.time()
        print("up")
        for _ in range(5000):
            if out.buffer.getvalue():
                return True
            await asyncio.sleep(0.001)
        return False

    # It looks behind the door, so it is no program to replay.
    assert replay.record(main, workspace=tmp_path, dialects=()).result() is True


def test_readings_cut_short_by_output_replay(tmp_path, capsys):
    async def main():
        for step in range(3):
            print(step, time.time() > 0)
            await asyncio.sleep(0.001)

    identical(main, tmp_path)

    assert capsys.readouterr().out == "0 True\n1 True\n2 True\n" * 2


def test_output_left_in_a_buffer_at_the_end_is_in_the_record(tmp_path, capsys):
    async def main():
        sys.stdout.reconfigure(write_through=False)
        print("held back")

    recording = identical(main, tmp_path)

    # Start, spawn, end of the task, output, end, what other tests have loaded, source, seal.
    assert recording.events == 7 + len(loaded_gaps())
    assert capsys.readouterr().out == "held back\n" * 2


def test_a_second_run_at_the_same_time_is_refused_by_name(tmp_path):
    refused = []

    @effect
    def second():
        with pytest.raises(UsageError, match="another run is under way") as caught:
            replay.record(lambda: asyncio.sleep(0), workspace=tmp_path / "second", dialects=())
        refused.append(caught.value)

    async def main():
        second()

    before = sys.stdout
    replay.record(main, workspace=tmp_path / "first", dialects=())

    assert len(refused) == 1
    assert sys.stdout is before
