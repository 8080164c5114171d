"""A record cut off behind each of its events in turn: from every one of them the run goes on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter

import httpx
import pytest

import replay
from orchestrator.testing import ScriptedProvider
from replay.log.workspace import Workspace
from tests.fault.resuming.cutting import cut, entries_of

CALLS: Counter[str] = Counter()


@replay.effect(on_resume="again")
async def weigh(thing: str) -> int:
    CALLS[thing] += 1
    return len(thing)


@replay.effect(on_resume="fail")
def lift(thing: str) -> str:
    CALLS[thing] += 1
    return f"{thing} lifted"


def _program(url, printed):
    async def ask(client, number, *, stream):
        body = {
            "model": "m",
            "max_tokens": 20,
            "stream": stream,
            "messages": [{"role": "user", "content": f"question {number}"}],
        }
        async with client.stream("POST", f"{url}/v1/messages", json=body) as response:
            return len(b"".join([piece async for piece in response.aiter_bytes()]))

    async def main():
        time.monotonic()
        async with httpx.AsyncClient() as client:
            first = await ask(client, 0, stream=True)
            print("first", first)
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(ask(client, n, stream=n % 2 == 0), name=f"ask-{n}")
                    for n in (1, 2, 3)
                ]
                tasks.append(group.create_task(weigh("a stone"), name="weigh"))
            lengths = [task.result() for task in tasks]
        print(lengths, end="")
        await asyncio.sleep(0.001)
        box = []
        thread = threading.Thread(target=lambda: box.append(time.time() > 0))
        thread.start()
        thread.join()
        try:
            lifted = await asyncio.to_thread(lift, "a feather")
        except Exception as error:
            lifted = type(error).__name__
        print(lifted, box)
        printed.append(lifted)
        return first, lengths

    return main


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    with ScriptedProvider() as provider:
        main = _program(provider.base_url, [])
        recording = replay.record(main, workspace=tmp_path_factory.mktemp("whole"))
        assert recording.error is None
        yield provider, main, recording, entries_of(recording.directory)


def _resume_each(told, tmp_path, capfd, sizes):
    provider, main, recording, entries = told
    whole = recording.result()
    for size in sizes:
        place = tmp_path / str(size)
        cut(entries, recording.run_id, size, place)
        CALLS.clear()
        before = len(provider.requests)
        capfd.readouterr()
        resumption = replay.resume("last", main, workspace=place)
        shown = capfd.readouterr().out
        assert resumption.report.verdict == "sealed", (size, resumption.report)
        assert resumption.report.resumed_at == size
        assert resumption.result() == whole
        sent = [request.body for request in provider.requests[before:]]
        done = {e.header.answers for e in entries[:size] if e.header.kind == "ResponseEnded"}
        asked = sum(e.header.kind == "RequestSent" for e in entries[:size])
        assert len(sent) == len(set(sent)) == 4 - len(done)
        assert len(resumption.report.requests_sent_again) == asked - len(done)
        failed = bool(resumption.report.failed)
        assert CALLS["a feather"] <= 1 - failed
        assert shown.startswith(f"first {whole[0]}\n")
        assert shown.endswith("[True]\n")
        assert ("OutsideError" in shown) == failed
        again = replay.replay("last", main, workspace=place)
        assert again.verdict == "identical", (size, again.divergence, again.notes)
        assert capfd.readouterr().out == shown
        assert Workspace.open(place).verify().integrity == "ok"
        (run,) = Workspace.open(place).runs()
        assert (run.state, run.resumes, run.size) == ("closed", 1, again.events)


def test_a_record_that_ends_anywhere_goes_on(told, tmp_path, capfd):
    size = len(told[3])
    _resume_each(told, tmp_path, capfd, [1, *range(8, size - 3, 36), size - 2, size - 1])


@pytest.mark.full
def test_a_record_that_ends_behind_any_event_goes_on(told, tmp_path, capfd):
    _resume_each(told, tmp_path, capfd, range(1, len(told[3])))
