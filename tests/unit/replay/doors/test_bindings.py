"""Everything that is answered is answered however a program holds it, on each supported Python."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from replay.doors.surroundings.answering import KEPT
from replay.doors.surroundings.readings import all_openings
from tests.support.interpreters import interpreter_of
from tools.answers_reference import PAGE, check_page, generated

ROOT = Path(__file__).parents[4]
SCRIPT = Path(__file__).with_name("binding_forms.py")


def result_of(minor, doors):
    done = subprocess.run(
        [interpreter_of(f"3.{minor}"), SCRIPT, doors],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("minor", [11, 12, 13, 14])
def test_each_function_is_answered_under_every_binding(minor):
    found = result_of(minor, "doors")

    assert found["failed"] == []
    assert found["missing"] == []  # no opening without a row in the script's table
    assert (found["minor"], found["tried"] > 800) == (minor, True)


def test_without_the_doors_not_one_is_answered():
    found = result_of(sys.version_info.minor, "no doors")

    assert len(found["failed"]) == found["tried"] > 700


@pytest.mark.skipif(sys.platform != "linux", reason="the page lists what Linux has")
def test_each_function_is_documented():
    page = generated()

    assert check_page(ROOT), f"{PAGE} is old: python -m tools.answers_reference --write"
    for opening in all_openings():
        assert f"`{opening.name}`" in page
        assert ("once a run" in page) or not opening.source.startswith(KEPT)
