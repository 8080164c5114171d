"""Fresh processes for recorded tests: one for a test file, and a fork of it for each test."""

import sys

import pytest

from tests.support import plugin_suite as suite

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are made on Linux")

#: What a process finds out once is read in the first test of each process only.
TESTS = """
import functools
import os
import random
import threading
import time

import pytest

with open(os.environ["LIVE"], "a") as file:
    file.write("collected\\n")
if "THREAD" in os.environ:
    threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
seen = []


@functools.cache
def found_once():
    return os.environ.get("HOME"), random.random()


@pytest.fixture(scope="session", autouse=True)
def kept(tmp_path_factory):
    note = tmp_path_factory.mktemp("kept") / str(os.getpid())
    note.touch()
    return note


@pytest.mark.ritornello
@pytest.mark.parametrize("number", [1, 2, 3])
def test_alone(number):
    seen.append(number)
    print(found_once(), os.getpid())
    assert seen == [number]


def test_not_marked(kept):
    assert kept.exists()
"""

ENDING = """
import os

import pytest


@pytest.mark.ritornello
def test_ending():
    os._exit(7)
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    directory = tmp_path_factory.mktemp("prepared")
    (directory / "pytest.ini").write_text("[pytest]\n")
    (directory / "test_a.py").write_text(TESTS)
    (directory / "test_ending.py").write_text(ENDING)
    return directory, suite.run(directory, "--basetemp=made"), suite.lines_live(directory)


def test_the_tests_of_a_file_are_recorded_apart_and_their_file_is_collected_once(recorded):
    _, done, collected = recorded

    assert "4 passed" in done.stdout
    # By the session itself, and by the one process that is prepared.
    assert len(collected) == 2


def test_a_test_that_ends_its_process_is_told_with_the_exit_code(recorded):
    _, done, _ = recorded

    assert "1 failed" in done.stdout
    assert "its own process ended before the test" in done.stdout
    assert "exit code 7" in done.stdout


@pytest.mark.parametrize(("more", "times"), [({}, 2), ({"THREAD": "1"}, 3)], ids=["fork", "thread"])
def test_each_is_judged_in_a_process_without_the_others(recorded, more, times):
    directory, _, _ = recorded
    before = len(suite.lines_live(directory))

    # The second and the third differ beside the first; a process with threads is not forked.
    done = suite.run(directory, "--ritornello=none", "--basetemp=made", "test_a.py", **more)

    # The last finds that the session's own temporary directories are still there.
    assert "4 passed" in done.stdout, done.stdout
    assert len(suite.lines_live(directory)) - before == times
