"""The program is what it was, and its replay differs: the command says what else changed."""

from __future__ import annotations

import json
import sys

import pytest

from orchestrator.testing import ScriptedProvider
from tests.fault.resuming.scene import ROOT, Scene

pytestmark = pytest.mark.timeout(240)

ASKS = """\
import httpx

answer = httpx.post({url!r} + "/v1/messages", json={{
    "model": "m", "max_tokens": 9, "messages": [{{"role": "user", "content": {content}}}]
}})
print(answer.status_code)
"""
LIBRARY = "import tides\n" + ASKS
#: SQLite's clock is read in C, where no door stands.
CLOCK = (
    'import sqlite3\nnow = sqlite3.connect(":memory:").execute("SELECT julianday(\'now\')")\n'
    "moment = repr(now.fetchone()[0])\n" + ASKS
)


def install(site, version, text):
    """Put a distribution of that version into a directory, as an installer does."""
    for old in site.glob("tides-*.dist-info"):
        for file in old.iterdir():
            file.unlink()
        old.rmdir()
    information = site / f"tides-{version}.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Name: tides\nVersion: {version}\n")
    (information / "RECORD").write_text("tides.py,,\n")
    (site / "tides.py").write_text(f"def told() -> str:\n    return {text!r}\n")


def judged(tmp_path, program, between=lambda: None, **variables):
    with ScriptedProvider() as provider:
        (tmp_path / "agent.py").write_text(program(provider.base_url))
        scene = Scene(tmp_path, **variables)
        recorded = scene.run("record", "--", sys.executable, "agent.py")
        assert recorded.code == 0, recorded.err
        between()
        replayed = scene.run("replay", "last", "--json")
        assert len(provider.requests) == 1
    assert replayed.code == 1, replayed.err
    report = json.loads(replayed.out)
    assert report["code"] == "same"
    return report["divergence"]


def test_a_library_that_was_upgraded_is_the_dependency(tmp_path):
    site = tmp_path / "lib" / "site-packages"
    install(site, "1.0", "low water")

    found = judged(
        tmp_path,
        lambda url: LIBRARY.format(url=url, content="tides.told()"),
        lambda: install(site, "2.0", "high water"),
        PYTHONPATH=f"{ROOT}:{site}",
    )

    assert (found["class"], found["basis"], found["also"]) == ("dependency", "versions", ["prompt"])
    assert found["dependency_changes"] == [{"name": "tides", "recorded": "1.0", "replayed": "2.0"}]
    assert found["suggestion"] == "install the recorded versions: tides==1.0"


def test_a_clock_that_is_read_in_c_is_uncaptured(tmp_path):
    found = judged(tmp_path, lambda url: CLOCK.format(url=url, content="moment"))

    assert (found["class"], found["also"]) == ("uncaptured", ["prompt"])
    assert found["dependency_changes"] == []
    assert "nothing was changed" in found["suggestion"]
