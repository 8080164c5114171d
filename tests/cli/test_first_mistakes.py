"""What goes wrong for people who use the command for the first time is said plainly."""

from __future__ import annotations

import pytest

import replay
from replay.errors import NotFoundError, UsageError

FAILS = """\
import time
print(time.time())
def work(number):
    return 1 / number
work(0)
"""


def test_a_file_that_cannot_be_imported_is_the_programs_fault(place):
    place.write("broken.py", "async def main():\n    pass\n\n1 / 0\n")

    ran = place.run("run", "broken.py")

    assert ran.code == 1
    assert "ZeroDivisionError" in ran.err
    assert "broken.py:4" in ran.err
    assert "mistake in ritornello" not in ran.err


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("async def main():\n    open('ran', 'w')\n\nasyncio.run(main())\n", 1, "an event loop"),
        ("open('ran', 'w').write('done')\n", 4, "no function 'main'"),
    ],
)
def test_a_program_that_is_taken_for_a_workflow_does_nothing_unrecorded(place, text, code, words):
    place.write("program.py", f"import asyncio\n{text}")

    ran = place.run("run", "program.py")

    assert (ran.code, ran.out) == (code, "")
    assert words in ran.err
    assert "record -- python program.py" in ran.err
    assert not (place.path / "ran").exists()


def test_a_stopped_recording_is_no_usage_error(place):
    place.write("forks.py", "import os\nos.fork()\n")

    ran = place.run("record", "--", "python", "forks.py")

    assert ran.code == 1
    assert "os.fork" in ran.err
    assert "python forks.py" in place.look("runs").out


@pytest.mark.full
def test_a_replay_shows_how_the_program_failed_as_the_recording_did(place):
    place.write("fails.py", FAILS)

    recorded = place.run("record", "--", "python", "fails.py")
    replayed = place.run("replay", "last")

    assert (recorded.code, replayed.code) == (1, 0)
    assert "ZeroDivisionError" in recorded.err
    assert "ZeroDivisionError" in replayed.err
    assert "fails.py" in replayed.err


@pytest.mark.full
def test_a_program_that_fails_now_is_shown_with_its_line(place):
    file = place.write("fails.py", FAILS.replace("work(0)", "work(1)"))
    place.run("record", "--", "python", "fails.py")
    file.write_text(FAILS)

    ran = place.run("replay", "last")

    assert ran.code == 1
    assert "ZeroDivisionError" in ran.err
    assert "replayed at" in ran.err
    assert "fails.py:4" in ran.err


def test_a_changed_print_is_shown_with_its_line_and_without_positions(place):
    file = place.write("says.py", "print('one')\nprint('two')\n")
    place.run("record", "--", "python", "says.py")
    file.write_text("print('one')\nprint('three')\n")

    ran = place.run("replay", "last")

    assert "marks" not in ran.err
    assert "says.py:1" in ran.err


def test_a_directory_is_no_workspace_because_it_is_there_and_is_not_hidden_from_git(place):
    assert place.run("verify", "--workspace", str(place.path)).code == 4
    place.write("mine.txt", "work")
    program = place.write("says.py", "print('one')\n")

    ran = place.run("record", "--workspace", ".", "--", "python", program)

    assert ran.code == 0
    assert not (place.path / ".gitignore").exists()


def test_a_directory_is_no_run_and_a_bundle_is_exported_already(place):
    assert "directory" in place.run("verify", ".").err
    place.write("run.ritornello", "no bundle")
    assert "bundle already" in place.run("export", "run.ritornello", "-o", "x.ritornello").err
    assert "no such directory" in place.run("export", "last", "-o", "no/x.ritornello").err


def test_the_library_takes_ordinary_functions_and_recordings(tmp_path):
    recording = replay.record(lambda: 7, workspace=tmp_path / "w")

    report = replay.replay(recording, lambda: 7)

    assert recording.result() == 7
    assert report.verdict == "identical"


def test_a_coroutine_is_no_function(tmp_path):
    async def main():
        pass

    with pytest.raises(UsageError, match="where a function is wanted"):
        replay.record(main(), workspace=tmp_path / "w")
    with pytest.raises(NotFoundError, match="directory"):
        replay.replay(tmp_path, main)
