"""Replays for CI: several bundles in one call, reports for other tools, and bisecting."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project(recorded, tmp_path_factory):
    """A directory with the program, a good bundle and an altered one."""
    place = type(recorded)(tmp_path_factory.mktemp("ci"))
    data = (recorded.path / "run.ritornello").read_bytes()
    changed = bytearray(data)
    changed[len(data) // 2] ^= 1
    place.write("agent.py", (recorded.path / "agent.py").read_text())
    (place.path / "bundles/.hidden").mkdir(parents=True)
    (place.path / "bundles/good.ritornello").write_bytes(data)
    (place.path / "bundles/.hidden/other.ritornello").write_bytes(changed)
    (place.path / "altered").mkdir()
    (place.path / "altered/bad.ritornello").write_bytes(changed)
    return place


def test_a_good_bundle_passes_and_an_altered_one_fails_and_all_are_judged(project):
    passed = project.run("replay", "bundles", "--junit", "new/out.xml", "--sarif", "new/out.sarif")
    failed = project.look("replay", "altered", "nowhere.ritornello", "--junit", "x.xml")

    assert passed.code == 0, passed.err
    suites = ET.parse(project.path / "new/out.xml").getroot()
    assert (suites.get("tests"), suites.get("failures"), suites.get("errors")) == ("1", "0", "0")
    assert json.loads((project.path / "new/out.sarif").read_text())["runs"][0]["results"] == []
    assert "::" not in passed.err
    assert failed.code == 3
    suites = ET.parse(project.path / "x.xml").getroot()
    assert (suites.get("tests"), suites.get("failures"), suites.get("errors")) == ("2", "1", "1")
    [case] = [case for case in suites.iter("testcase") if case.find("failure") is not None]
    assert case.get("name") == "altered/bad.ritornello"


def test_in_github_actions_a_difference_is_an_annotation_on_its_line(project):
    text = (project.path / "agent.py").read_text()
    changed = text.replace("    print(", "    print('::error::forged', flush=True)\n    print(")
    project.write("changed/agent.py", changed)
    line = changed.splitlines().index("    print('::error::forged', flush=True)") + 1
    environment = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(project.path / "summary.md"),
        "GITHUB_WORKSPACE": str(project.path),
    }

    ran = project.run(
        "replay", "bundles", "--in", "changed", "--json", "--sarif", "s.json", env=environment
    )
    silent = project.look("replay", "no-such-run", "--no-github")

    assert ran.code == 1
    # The program's own lines stand where nothing is a command.
    lines = ran.err.splitlines()
    token = lines[0].removeprefix("::stop-commands::")
    end = lines.index(f"::{token}::")
    assert len(token) == 32
    [annotation] = [each for each in lines[end + 1 :] if each.startswith("::")]
    [sort] = [each["divergence"]["class"] for each in ran.report["replays"]]
    where = f"file=changed/agent.py,line={line}"
    assert annotation.startswith(f"::error {where},title=ritornello diverged ({sort})::")
    assert all(not each.startswith("::error") for each in lines[:end] if "forged" not in each)
    assert "0 of 1 identical" in (project.path / "summary.md").read_text()
    [result] = json.loads((project.path / "s.json").read_text())["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "changed/agent.py"
    assert place["region"]["startLine"] == line
    assert result["properties"]["class"] == sort
    assert ran.report["verdict"] == "diverged"
    assert ran.report["exit_code"] == 1
    assert [each["subject"] for each in ran.report["replays"]] == ["bundles/good.ritornello"]
    assert "::" not in silent.err


def test_what_cannot_be_asked_for_is_refused_before_anything_runs(project):
    (project.path / "empty").mkdir(exist_ok=True)

    assert project.look("replay", "empty").code == 4
    assert project.look("replay", "bundles", "--out", "o").code == 2
    assert project.look("replay", "altered", "--junit", "empty").code == 2
    os.mkfifo(project.path / "pipe")
    assert project.look("replay", "altered", "--junit", "pipe").code == 2
    assert project.look("replay", "altered", "--sarif", "pipe").code == 2
    both = project.look("replay", "altered", "--junit", "a", "--sarif", "empty/../a")
    assert (both.code, "name one file" in both.err) == (2, True)
    assert project.look("replay").code == 2


# --- git bisect -----------------------------------------------------------------------------------

COMMAND = [sys.executable, "-m", "orchestrator.cli"]
WORDS = "def words(number):\n    return ['said', number]\n"
AGENT = """\
import random
from words import words

print(*words(random.random()))
"""


@pytest.mark.full
def test_a_program_that_cannot_be_loaded_is_different_but_no_answer_for_git(place):
    place.write("agent.py", AGENT)
    words = place.write("words.py", WORDS)
    place.run("record", "--", "python", "agent.py")
    words.write_text("def words(:\n")

    plain = place.run("replay", "last", "--json")
    words.unlink()
    missing = place.run("replay", "last", "--bisect")

    assert plain.code == 1
    assert plain.report["verdict"] == "diverged"
    assert "words" in plain.report["unloadable"]
    assert missing.code == 125
    assert "No module named 'words'" in missing.err


@pytest.mark.full
def test_git_bisect_finds_the_culprit_and_blames_no_commit_that_cannot_run(place):
    place.write("agent.py", AGENT)
    place.write("words.py", WORDS)
    place.run("record", "--", "python", "agent.py")
    place.look("export", "last", "-o", "sum.ritornello")
    good = (place.path / "sum.ritornello").read_bytes()
    (place.path / ".ritornello").rename(place.path.parent / f"{place.path.name}-runs")
    (place.path / ".gitignore").write_text("__pycache__/\n")

    def git(*arguments):
        command = ["git", "-c", "user.name=n", "-c", "user.email=n@example.invalid", *arguments]
        return subprocess.run(
            command, cwd=place.path, check=True, capture_output=True, text=True
        ).stdout

    def commit(name):
        git("add", "-A")
        git("commit", "-qm", name)

    git("init", "-q", ".")
    commit("good")
    git("tag", "good")
    broken = {
        "a comment": lambda: place.write("agent.py", AGENT + "# one\n"),
        "no Python": lambda: place.write("words.py", "def words(:\n"),
        "a file is missing": lambda: (place.path / "words.py").unlink(),
        "the bundle is damaged": lambda: (
            place.write("words.py", WORDS),
            (place.path / "sum.ritornello").write_bytes(good[:-9]),
        ),
        "the program is missing": lambda: (
            (place.path / "sum.ritornello").write_bytes(good),
            (place.path / "agent.py").unlink(),
        ),
        "all is back": lambda: place.write("agent.py", AGENT + "# two\n"),
        "culprit": lambda: place.write("words.py", WORDS.replace("said", "SAID")),
        "another comment": lambda: place.write("agent.py", AGENT + "# three\n"),
    }
    for name, change in broken.items():
        change()
        commit(name)

    git("bisect", "start", "HEAD", "good")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    ran = subprocess.run(
        ["git", "bisect", "run", *COMMAND, "replay", "sum.ritornello", "--bisect"],
        cwd=place.path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert git("log", "-1", "--format=%s", "refs/bisect/bad").strip() == "culprit"
    judged = git("bisect", "log")
    assert judged.count("git bisect skip") >= 1
    for name in ("no Python", "a file is missing", "the bundle is damaged"):
        git("checkout", "-q", f":/{name}")
        assert place.run("replay", "sum.ritornello", "--bisect").code == 125, name
