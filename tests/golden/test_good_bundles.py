"""Bundles of the real local model that are kept: each verifies and replays bit for bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from replay.bundle.reader import BundleReader
from tests.support import second_reader

ROOT = Path(__file__).resolve().parents[2]
GOOD = ROOT / "bundles" / "good"
INDEX = json.loads((GOOD / "INDEX.json").read_text())["bundles"]
#: They were recorded in a reader's home, by an interpreter that lay elsewhere.
PLACES_OF_THE_MAKER = [f"/{top}/" for top in ("root", "work", "opt")]


def ritornello(*words):
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", *words, "--json"],
        cwd=ROOT,
        # Nothing of what the recording had, neither key nor provider.
        env={n: os.environ[n] for n in ("PATH", "HOME", "XDG_STATE_HOME") if n in os.environ},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_the_index_names_what_is_here():
    assert sorted(path.name for path in GOOD.glob("*.ritornello")) == sorted(INDEX)


@pytest.mark.parametrize("name", sorted(INDEX))
def test_it_verifies_and_replays(name):
    expected = INDEX[name]

    code, verified = ritornello("verify", str(GOOD / name))

    assert code == 0, verified
    assert (verified["root"], verified["events"]) == (expected["root"], expected["events"])
    assert (verified["integrity"], verified["completeness"]) == ("ok", "sealed")

    code, report = ritornello("replay", str(GOOD / name), "--in", str(ROOT))

    assert code == 0, report
    assert report["verdict"] == "identical"
    assert report["root_replayed"] == report["root_recorded"] == expected["root"]
    assert (report["live_effects"], report["events"]) == (0, expected["events"])


@pytest.mark.parametrize("name", sorted(INDEX))
def test_the_second_verifier_agrees(name):
    assert second_reader.holds((GOOD / name).read_bytes())


@pytest.mark.parametrize("name", sorted(INDEX))
def test_neither_the_key_nor_the_maker_shows_in_it(name):
    with BundleReader.open(GOOD / name) as reader:
        data = b"".join(
            reader.plain(member["name"]) for member in json.loads(reader.manifest_bytes)["members"]
        )

    assert b"ANTHROPIC_API_KEY" in data, "the scan finds what is there"
    for hidden in ("sk-local-0123456789abcdef", *PLACES_OF_THE_MAKER):
        assert hidden.encode() not in data
