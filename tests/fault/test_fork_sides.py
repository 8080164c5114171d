"""What a fork does and leaves alone: effects, chance, files, processes, threads, secrets."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

import replay
from orchestrator.cli.export import export_run
from orchestrator.testing import Answer, Delivery, Rule, Script, ScriptedProvider
from replay.errors import ForkError, NotFoundError
from replay.files.content import FILE_BYTES_MAX
from replay.log.workspace import Workspace
from tests.fault.forking import NAMES, ask, bodies, fork_of, judged

DONE: list[str] = []


@pytest.fixture
def provider():
    with ScriptedProvider(mode="wild") as found:
        yield found


@replay.effect
async def _note(text: str) -> str:
    DONE.append(text)
    return f"noted {text}"


def _noting(texts):
    async def main():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_note(text), name=f"n{i}") for i, text in enumerate(texts)]
        return [task.result() for task in tasks]

    return main


def test_an_effect_that_is_what_it_was_is_not_done_again(tmp_path):
    DONE.clear()
    recording = replay.record(_noting(["a", "b", "c"]), workspace=tmp_path)
    program = _noting(["a", "B", "c"])
    fork = fork_of(recording, tmp_path, program)

    assert DONE == ["a", "b", "c", "B"]
    assert fork.result() == ["noted a", "noted B", "noted c"]
    assert [(each.name, each.is_request) for each in fork.report.live] == [("effect _note", False)]
    judged(fork, tmp_path, program)


@pytest.mark.full
def test_a_task_that_did_not_change_has_its_chance_and_its_clock_again(tmp_path, provider):
    url = provider.base_url

    def program(word):
        async def one(client, name):
            stamp = f"{uuid.uuid4()} {time.time_ns()} {os.urandom(4).hex()}"
            return stamp, await ask(client, url, f"{name} {stamp}")

        async def main():
            async with httpx.AsyncClient(timeout=20) as client, asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(client, n), name=n) for n in (word, "b", "c")]
            return [task.result() for task in tasks]

        return main

    recording = replay.record(program("a"), workspace=tmp_path)
    fork = fork_of(recording, tmp_path, program("A"))

    assert len(provider.requests) == 4
    assert fork.result()[1:] == recording.result()[1:]
    assert fork.result()[0] != recording.result()[0]
    judged(fork, tmp_path, program("A"))


def _scribe(url, word):
    def prepare():
        Path("before.txt").write_text("before\n")
        Path("out/deep").mkdir(parents=True)

    def finish():
        Path("after.txt").write_text(Path("before.txt").read_text() + word)
        Path("out/deep/last.txt").write_text(word)

    async def main():
        with Path("early.txt").open("w") as early:  # noqa: ASYNC230 - as many programs do
            early.write("kept open, ")
            prepare()
            async with httpx.AsyncClient(timeout=20) as client:
                await ask(client, url, "the first")
                said = await ask(client, url, word)
            early.write("closed")
        finish()
        return said

    return main


@pytest.mark.full
def test_files_of_the_common_part_are_written_anew(tmp_path, provider, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recording = replay.record(_scribe(provider.base_url, "one"), workspace=tmp_path / "w")
    for name in ("early.txt", "before.txt", "after.txt"):
        Path(name).unlink()
    shutil.rmtree("out")
    looks = []
    program = _scribe(provider.base_url, "two")
    declined = fork_of(recording, tmp_path / "w", program, approve=looks.append)
    assert declined.report.verdict == "declined"
    assert sorted(Path(name).name for name in looks[0].written) == ["before.txt", "early.txt"]
    assert not list(tmp_path.glob("*.txt"))

    fork = fork_of(recording, tmp_path / "w", program)
    assert {path.name: path.read_text() for path in tmp_path.glob("*.txt")} == {
        "early.txt": "kept open, closed",
        "before.txt": "before\n",
        "after.txt": "before\ntwo",
    }
    assert Path("out/deep/last.txt").read_text() == "two"
    assert len(provider.requests) == 3
    judged(fork, tmp_path / "w", program)


@pytest.mark.full
def test_a_file_of_which_only_the_size_is_on_record_is_refused_by_name(
    tmp_path, provider, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with Path("diary.txt").open("wb") as diary:
        diary.truncate(FILE_BYTES_MAX + 1)

    def program(word):
        async def main():
            with Path("diary.txt").open("a") as diary:  # noqa: ASYNC230
                diary.write("more\n")
                async with httpx.AsyncClient(timeout=20) as client:
                    return await ask(client, provider.base_url, word)

        return main

    recording = replay.record(program("one"), workspace=tmp_path / "w")
    there = Path("diary.txt").stat().st_size
    with pytest.raises(ForkError, match=r"appends to .*diary\.txt"):
        fork_of(recording, tmp_path / "w", program("two"))
    assert len(provider.requests) == 1
    assert Path("diary.txt").stat().st_size == there


@pytest.mark.full
def test_a_process_that_is_what_it_was_is_not_started_again(tmp_path):
    def program(word):
        def main():
            code = "import sys; open(sys.argv[1], 'a').write('x'); print(sys.argv[1])"
            out = []
            for name in ("first.txt", word):
                done = subprocess.run(
                    [sys.executable, "-c", code, str(tmp_path / name)],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                out.append(done.stdout)
            return out

        return main

    recording = replay.record(program("a.txt"), workspace=tmp_path / "w")
    fork = fork_of(recording, tmp_path / "w", program("b.txt"))
    assert {path.name: path.read_text() for path in tmp_path.glob("*.txt")} == {
        "first.txt": "x",
        "a.txt": "x",
        "b.txt": "x",
    }
    judged(fork, tmp_path / "w", program("b.txt"))


@pytest.mark.full
def test_threads_keep_their_answers(tmp_path, provider):
    def program(changed):
        def main():
            found = {}

            def ask(name):
                text = f"{name} anew" if name == changed else name
                body = {
                    "model": "m",
                    "max_tokens": 9,
                    "messages": [{"role": "user", "content": text}],
                }
                found[name] = httpx.post(
                    f"{provider.base_url}/v1/messages", json=body, timeout=20
                ).text

            threads = [threading.Thread(target=ask, args=(name,), name=name) for name in NAMES]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return found

        return main

    recording = replay.record(program(None), workspace=tmp_path)
    fork = fork_of(recording, tmp_path, program("style"))
    assert ["style anew" in body for body in bodies(provider, 3)] == [True]
    assert fork.result()["law"] == recording.result()["law"]
    judged(fork, tmp_path, program("style"))


def test_work_that_another_thread_of_the_pool_takes_keeps_its_answer(tmp_path):
    slow = Answer(delivery=Delivery(latency_ms=400))
    script = Script(rules=(Rule(contains="q0", answers=(slow,), repeat=True),))
    with ScriptedProvider(mode="wild", script=script) as provider:

        def program(changed):
            def ask(name):
                text = f"{name} anew" if name == changed else name
                body = {
                    "model": "m",
                    "max_tokens": 9,
                    "messages": [{"role": "user", "content": text}],
                }
                url = f"{provider.base_url}/v1/messages"
                return httpx.post(url, json=body, timeout=20).text

            def main():
                with ThreadPoolExecutor(2) as pool:
                    return list(pool.map(ask, [f"q{number}" for number in range(6)]))

            return main

        # The first thread waits for q0, so the second one does all others; in the fork it waits for
        # q1, and the first one does them.
        recording = replay.record(program(None), workspace=tmp_path)
        fork = fork_of(recording, tmp_path, program("q1"))
        assert ["q1 anew" in body for body in bodies(provider, 6)] == [True]
    then, now = recording.result(), fork.result()
    assert [a == b for a, b in zip(then, now, strict=True)] == [True, False, *[True] * 4]
    judged(fork, tmp_path, program("q1"))


# --- secrets ----------------------------------------------------------------------------------

KEY = "sk-ant-api03-" + "harbourHARBOUR0123" * 3


def _keyed(url, word, other=None):
    async def main():
        key = os.environ["SHIP_API_KEY"]
        async with httpx.AsyncClient(timeout=20, headers={"x-api-key": key}) as client:
            await ask(client, url, "hello")
            await ask(client, other or url, word)
        return key

    return main


@pytest.mark.full
def test_the_wire_gets_the_secret_and_the_fork_does_not(tmp_path, provider, monkeypatch):
    monkeypatch.setenv("SHIP_API_KEY", KEY)
    recording = replay.record(_keyed(provider.base_url, "one"), workspace=tmp_path)
    program = _keyed(provider.base_url, "two")
    fork = fork_of(recording, tmp_path, program)

    assert fork.result() != KEY
    assert [request.header("x-api-key") for request in provider.requests] == [KEY] * 3
    data = b"".join(file.read_bytes() for file in fork.recording.directory.iterdir())
    assert KEY.encode() not in data
    judged(fork, tmp_path, program)


@pytest.mark.full
def test_a_secret_goes_to_no_other_host_unless_somebody_says_so(tmp_path, provider, monkeypatch):
    monkeypatch.setenv("SHIP_API_KEY", KEY)
    recording = replay.record(_keyed(provider.base_url, "one"), workspace=tmp_path)
    with ScriptedProvider() as other:
        program = _keyed(provider.base_url, "two", other.base_url)
        host = other.base_url.removeprefix("http://")
        with pytest.raises(ForkError, match=f"would go to http://{host}"):
            fork_of(recording, tmp_path, program)
        assert (len(provider.requests), other.requests) == (2, ())
        assert len(Workspace.open(tmp_path).runs()) == 1
        fork = fork_of(recording, tmp_path, program, secret_to=[host])
        assert [request.header("x-api-key") for request in other.requests] == [KEY]
    judged(fork, tmp_path, program)


def test_a_bundle_does_not_say_who_may_get_a_secret(tmp_path, provider, monkeypatch):
    monkeypatch.setenv("SHIP_API_KEY", KEY)
    recording = replay.record(_keyed(provider.base_url, "one"), workspace=tmp_path / "a")
    bundle = tmp_path / "run.ritornello"
    export_run(recording.run_id, Workspace.open(tmp_path / "a"), bundle)
    host = provider.base_url.removeprefix("http://")
    program = _keyed(provider.base_url, "two")
    with pytest.raises(ForkError, match=f"would go to http://{host}"):
        replay.fork(bundle, program, workspace=tmp_path / "b")
    assert len(provider.requests) == 2
    fork = replay.fork(bundle, program, workspace=tmp_path / "b", secret_to=["127.0.0.1"])
    assert len(provider.requests) == 3
    judged(fork, tmp_path / "b", program)


@pytest.mark.full
def test_a_secret_that_is_not_there_is_named_before_anything_happens(
    tmp_path, provider, monkeypatch
):
    monkeypatch.setenv("SHIP_API_KEY", KEY)
    recording = replay.record(_keyed(provider.base_url, "one"), workspace=tmp_path)
    monkeypatch.delenv("SHIP_API_KEY")
    with pytest.raises(NotFoundError, match="SHIP_API_KEY is not set"):
        fork_of(recording, tmp_path, _keyed(provider.base_url, "two"))
    assert len(provider.requests) == 2
    assert len(Workspace.open(tmp_path).runs()) == 1
