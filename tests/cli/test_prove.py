"""`ritornello record --prove`, and the coverage that a recording says of itself."""

from __future__ import annotations

import pytest

READS = """\
import os, pathlib, random, subprocess, sys, threading, time, uuid
print(time.time(), uuid.uuid4(), os.environ.get("HOME"), os.getcwd(), random.random())
print(pathlib.Path("input.txt").read_text())
print(subprocess.check_output([sys.executable, "-c", "print(1)"]))
threads = [threading.Thread(target=print, args=(n,)) for n in range(3)]
for thread in threads:
    thread.start()
"""

ADDRESS = "print(id(object()))\n"
SET_OF_TEXT = "print(list({'a', 'b', 'c', 'd', 'e', 'f'}))\n"
GAP = """\
import sqlite3
with sqlite3.connect("data.db") as db:
    db.execute("create table t (x)")
"""


@pytest.mark.timeout(180)
def test_what_reads_its_surroundings_through_the_doors_is_proven(place):
    place.write("program.py", READS)
    place.write("input.txt", "what was asked\n")

    ran = place.run("record", "--json", "--prove", "--", "python", "program.py")

    assert ran.code == 0, ran.err
    assert [trial["report"]["verdict"] for trial in ran.report["proof"]["trials"]] == [
        "identical",
        "identical",
    ]
    captured = ran.report["coverage"]["captured"]
    assert {"time_ns", "urandom", "env", "file", "process"} <= set(captured)
    assert [gap for gap in ran.report["coverage"]["gaps"] if not gap["loaded"]] == []


@pytest.mark.full
@pytest.mark.timeout(180)
def test_what_shows_an_address_is_not_proven_and_its_record_is_named(place):
    place.write("program.py", ADDRESS)

    ran = place.run("record", "--prove", "--", "python", "program.py")

    assert ran.code == 1
    assert "not proven" in ran.err
    assert "OutputWritten" in ran.err


@pytest.mark.full
@pytest.mark.timeout(180)
def test_what_goes_through_a_set_of_text_is_proven_with_a_word_of_warning(place):
    place.write("program.py", SET_OF_TEXT)

    ran = place.run("record", "--prove", "--", "python", "program.py")

    assert ran.code == 0
    assert "PYTHONHASHSEED" in ran.err


def test_a_run_whose_replay_cannot_be_made_is_told_of_all_the_same(place):
    place.write("program.py", "import os\nos.remove(__file__)\n")

    ran = place.run("record", "--prove", "--", "python", "program.py")

    assert ran.code == 4
    assert "completed" in ran.err
    assert "not-found: " in ran.err


def test_a_gap_is_listed_with_its_library_and_call_site_in_the_recording_and_later(place):
    place.write("program.py", GAP)

    ran = place.run("record", "--prove", "--", "python", "program.py")
    shown = place.look("show", "last", "--json")

    assert ran.code == 6, "as a replay that is refused"
    assert "not proven: its replay is refused" in ran.err
    assert "not captured: sqlite3: data.db" in ran.err
    assert "program.py:2" in ran.err
    (gap,) = [gap for gap in shown.report["coverage"]["gaps"] if not gap["loaded"]]
    assert (gap["what"], gap["name"]) == ("sqlite3", "data.db")
    assert "program.py:2" in gap["site"]
    assert shown.report["coverage"]["reads"] == shown.report["coverage"]["answered"] + 1
