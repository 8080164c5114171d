"""A suite marked for vcrpy runs as recorded runs, by the `conftest.py` of the how-to page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.testing import ScriptedProvider

ROOT = Path(__file__).parents[2]
MARK = "<!-- conftest: run by tests/interop/test_vcr_suites.py -->\n```python\n"
SUITE = """\
import anthropic
import pytest


@pytest.mark.vcr
def test_ask():
    client = anthropic.Anthropic()
    messages = [{"role": "user", "content": "What is the tide?"}]
    told = client.messages.create(model="m", max_tokens=50, messages=messages)
    assert told.content[0].text
"""


def run(path, **environment):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:asyncio", "."],
        cwd=path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.full
def test_a_suite_marked_vcr_is_recorded_once_and_replays_in_ci_without_the_provider(tmp_path):
    page = (ROOT / "docs/how-to/reproduce-in-ci.md").read_text()
    (tmp_path / "conftest.py").write_text(page.partition(MARK)[2].partition("```")[0])
    (tmp_path / "test_ask.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    with ScriptedProvider(mode="wild") as provider:
        address = {"ANTHROPIC_BASE_URL": provider.base_url, "ANTHROPIC_API_KEY": "none"}
        recorded = run(tmp_path, **address)
        asked = len(provider.requests)

    replayed = run(tmp_path, CI="1", **address)

    assert recorded.returncode == 0, recorded.stdout
    assert asked == 1
    assert list(tmp_path.rglob("*.ritornello"))
    assert replayed.returncode == 0, replayed.stdout
    assert "1 passed" in replayed.stdout
