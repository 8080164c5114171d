"""Clients of other vendors, unmodified: no dialect reads them, and they replay all the same."""

from __future__ import annotations

import importlib.util

import pytest

from tests.http.driver import PROGRAMS, record, replay
from tests.http.endpoints import endpoints
from tests.http.scenes import PROCESSES, closed_url

#: Processes of a loaded machine; alone they take a few seconds.
pytestmark = pytest.mark.timeout(180)

#: Program, module that it needs, lines that it prints for certain.
SDKS = {
    "openai_sdk.py": ("openai", ("gave up", "response.completed", "NotFoundError 404")),
    "genai_sdk.py": ("google.genai", ()),
    "ollama_sdk.py": ("ollama", ("refused 500", "refused 429", "ConnectionError")),
}


def _is_installed(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.sample(3)
@pytest.mark.parametrize("name", SDKS)
def test_a_program_on_another_sdk_replays_in_processes_that_share_nothing(tmp_path, name):
    module, certain = SDKS[name]
    if not _is_installed(module):
        pytest.skip(f"{module} is not installed")
    with endpoints() as (url, seen):
        variables = {
            "BASE_URL": url,
            "CLOSED_URL": closed_url(),
            "OPENAI_API_KEY": "sk-" + "proj-nobody-has-this-key-0123456789",
            "GEMINI_API_KEY": "AI" + "zaNobodyHasThisKey0123456789abcdefghi",
        }
        recorded = record(PROGRAMS / name, tmp_path, variables=variables)
    text = recorded.stdout.decode()

    assert recorded.error == ""
    assert len(seen) > 10
    assert all(f"\n{line}" in text for line in certain)
    for process in PROCESSES[:2]:
        replayed = replay(PROGRAMS / name, recorded, process=process)
        assert replayed.report["divergence"] is None, replayed.report
        assert replayed.verdict == "identical"
        assert replayed.report["root_replayed"] == recorded.root
        assert replayed.stdout == recorded.stdout


@pytest.mark.full
@pytest.mark.parametrize("name", SDKS)
def test_two_recordings_of_a_program_on_another_sdk_differ(tmp_path, name):
    module, _ = SDKS[name]
    if not _is_installed(module):
        pytest.skip(f"{module} is not installed")
    with endpoints() as (url, _):
        variables = {
            "BASE_URL": url,
            "CLOSED_URL": closed_url(),
            "OPENAI_API_KEY": "sk-" + "proj-nobody-has-this-key-0123456789",
            "GEMINI_API_KEY": "AI" + "zaNobodyHasThisKey0123456789abcdefghi",
        }
        first, second = (
            record(PROGRAMS / name, tmp_path / each, variables=variables) for each in "ab"
        )

    assert first.stdout != second.stdout
