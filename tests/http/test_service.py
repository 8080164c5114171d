"""Runs inside a service: sixteen at once, none sees another, and the service sees none of them."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import random
import subprocess
import sys
import threading
import time

import httpx
import pytest

from orchestrator.testing import ScriptedProvider
from replay.events.payload import decode_payload
from replay.session.opening import open_run
from tests.http.driver import PROGRAMS, ROOT

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("uvicorn", "starlette")),
        reason="uvicorn and starlette are not installed",
    ),
]

SERVICE = PROGRAMS / "service.py"
RUNS = 16


@contextlib.contextmanager
def service(workspace, base_url, *, before=""):
    """Start the service; gives its URL and the list of lines that it prints."""
    command = [str(SERVICE), str(workspace)]
    if before:
        # The same program, after something was done to the engine.
        main = "runpy.run_path(sys.argv[0], run_name='__main__')"
        command = ["-c", f"import runpy, sys; sys.argv[:1] = []; {before}; {main}", *command]
    process = subprocess.Popen(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": str(ROOT), "BASE_URL": base_url},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    port = process.stdout.readline().split()[1]
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout))
    reader.start()
    try:
        yield f"http://127.0.0.1:{port}", lines
    finally:
        process.terminate()
        process.wait()
        reader.join()
        process.stdout.close()


async def ask(url, path, queries):
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        answers = await asyncio.gather(*[client.get(path, params=query) for query in queries])
        return [answer.raise_for_status().json() for answer in answers]


def record_at_once(url, count):
    markers = [f"marker{number:04d}" for number in range(count)]
    return asyncio.run(ask(url, "/run", [{"marker": marker} for marker in markers])), markers


def warm_workflow():
    """Load the program as another service process would be, before its first request."""
    spec = importlib.util.spec_from_file_location("service_program", SERVICE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    asyncio.run(module.warm_up())
    return module.answer


def payloads(run, workspace):
    """All that a run holds but the source of its program, which names everything."""
    reader = open_run(run, workspace=workspace)
    try:
        return b"".join(
            part.data or b""
            for entry in reader.entries()
            if entry.header.kind != "CodeLoaded"
            for part in entry.brought
        )
    finally:
        reader.close()


def payload_of(entry, reader):
    own = {part.ordinal: part for part in entry.brought}
    parts = [own.get(ordinal) or reader.parts([ordinal])[ordinal] for ordinal in entry.parts]
    data = b"".join(part.data for part in parts)
    return decode_payload(entry.header.media, data, entry.header.seq)


def outputs(run, workspace):
    """All that a run wrote, without the heads of the records."""
    reader = open_run(run, workspace=workspace)
    try:
        return b"".join(
            payload_of(entry, reader)[1]
            for entry in reader.entries()
            if entry.header.kind == "OutputWritten"
        )
    finally:
        reader.close()


def test_sixteen_runs_at_once_in_a_service(tmp_path, monkeypatch):
    begun = time.time()
    with (
        ScriptedProvider(mode="wild") as provider,
        service(tmp_path, provider.base_url) as (url, lines),
    ):
        runs, markers = record_at_once(url, RUNS)
        replayed = asyncio.run(ask(url, "/replay", [{"run": run["run"]} for run in runs]))
        (state,) = asyncio.run(ask(url, "/state", [{}]))
        monkeypatch.setenv("BASE_URL", provider.base_url)
        answer = warm_workflow()
    ended = time.time()
    results = [run["result"] for run in runs]

    # Each run has what is its own.
    assert [result["marker"] for result in results] == markers
    for draw in range(5):
        assert len({result["drawn"][draw] for result in results}) == RUNS
    for own in ("time_ns", "uuid", "message"):
        assert len({result[own] for result in results}) == RUNS
    assert [result["who"] for result in results] == ["nobody"] * RUNS
    for run, marker in zip(runs, markers, strict=True):
        kept = payloads(run["run"], tmp_path)
        assert marker.encode() in kept
        assert [other for other in markers if other.encode() in kept] == [marker]
        assert b"tick" not in kept
        assert b"the service" not in kept
    # Each replays from its own log: beside the others, and in this process.
    assert [each["verdict"] for each in replayed] == ["identical"] * RUNS
    assert [each["root"] for each in replayed] == [run["root"] for run in runs]
    again = [answer.replay(run["run"], workspace=tmp_path) for run in runs[:4]]
    assert [report.verdict for report in again] == ["identical"] * 4
    # The service is as if no run were there.
    own = random.Random(42)
    assert state["drawn"] == [[own.random(), own.gauss(0, 1)] for _ in state["drawn"]]
    assert state["times"] == sorted(state["times"])
    assert begun <= state["times"][0]
    assert state["times"][-1] <= ended
    assert all(run["ticks_meanwhile"] > 0 for run in runs)
    assert all(run["who"] == "the service" for run in runs)
    assert state["markers"] == [None]
    assert state["collects"] is True
    assert state["stdout"] == "TextIOWrapper"
    assert "".join(lines).count("tick") >= len(state["times"])
    # As from any threads, pieces of lines may come out in turns. Two in a run, two in its replay.
    written = "".join(lines)
    assert [written.count(marker) for marker in markers] == [4] * RUNS
    for run, marker in zip(runs, markers, strict=True):
        assert f"begin {marker} nobody\nend {marker}\n".encode() in outputs(run["run"], tmp_path)


SHARED_GENERATOR = (
    "import random, replay.doors.surroundings.global_random as door; "
    "one = random.Random(7); door._own = lambda: one if door.current() else None"
)


def test_runs_that_share_one_generator_do_not_replay(tmp_path):
    with (
        ScriptedProvider(mode="wild") as provider,
        service(tmp_path, provider.base_url, before=SHARED_GENERATOR) as (url, _),
    ):
        runs, _ = record_at_once(url, 4)
        replayed = asyncio.run(ask(url, "/replay", [{"run": run["run"]} for run in runs]))

    assert "identical" not in {each["verdict"] for each in replayed}
