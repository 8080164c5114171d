"""Unmodified programs, recorded against a wild provider, replay bit for bit in other processes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.testing import ScriptedProvider
from tests.http.driver import LIBRARIES, PROGRAMS, Process, record, replay
from tests.http.raw_server import raw_server
from tests.http.scenes import PROCESSES, TROUBLE, closed_url, fake_key

#: Processes of a loaded machine; alone they take a few seconds.
pytestmark = pytest.mark.timeout(180)

STREAMS = PROGRAMS / "streams.py"


def _assert_identical(recorded, replayed):
    report = replayed.report

    assert report["divergence"] is None, report
    assert replayed.verdict == "identical"
    assert report["root_replayed"] == recorded.root
    assert report["events"] == recorded.events
    assert report["live_effects"] == 0
    assert replayed.attempts == ()
    assert replayed.stdout == recorded.stdout


def _record_with_provider(program, workspace, preload=()):
    with ScriptedProvider(mode="wild", script=TROUBLE) as provider:
        variables = {
            "BASE_URL": provider.base_url,
            "CLOSED_URL": closed_url(),
            "ANTHROPIC_API_KEY": fake_key(),
        }
        return record(program, workspace, variables=variables, preload=preload)


def _replay_in(processes, program, recorded):
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda one: replay(program, recorded, process=one), processes))


def test_interleaved_streams_replay_in_processes_that_share_nothing(tmp_path):
    recorded = _record_with_provider(STREAMS, tmp_path)

    assert recorded.error == ""
    assert b"gave up" in recorded.stdout
    for replayed in _replay_in(PROCESSES[:4], STREAMS, recorded):
        _assert_identical(recorded, replayed)


@pytest.mark.full
def test_interleaved_streams_replay_in_twenty_of_twenty_processes(tmp_path):
    recorded = _record_with_provider(STREAMS, tmp_path)

    replays = _replay_in(PROCESSES, STREAMS, recorded)

    assert len(replays) == 20
    for replayed in replays:
        _assert_identical(recorded, replayed)


def test_two_recordings_of_one_program_differ(tmp_path):
    first = _record_with_provider(STREAMS, tmp_path / "first", preload=LIBRARIES)
    second = _record_with_provider(STREAMS, tmp_path / "second", preload=LIBRARIES)

    assert first.stdout != second.stdout
    assert first.root != second.root


def test_a_conversation_with_tools_replays(tmp_path):
    program = PROGRAMS / "tools.py"

    recorded = _record_with_provider(program, tmp_path)
    replayed = replay(program, recorded)

    assert b"tool_use" in recorded.stdout
    _assert_identical(recorded, replayed)


def test_everything_that_fails_replays_with_the_same_errors(tmp_path):
    program = PROGRAMS / "errors.py"

    recorded = _record_with_provider(program, tmp_path)
    lines = recorded.stdout.decode().splitlines()
    outcomes = {
        name: [line for line in lines if line.startswith(name)][-1]
        for name in ("rate limited", "overloaded", "server error answered", "after all that")
    }

    assert recorded.error == ""
    assert all("answered" in line for line in outcomes.values())
    assert [line.split(" failed: ")[1].split("(")[0] for line in lines if " failed: " in line] == [
        "anthropic.InternalServerError",
        "anthropic.APIConnectionError",
        "anthropic.APIConnectionError",
        "anthropic.APITimeoutError",
        "anthropic.APIConnectionError",
    ]
    assert {"still going", "cancelled"} <= set(lines)
    _assert_identical(recorded, replay(program, recorded, process=PROCESSES[0]))


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_plain_http_replays(tmp_path, library):
    program = PROGRAMS / "raw.py"
    with raw_server() as (url, _):
        recorded = record(program, tmp_path, variables={"BASE_URL": url, "HTTP_LIBRARY": library})

    replayed = replay(program, recorded, process=Process(variables={"PYTHONHASHSEED": "3"}))

    assert recorded.error == ""
    assert recorded.stdout.endswith(b"end without newline")
    _assert_identical(recorded, replayed)
