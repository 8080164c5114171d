"""Fresh processes for recorded tests: one for a test file, and a fork of it for each test."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from replay.bundle.reader import BundleReader
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


@pytest.fixture
def cut(pytestconfig):
    # As a kill that comes while a report is being written.
    for plugin in pytestconfig.pluginmanager.get_plugins():
        task = getattr(plugin, "_task", None)
        if task is not None:
            task.reports.write_text('{"nodeid": "test_ending.py::test_c')
            os._exit(9)


@pytest.mark.ritornello
def test_cut(cut):
    pass


def test_behind_it():
    pass
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

    assert "5 passed" in done.stdout
    # By the session itself, and by the one process that is prepared.
    assert len(collected) == 2


def test_a_test_that_ends_its_process_is_told_with_the_exit_code(recorded):
    _, done, _ = recorded

    assert "2 failed" in done.stdout
    assert done.stdout.count("ritornello: its own process ended before the test\n") == 2
    assert "exit code 7" in done.stdout
    assert "exit code 9" in done.stdout


@pytest.mark.sample(2)
@pytest.mark.parametrize(("more", "times"), [({}, 2), ({"THREAD": "1"}, 3)], ids=["fork", "thread"])
def test_each_is_judged_in_a_process_without_the_others(recorded, more, times):
    directory, _, _ = recorded
    before = len(suite.lines_live(directory))

    # The second and the third differ beside the first; a process with threads is not forked.
    done = suite.run(directory, "--ritornello=none", "--basetemp=made", "test_a.py", **more)

    # The last finds that the session's own temporary directories are still there.
    assert "4 passed" in done.stdout, done.stdout
    assert len(suite.lines_live(directory)) - before == times


WAITING = """
import sys, time
from orchestrator.testing.recordings.prepared import Orders

orders = Orders(sys.argv[1])
orders.first()
orders.serve(lambda order: time.sleep(1000), lambda: True)
"""


def test_a_fork_ends_with_the_session_that_ordered_it():
    (its_orders, orders), (answers, its_answers) = os.pipe(), os.pipe()
    told = [json.dumps({}), json.dumps({"node": "test_a"})]
    with os.fdopen(orders, "w") as say, os.fdopen(answers) as hear:
        process = subprocess.Popen(
            [sys.executable, "-c", WAITING, f"{its_orders},{its_answers}"],
            pass_fds=(its_orders, its_answers),
        )
        os.close(its_orders)
        os.close(its_answers)
        say.write("\n".join(told) + "\n")
        say.flush()
        ready, started = json.loads(hear.readline()), json.loads(hear.readline())

    assert ready == {"ready": True}
    try:
        process.wait(30)  # the session is gone
    except subprocess.TimeoutExpired:
        os.kill(started["process"], 9)
        raise
    with pytest.raises(ProcessLookupError):
        os.kill(started["process"], 0)


INSTALLED = """
import sys, pytest
sys.path.remove("")
sys.exit(pytest.console_main())
"""


def test_a_fresh_process_judges_the_copy_that_the_session_would(tmp_path):
    for place, who in (("site", "installed"), ("tree", "beside")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "tide_program.py").write_text(f"WHO = {who!r}\n")
    tests = tmp_path / "tree" / "tests"
    tests.mkdir()
    (tests / "pytest.ini").write_text("[pytest]\n")
    (tests / "test_who.py").write_text(
        "import pytest, tide_program\n\n\n@pytest.mark.ritornello\ndef test_who():\n"
        "    assert tide_program.WHO == 'installed'\n"
    )
    paths = os.pathsep.join([str(tmp_path / "site"), str(Path(__file__).parents[5])])

    done = subprocess.run(
        [sys.executable, "-c", INSTALLED, *suite.options(), "tests"],
        cwd=tmp_path / "tree",
        env=suite.surroundings(tmp_path, PYTHONPATH=paths),
        capture_output=True,
        text=True,
        timeout=200,
    )

    assert "1 passed" in done.stdout, done.stdout


CAPTURING = """
import pytest


@pytest.mark.ritornello
def test_capfd(capfd):
    print("one")
    assert capfd.readouterr().out == "one\\n"
"""


def test_files_of_the_capture_are_in_no_record(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_a.py").write_text(CAPTURING)

    live = suite.run(tmp_path)

    assert "1 passed" in live.stdout, live.stdout
    reader = BundleReader.open(tmp_path / "recordings" / "test_a" / "test_capfd.ritornello")
    with contextlib.closing(reader):
        readings = [each for each in reader.entries() if each.header.kind == "ReadingsTaken"]
    assert len(readings) == 1  # the variables that pytest asks for


LOGGING = """
import logging
import random

import pytest

random.seed(7)


@pytest.fixture
def case():
    return random.randrange(10**9)


def test_before():
    logging.warning("one")


@pytest.mark.ritornello
def test_seeded(case):
    logging.warning("two")
    print(case)


def test_after():
    logging.warning("three")
"""


@pytest.mark.full
def test_a_seed_of_a_test_file_holds_and_its_session_keeps_its_log_file(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\nlog_file = log.txt\n")
    (tmp_path / "test_a.py").write_text(LOGGING)

    live = suite.run(tmp_path)
    lines = (tmp_path / "log.txt").read_text().splitlines()
    again = suite.run(tmp_path, "--ritornello=none")

    assert "3 passed" in live.stdout, live.stdout
    assert [line.split()[-1] for line in lines] == ["one", "three"]
    assert "3 passed" in again.stdout, again.stdout
