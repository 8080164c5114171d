"""One changed byte, anywhere: two verifiers that share no code refuse the file, and both the same.

Every offset of a bundle below 16 KB; of the larger ones that are kept, a thousand drawn by a fixed
seed. The bad bundles that are kept are judged alike as well.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from replay.errors import BundleError
from tests.attacks.on_containers import good
from tests.support import second_reader
from tests.support.bundle_forging import build, verify_bytes

BUNDLES = Path(__file__).parents[2] / "bundles"
GOOD = sorted((BUNDLES / "good").glob("*.ritornello"))
SMALL_MAX = 16 << 10
DRAWN = 1000


def engine_holds(data):
    try:
        verify_bytes(data)
    except BundleError:
        return False
    return True


def accepted(whole, offsets, mask):
    """The offsets at which a changed byte is not refused by both."""
    found = []
    for offset in offsets:
        changed = bytearray(whole)
        changed[offset] ^= mask
        if engine_holds(bytes(changed)) or second_reader.holds(bytes(changed)):
            found.append(offset)
    return found


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = build(tmp_path_factory.mktemp("small") / "small.ritornello", good())
    data = path.read_bytes()
    assert len(data) <= SMALL_MAX
    assert engine_holds(data)
    assert second_reader.holds(data)
    return data


def test_both_verifiers_refuse_any_changed_byte_of_a_sample(small):
    offsets = random.Random("sample").sample(range(len(small)), 200)

    assert accepted(small, offsets, 0x20) == []


@pytest.mark.full
@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80, 0xFF])
def test_both_verifiers_refuse_any_changed_byte(small, mask):
    assert accepted(small, range(len(small)), mask) == []


@pytest.mark.full
def test_both_verifiers_refuse_what_is_cut_anywhere(small):
    for size in range(len(small)):
        assert not engine_holds(small[:size])
        assert not second_reader.holds(small[:size])


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_thousand_changed_bytes_of_a_kept_run_are_refused(path):
    whole = path.read_bytes()
    assert engine_holds(whole)
    assert second_reader.holds(whole)
    offsets = sorted(random.Random(path.stem).sample(range(len(whole)), DRAWN))

    assert accepted(whole, offsets, 0x10) == []


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_both_verifiers_accept_the_runs_that_are_kept(path):
    report = second_reader.judged(path)

    assert report.integrity == "ok"
    assert engine_holds(path.read_bytes())


def test_both_verifiers_judge_the_bad_bundles_alike():
    index = json.loads((BUNDLES / "bad" / "INDEX.json").read_text())["bundles"]
    judged = {
        entry["file"]: (
            engine_holds((BUNDLES / "bad" / entry["file"]).read_bytes()),
            second_reader.holds(BUNDLES / "bad" / entry["file"]),
        )
        for entry in index
    }

    assert [name for name, (engine, second) in judged.items() if engine != second] == []
    assert {entry["file"] for entry in index if entry["level"] == "bundle"} == {
        name for name, (engine, _) in judged.items() if not engine
    }
