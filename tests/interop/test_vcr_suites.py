"""A suite marked for vcrpy runs as recorded runs, by the switch of the how-to page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.testing import ScriptedProvider

ROOT = Path(__file__).parents[2]
#: As a suite has it that was written for pytest-recording.
INI = "[pytest]\naddopts = --strict-markers\n"
SUITE = """\
import anthropic
import pytest


@pytest.mark.default_cassette("tides.yaml")
@pytest.mark.vcr
def test_ask():
    client = anthropic.Anthropic()
    messages = [{"role": "user", "content": "What is the tide?"}]
    told = client.messages.create(model="m", max_tokens=50, messages=messages)
    assert told.content[0].text
"""


def run(path, *options, **environment):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:asyncio", *options, "."],
        cwd=path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.full
def test_a_suite_marked_vcr_is_recorded_once_and_replays_in_ci_without_the_provider(tmp_path):
    (tmp_path / "test_ask.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text(INI)
    with ScriptedProvider(mode="wild") as provider:
        address = {"ANTHROPIC_BASE_URL": provider.base_url, "ANTHROPIC_API_KEY": "none"}
        recorded = run(tmp_path, "--ritornello-vcr", **address)
        asked = len(provider.requests)

    (tmp_path / "pytest.ini").write_text(INI + "ritornello_vcr = true\n")
    replayed = run(tmp_path, CI="1", **address)

    assert recorded.returncode == 0, recorded.stdout
    assert asked == 1
    assert list(tmp_path.rglob("*.ritornello"))
    assert replayed.returncode == 0, replayed.stdout
    assert "1 passed" in replayed.stdout


def test_two_plugins_do_not_run_one_test(tmp_path):
    (tmp_path / "recording.py").write_text("")
    (tmp_path / "test_nothing.py").write_text("def test_nothing():\n    pass\n")

    refused = run(tmp_path, "-p", "recording", "--ritornello-vcr")

    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert "-p no:recording" in refused.stderr
