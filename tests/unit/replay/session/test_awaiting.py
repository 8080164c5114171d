"""Runs awaited in a running event loop, in this process, several at once."""

import asyncio
import contextvars
import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import replay
from replay.doors.effects import effect
from replay.errors import SetupError, UsageError
from replay.log.workspace import Workspace
from replay.session import awaiting, stage
from replay.session.opening import open_run
from replay.session.record_start import first_record

ROOT = Path(__file__).parents[4]
VARIABLE = contextvars.ContextVar("variable", default="empty")


def record(main, workspace):
    return replay.record(main, workspace=workspace, dialects=())


def verdict(run, main, workspace):
    return replay.replay(run, main, workspace=workspace, dialects=()).verdict


def kinds(run, workspace):
    reader = open_run(run, workspace=workspace)
    try:
        return [entry.header.kind for entry in reader.entries()]
    finally:
        reader.close()


async def main():
    await asyncio.sleep(0.001)
    print(random.random(), time.time_ns())
    return random.getrandbits(64)


def test_the_same_call_is_awaited_in_a_loop_and_not_outside(tmp_path):
    async def service():
        recording = await record(main, tmp_path)
        report = await replay.replay(recording.run_id, main, workspace=tmp_path, dialects=())
        return recording, report, await recording

    recording, report, again = asyncio.run(service())
    alone = record(main, tmp_path)

    assert (recording.reason, alone.reason) == ("completed", "completed")
    assert again is recording
    assert report.verdict == "identical"
    assert recording.result() != alone.result()
    # Either is replayed in either form.
    assert verdict(recording.run_id, main, tmp_path) == "identical"
    assert asyncio.run(_awaited_verdict(alone.run_id, tmp_path)) == "identical"


async def _awaited_verdict(run, workspace):
    return (await replay.replay(run, main, workspace=workspace, dialects=())).verdict


def test_a_forgotten_await_is_said_by_name(tmp_path):
    async def service():
        coroutine = record(main, tmp_path)
        with pytest.raises(UsageError, match=r"replay\.record has to be awaited"):
            coroutine.result()
        coroutine.close()

    asyncio.run(service())


def test_a_run_within_a_run_is_refused(tmp_path):
    async def outer():
        with pytest.raises(UsageError, match="being recorded or replayed already"):
            record(main, tmp_path)

    async def service():
        return await record(outer, tmp_path)

    asyncio.run(service()).result()
    record(outer, tmp_path).result()

    assert len(Workspace(tmp_path).runs()) == 2


def test_a_refused_run_is_not_registered(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "a secret that is not ASCII: \u00e9")

    with pytest.raises(UsageError, match="SOME_API_KEY"):
        record(main, tmp_path)

    assert not (tmp_path / "runs").exists()


def test_a_run_that_cannot_be_put_on_stage_is_closed_as_failed(tmp_path, monkeypatch):
    def install():
        raise SetupError("another tool stands in the way")

    monkeypatch.setattr(stage._READINGS, "install", install)

    with pytest.raises(SetupError):
        record(main, tmp_path)

    (run,) = Workspace(tmp_path).runs()
    assert run.reason == "failed"
    assert Workspace(tmp_path).verify().findings == ()


def test_a_run_starts_without_the_context_of_its_caller(tmp_path):
    async def program():
        return VARIABLE.get()

    async def service():
        VARIABLE.set("the service's")
        recording = await record(program, tmp_path)
        return recording.result(), VARIABLE.get()

    assert asyncio.run(service()) == ("empty", "the service's")
    VARIABLE.set("the caller's")
    assert record(program, tmp_path).result() == "empty"


def test_what_the_program_raised_is_in_the_recording(tmp_path):
    async def program():
        raise LookupError("nothing there")

    async def service():
        return await record(program, tmp_path)

    recording = asyncio.run(service())

    assert recording.reason == "failed"
    with pytest.raises(LookupError, match="nothing there"):
        recording.result()


def test_a_cancelled_caller_cancels_the_run_by_an_input_on_record(tmp_path):
    steps = []

    async def program():
        try:
            print("waiting")
            steps.append("waiting")
            await asyncio.sleep(3600)
        finally:
            print("cleaning up")
            await asyncio.sleep(0.001)
            print("done")
            steps.append("done")

    async def service():
        task = asyncio.ensure_future(record(program, tmp_path))
        while not steps:  # noqa: ASYNC110 - it is set on another thread
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(service())

    assert steps == ["waiting", "done"]
    (run,) = Workspace(tmp_path).runs()
    assert run.reason == "cancelled"
    assert kinds(run.run, tmp_path).count("CancelRequested") == 1
    assert verdict(run.run, program, tmp_path) == "identical"


def test_a_program_that_is_no_longer_cancelled_where_it_was_diverges(tmp_path):
    started = []

    async def program(shielded=False):
        started.append(True)
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if not shielded:
                raise

    async def service():
        task = asyncio.ensure_future(record(program, tmp_path))
        while not started:  # noqa: ASYNC110 - it is set on another thread
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(service())

    assert verdict("last", program, tmp_path) == "identical"
    assert verdict("last", lambda: program(shielded=True), tmp_path) == "diverged"


def test_runs_in_threads_share_the_process_too(tmp_path):
    ready = threading.Barrier(3)

    @effect
    def together():
        ready.wait(30)

    async def program():
        together()
        return random.random()

    async def service():
        return await asyncio.gather(
            *[asyncio.to_thread(record, program, tmp_path) for _ in range(3)]
        )

    recordings = asyncio.run(service())

    assert len({recording.result() for recording in recordings}) == 3
    for recording in recordings:
        reader = open_run(recording.run_id, workspace=tmp_path)
        assert first_record(reader).flags["collect_every"] == 0
        reader.close()
        assert verdict(recording.run_id, program, tmp_path) == "identical"


def test_runs_that_import_the_same_module_at_once_wait_for_each_other(tmp_path, monkeypatch):
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(0.05)\nVALUE = 7\n")
    monkeypatch.syspath_prepend(tmp_path)

    async def program():
        import slow_to_import

        return slow_to_import.VALUE

    async def service():
        return await asyncio.gather(*[record(program, tmp_path / "w") for _ in range(4)])

    recordings = asyncio.run(service())
    sys.modules.pop("slow_to_import")

    assert [recording.result() for recording in recordings] == [7] * 4


STUCK = """
import asyncio, sys, threading
import replay
from replay.session import awaiting

awaiting.CANCEL_WAIT_S = 0.05
stuck = threading.Event()

@replay.effect
def never():
    stuck.set()
    threading.Event().wait()

async def main():
    never()

async def service():
    task = asyncio.ensure_future(replay.record(main, workspace=sys.argv[1], dialects=()))
    while not stuck.is_set():
        await asyncio.sleep(0.001)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled")

asyncio.run(service())
"""


def test_an_effect_that_is_stuck_holds_neither_its_caller_nor_the_process(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", STUCK, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "cancelled\n", "")
    (run,) = Workspace(tmp_path).runs()
    assert run.reason is None
    assert kinds(run.run, tmp_path)[-2:] == ["EffectStarted", "CancelRequested"]


NOTEBOOK = """
import random, json, replay
async def main():
    return [random.random(), random.random()]

random.seed(3)
recording = await replay.record(main, workspace={workspace!r}, dialects=())
report = await replay.replay("last", main, workspace={workspace!r}, dialects=())
print(json.dumps([report.verdict, recording.result(), random.random()]))
"""


def test_a_loop_that_runs_at_top_level_as_in_a_notebook(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "asyncio"],
        input=NOTEBOOK.format(workspace=str(tmp_path)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    shown, result, drawn = json.loads(
        next(line[line.index("[") :] for line in ended.stdout.splitlines() if "identical" in line)
    )

    assert shown == "identical"
    assert len(set(result)) == 2
    assert drawn == random.Random(3).random()


def test_who_asks_before_anybody_listens_is_heard():
    heard = []
    cancellation = awaiting.Cancellation()
    cancellation.ask()
    cancellation.ask()

    cancellation.listen(lambda: heard.append(1))
    cancellation.ask()

    assert heard == [1]
