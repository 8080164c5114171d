"""The same on other Python minors, where this machine has them and what the engine needs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.determinism.test_perturbed_processes import rerun

ROOT = Path(__file__).parents[2]
NEEDED = ("blake3", "duckdb", "httpx", "httpx2", "msgspec")


def _candidates(minor: str) -> list[str]:
    versions = Path.home() / ".pyenv" / "versions"
    named = os.environ.get(f"RITORNELLO_TEST_PYTHON_{minor.replace('.', '')}")
    found = [named, shutil.which(f"python{minor}")]
    found += [str(path / "bin" / "python3") for path in sorted(versions.glob(f"{minor}.*"))]
    return [path for path in found if path and Path(path).is_file()]


def _works(python: str, minor: str, modules=()) -> bool:
    code = f"import sys; assert sys.version.startswith('{minor}.')\n"
    code += "".join(f"import {name}\n" for name in modules)
    return subprocess.run([python, "-c", code], capture_output=True, timeout=30).returncode == 0


@pytest.fixture(params=["3.12", "3.13"])
def python(request, tmp_path_factory) -> str:
    """An interpreter of another minor with the engine's dependencies, made if it can be."""
    minor = request.param
    if sys.version.startswith(minor + "."):
        pytest.skip("this is the interpreter under test already")
    usable = [path for path in _candidates(minor) if _works(path, minor)]
    for path in usable:
        if _works(path, minor, NEEDED):
            return path
    if not usable:
        pytest.skip(f"no Python {minor} on this machine")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    place = cache / "ritornello-tests" / f"python{minor}"
    made = place / "bin" / "python"
    if not (made.is_file() and _works(str(made), minor, NEEDED)):
        subprocess.run([usable[0], "-m", "venv", "--clear", place], check=True, timeout=60)
        done = subprocess.run(
            [made, "-m", "pip", "install", "-q", *NEEDED], capture_output=True, timeout=240
        )
        if done.returncode:
            pytest.skip(f"the dependencies cannot be installed for Python {minor}")
    return str(made)


RECORD = """
import json, random, sys
from tests.determinism.programs import draw_program, record_tree
first, last, workspace = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
seeds = range(first, last)
recorded = [record_tree(draw_program(random.Random(s)), workspace) for s in seeds]
print(json.dumps(recorded))
"""


@pytest.mark.full
@pytest.mark.timeout(600)
def test_another_minor_records_and_replays_identically(python, tmp_path):
    arguments = ["3000", "3020", str(tmp_path / "workspace")]
    done = subprocess.run(
        [python, "-c", RECORD, *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "5"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    recorded = json.loads(done.stdout)
    assert len({json.dumps(each["tree"]) for each in recorded}) == len(recorded)
    for number, noise in enumerate(({"noise": 1}, {"noise": 2, "collect_every": 997})):
        environment = {"PYTHONHASHSEED": str(number)}
        found = rerun(recorded, tmp_path / f"place{number}", environment, noise, python)
        assert found["wrong"] == []
        assert found["replayed"] == len(recorded)
