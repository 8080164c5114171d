"""A record made by another SDK patch, operating system and Python replays identically here."""

from __future__ import annotations

import platform
from importlib.metadata import version

import pytest

from orchestrator.testing import ScriptedProvider
from tests.http.driver import LIBRARIES, PROGRAMS, Recorded, record, replay_many
from tests.http.forging import change_word
from tests.http.scenes import fake_key

pytestmark = pytest.mark.timeout(180)

PROGRAM = PROGRAMS / "questions.py"


def other(text):
    """Another version of the same length."""
    return "".join(str((int(each) + 1) % 10) if each.isdecimal() else each for each in text)


def test_headers_and_versions_of_another_machine_are_inputs(tmp_path):
    with ScriptedProvider(mode="wild") as provider:
        variables = {"BASE_URL": provider.base_url, "ANTHROPIC_API_KEY": fake_key()}
        recorded = record(PROGRAM, tmp_path / "live", variables=variables, preload=LIBRARIES)
    python, package = platform.python_version(), version("anthropic")
    place = recorded.directory
    for number, (kind, here, there) in enumerate(
        (
            ("RunStarted", python, other(python)),
            ("WireObserved", f'runtime-version","{python}', f'runtime-version","{other(python)}'),
            ("WireObserved", package, other(package)),
            ("WireObserved", "Linux", "MacOS"),
        )
    ):
        forged = tmp_path / f"forged_{number}"
        change_word(place, forged, kind, here.encode(), there.encode())
        place = str(forged)

    (replayed,) = replay_many([(PROGRAM, Recorded(place, "", 0, "", "", b""))], preload=LIBRARIES)

    assert replayed.verdict == "identical", replayed.report
