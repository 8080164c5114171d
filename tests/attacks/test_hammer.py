"""Writers, readers, verifiers and exporters of one workspace at once, each a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from replay.log.workspace import Workspace
from tests.attacks.hammering import BUNDLE, STOP, verify
from tests.support import second_reader

ROOT = Path(__file__).parents[2]


def start(what, place, count=0):
    words = [sys.executable, "-m", "tests.attacks.hammering", what, str(place), str(count)]
    return subprocess.Popen(
        words, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def ended(process):
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    return json.loads(out)


@pytest.mark.full
@pytest.mark.timeout(400)
def test_readers_and_verifiers_beside_a_writer_see_whole_prefixes_only(tmp_path):
    place = tmp_path / "runs"
    Workspace.open(place)
    others = [start(what, place) for what in ("read", "verify", "export")]
    try:
        writers = [start("write", place, 15) for _ in range(2)]
        written = [ended(writer)["done"] for writer in writers]
    finally:
        (place / STOP).touch()
    told = [ended(other) for other in others]

    assert written == [15, 15]
    assert [each["wrong"] for each in told] == [[], [], []]
    assert all(each["done"] for each in told), told
    runs = Workspace.open(place).runs()
    assert [run.state for run in runs] == ["closed"] * 30
    wrong = []
    verify(place, wrong)
    assert wrong == []
    assert Workspace.open(place).verify().integrity == "ok"
    assert second_reader.holds(place / BUNDLE)
