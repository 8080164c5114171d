"""`ritornello diff`: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
import os
import shutil

import pytest

CHANGED = """\
import asyncio, sys

async def child(number):
    await asyncio.sleep(0)
    return number * FACTOR

async def main():
    tasks = [asyncio.create_task(child(n), name=f"child-{n}") for n in range(3)]
    for task in tasks:
        print("said", await task, sys.argv[1:])

FACTOR = 1
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def two(recorded):
    """The shared recording, and two of another program that differ in what they print."""
    for factor in (1, 2):
        recorded.write("two.py", CHANGED.replace("FACTOR = 1", f"FACTOR = {factor}"))
        recorded.run("record", "--workspace", "two", "--", "python", "two.py")
    listed = recorded.look("runs", "--workspace", "two", "--json").report["runs"]
    recorded.two = [run["run"] for run in listed]
    return recorded


def diff(place, *arguments):
    return place.look("diff", *arguments, "--workspace", "two")


def test_a_run_and_its_bundle_are_the_same(recorded):
    ran = recorded.look("diff", "run.ritornello", "last")

    assert (ran.code, ran.err) == (0, "")
    assert "same: " in ran.out


def test_runs_that_differ_end_with_one_and_begin_with_the_first_divergence(two):
    ran = diff(two, *two.two)

    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[2].startswith("different: ")
    assert lines[4] == "first divergence: output (the output was another one)"
    assert "said [-1-]{+2+} []" in ran.out
    assert "\x1b" not in ran.out


def test_json_is_one_object_of_its_schema(two):
    ran = diff(two, *two.two, "--json")

    assert ran.code == 1
    assert ran.report["schema"] == "ritornello/diff/1"
    assert ran.report["verdict"] == "different"
    assert ran.report["first"]["class"] == "output"
    assert {"source=urandom", "kind=WireObserved"} <= {use["rule"] for use in ran.report["rules"]}


def test_what_is_ignored_is_no_difference(two):
    two.write("rules.txt", "# what it says\nkind=OutputWritten\n")

    assert diff(two, *two.two, "--ignore", "kind=OutputWritten field=body").code == 0
    assert diff(two, *two.two, "--ignore-file", "rules.txt").code == 0
    assert diff(two, *two.two, "--ignore", "kind=FileRead").code == 1
    assert diff(two, two.two[0], two.two[0], "--no-default-rules").code == 0
    assert diff(two, *two.two, "--no-default-rules").code == 1


def test_all_lists_the_rules(two):
    assert "kind=RunStarted field=seed" in diff(two, *two.two, "--all").out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("last", "0000"), 4, "not-found: "),
        (("last", "nothing.ritornello"), 4, "where: nothing.ritornello"),
        (("last", "."), 4, "not-found: "),
        (("last", "last", "--ignore", "kind=Nothing"), 2, "column 6"),
        (("last", "last", "--ignore-file", "bad.txt"), 2, "bad.txt, line 2, column 1"),
        (("last", "last", "--ignore-file", "binary.txt"), 2, "binary.txt, byte 0"),
        (("last", "last", "--ignore-file", "none.txt"), 4, "none.txt"),
        (("last", "last", "--html", "two.py"), 2, "two.py"),
        (("last", "last", "--html", "."), 2, "directory"),
        (("last", "last", "--html", "no/such/page.html"), 4, "page.html"),
        (("last",), 2, "missing argument"),
    ],
)
def test_bad_input_is_named_with_its_code(two, arguments, code, said):
    two.write("bad.txt", "\nkind\n")
    (two.path / "binary.txt").write_bytes(b"\xff")
    ran = diff(two, *arguments)

    assert ran.code == code
    assert said in ran.err
    assert ran.out == ""


def test_damage_on_either_side_ends_with_three(two, tmp_path):
    whole = (two.path / "run.ritornello").read_bytes()
    broken = bytearray(whole)
    broken[len(broken) // 2] ^= 1
    bad = tmp_path / "bad.ritornello"
    bad.write_bytes(broken)

    assert two.look("diff", "run.ritornello", bad).code == 3
    assert two.look("diff", bad, "run.ritornello").code == 3


@pytest.mark.full
def test_a_killed_run_is_compared_as_far_as_it_goes(two):
    endless = CHANGED.replace("asyncio.run(main())", "asyncio.run(main()); import os; os._exit(9)")
    two.write("killed.py", endless)
    two.run("record", "--workspace", "two", "--", "python", "killed.py")
    try:
        ran = diff(two, two.two[0], "last", "--json")

        assert ran.code == 1
        assert ran.report["b"]["reason"] is None
        assert ran.report["only_b"] == 0
    finally:
        name = ran.report["b"]["run"]
        shutil.rmtree(two.path / "two" / "runs" / name)


def test_a_page_is_written_whole_and_over_an_earlier_one_only(two):
    page = two.path / "difference.html"
    for _ in range(2):
        assert diff(two, *two.two, "--html", page).code == 1

    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert "First divergence: output" in text
    assert "<script" not in text
    assert sorted(each.name for each in two.path.glob(".*.new")) == []
    assert json.loads(diff(two, *two.two, "--json", "--html", page).out)["verdict"] == "different"


def test_a_page_that_cannot_be_written_is_refused_at_once(two, tmp_path):
    """A pipe would be waited for; the name of a file beside the page is nobody's business."""
    os.mkfifo(tmp_path / "pipe")

    pipe = diff(two, *two.two, "--html", tmp_path / "pipe")
    nowhere = diff(two, *two.two, "--html", "nowhere/page.html")

    assert (pipe.code, pipe.out) == (2, "")
    assert "no regular file" in pipe.err
    assert (nowhere.code, nowhere.out) == (4, "")
    assert "  where: nowhere/page.html\n" in nowhere.err
