"""Recorded once, replayed in fresh processes that differ in everything but the record."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.determinism.programs import draw_program, record_tree

ROOT = Path(__file__).parents[2]

#: name, environment, noise: each replays the same recordings.
PERTURBATIONS = {
    "other hash seed, heap, place, zone and locale": (
        {"PYTHONHASHSEED": "4242", "TZ": "Asia/Kathmandu", "LC_ALL": "C", "HOME": "/nonexistent"},
        {"noise": 1, "backwards": True},
    ),
    "garbage collected all the time": (
        {"PYTHONHASHSEED": "77", "PYTHONMALLOC": "malloc"},
        {"noise": 2, "collect_every": 997},
    ),
}
MORE_PERTURBATIONS = PERTURBATIONS | {
    "hashes without a seed": ({"PYTHONHASHSEED": "0"}, {"noise": 3}),
    "debug allocator and asyncio debug": (
        {"PYTHONHASHSEED": "9", "PYTHONMALLOC": "debug", "PYTHONASYNCIODEBUG": "1"},
        {"noise": 4},
    ),
}


def record_drawn(seeds, workspace: Path) -> list[dict]:
    return [record_tree(draw_program(random.Random(seed)), workspace) for seed in seeds]


def rerun(recorded, directory: Path, environment, noise, python=sys.executable, *, load=False):
    """Replay in a fresh process, elsewhere, perhaps beside one that keeps the processor busy."""
    directory.mkdir(exist_ok=True)
    job = {"collect_every": 0, "backwards": False, "recorded": recorded} | noise
    (directory / "job.json").write_text(json.dumps(job))
    busy = subprocess.Popen([python, "-c", "while True: pass"]) if load else None
    try:
        done = subprocess.run(
            [python, "-m", "tests.determinism.rerun", str(directory / "job.json")],
            cwd=directory,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | environment,
            capture_output=True,
            text=True,
            timeout=50,
        )
    finally:
        if busy is not None:
            busy.kill()
            busy.wait()
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return record_drawn(range(1000, 1010), tmp_path_factory.mktemp("workspace"))


@pytest.mark.sample(2)
@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_replay_is_identical_and_has_the_same_schedule_in_another_process(
    name, recorded, tmp_path
):
    environment, noise = PERTURBATIONS[name]
    found = rerun(recorded, tmp_path / "elsewhere", environment, noise, load=True)
    assert found["wrong"] == []
    assert found["replayed"] == len(recorded)


def test_the_drawn_programs_reach_what_is_hard(recorded):
    kinds = {kind for each in recorded for kind in _kinds(each["tree"])}
    assert {"spin", "failing_group", "thread", "as_completed", "first"} <= kinds
    assert max(each["callbacks"] for each in recorded) > 4096
    assert sum(each["events"] for each in recorded) > 300


def _kinds(block):
    for step in block:
        yield step[0]
        for value in step[1:]:
            if isinstance(value, list):
                inner = value if value and isinstance(value[0][0], list) else [value]
                for each in inner:
                    yield from _kinds(each)


@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.parametrize("batch", range(20))
def test_many_programs_replay_identically_under_noise(batch, tmp_path):
    first = 2000 + 20 * batch
    recorded = record_drawn(range(first, first + 20), tmp_path)
    for number, (environment, noise) in enumerate(MORE_PERTURBATIONS.values()):
        shifted = noise | {"noise": first + number}
        found = rerun(recorded, tmp_path / f"place{number}", environment, shifted)
        assert found["wrong"] == []
