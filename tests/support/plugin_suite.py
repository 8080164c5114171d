"""A small suite of recorded tests, and how it is run. What is live leaves a line in a file."""

from __future__ import annotations

import os
import subprocess
import sys

SECRET = "sk-ant-api03-" + "Zq7" * 12

SUITE = """
import logging
import os
import pathlib
import random
import sys
import threading

import pytest

import replay

HERE = pathlib.Path(__file__).parent


@replay.effect
async def ask(question):
    with open(os.environ["LIVE"], "a") as file:
        file.write(question + "\\n")
    return question + " " + str(random.randint(0, 10**9))


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("TIDE_API_KEY", "%s")


@pytest.mark.ritornello
async def test_an_answer_has_two_words(key):
    answer = await ask("tide?")
    print(answer, os.environ["TIDE_API_KEY"], threading.current_thread().name)
    assert len(answer.split()) == 2
    assert answer.split()[0] == "tide?"


@pytest.mark.ritornello
@pytest.mark.parametrize("name", ["../../../etc/passwd"])
def test_chance(name, request):
    assert random.random() < 1
    assert request.node.name.endswith("]")


class TestFiles:
    @pytest.mark.ritornello
    def test_written(self, tmp_path, capsys, caplog, monkeypatch, recwarn):
        (tmp_path / "note").write_text(str(random.random()))
        print("one")
        assert capsys.readouterr().out == "one\\n"
        print((tmp_path / "note").read_text(), tmp_path)
        assert str(tmp_path) in capsys.readouterr().out
        logging.warning("two")
        logging.info("unheard")
        assert caplog.messages == ["two"]
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        assert (HERE / "data.txt").read_text() == "low\\n"
"""


def write_suite(directory):
    """Put the suite into a directory."""
    (directory / "test_tides.py").write_text(SUITE % SECRET)
    (directory / "data.txt").write_text("low\n")
    (directory / "pytest.ini").write_text("[pytest]\n")


def options():
    """Only our plugin: each one more costs a tenth of a second in each process."""
    return ["-p", "orchestrator.testing.recordings.plugin", "-p", "no:cacheprovider"]


def surroundings(directory, **more):
    """Nothing of whoever runs these tests, CI or not."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COV_", "CI")) and name != "BUILD_NUMBER"
    }
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "LIVE": str(directory / "live.txt")}
    return environment | more


def run(directory, *arguments, **more):
    """Run pytest there, in a process of its own; return what it did."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options(), *arguments],
        cwd=directory,
        env=surroundings(directory, **more),
        capture_output=True,
        text=True,
        timeout=400,
    )


def lines_live(directory):
    """What was done live, in order."""
    file = directory / "live.txt"
    return file.read_text().splitlines() if file.exists() else []
