"""Programs of threads, recorded once and replayed in processes that differ in everything else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.determinism.test_perturbed_processes import MORE_PERTURBATIONS, PERTURBATIONS
from tests.determinism.thread_programs import differences, program, record_drawn

ROOT = Path(__file__).parents[2]


def rerun(recorded, workspace, directory, environment, noise, python=sys.executable):
    directory.mkdir(exist_ok=True)
    job = {"collect_every": 0, "recorded": recorded, "workspace": str(workspace)} | noise
    (directory / "job.json").write_text(json.dumps(job))
    done = subprocess.run(
        [python, "-m", "tests.determinism.thread_programs", str(directory / "job.json")],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.rpartition("RESULT ")[2])


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module")
def recorded(workspace):
    return record_drawn(range(12), workspace)


def test_drawn_programs_of_threads_replay_identically_here(recorded, workspace, capsys):
    assert sum(each["events"] for each in recorded) > 300
    assert differences(recorded, workspace) == []


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_they_replay_identically_in_another_process(name, recorded, workspace, tmp_path):
    environment, noise = PERTURBATIONS[name]
    found = rerun(recorded, workspace, tmp_path / "elsewhere", environment, noise)
    assert found["wrong"] == []
    assert found["replayed"] == len(recorded)


def test_without_a_schedule_the_same_programs_vary(capsys):
    """The negative twin: what an ordinary interpreter makes of them."""
    outputs = set()
    for _ in range(6):
        program(3)()
        outputs.add(capsys.readouterr().out)
    assert len(outputs) > 1


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("batch", range(5))
def test_many_programs_of_threads_replay_identically_under_noise(batch, tmp_path):
    recorded = record_drawn(range(100 + 30 * batch, 130 + 30 * batch), tmp_path / "workspace")
    for number, (environment, noise) in enumerate(MORE_PERTURBATIONS.values()):
        shifted = noise | {"noise": 100 * batch + number}
        place = tmp_path / f"place{number}"
        found = rerun(recorded, tmp_path / "workspace", place, environment, shifted)
        assert found["wrong"] == []
