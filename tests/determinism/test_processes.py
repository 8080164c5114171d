"""Programs that start other programs, recorded by the command and replayed where none is left."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(120)

#: Every answer differs each time: process numbers, clocks, and a file that grows.
PROGRAM = """\
import asyncio, subprocess, sys

TOOL = sys.argv[1]

def one(*arguments, **options):
    return subprocess.check_output([TOOL, *arguments], text=True, **options).strip()

async def two():
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(three(n)) for n in "abc"]
    print([task.result() for task in tasks])

async def three(name):
    process = await asyncio.create_subprocess_exec(
        TOOL, name, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, _ = await process.communicate(name.encode())
    return out.decode().split()

print(subprocess.run(["git", "--version"], capture_output=True, text=True).stdout)
print(one("first"), one("second", input="some words"))
print(subprocess.check_output(["sh", "-c", "echo $$; date +%N"], text=True))
print(subprocess.check_output([sys.executable, "-c", "import os; print(os.urandom(4))"]))
asyncio.run(two())
subprocess.run([TOOL, "inherited"], check=True)
"""
TOOL = """\
#!/bin/sh
echo "$1 $$ $(date +%N) $(wc -c)"
echo "$1" >> "$(dirname "$0")/marker"
"""
ANYIO = """\
import anyio

async def main():
    done = await anyio.run_process(["sh", "-c", "echo $$; cat; echo aside >&2"], input=b"given")
    print(done.stdout, done.stderr, done.returncode)
    async with await anyio.open_process(["cat"]) as process:
        await process.stdin.send(b"a word")
        print(await process.stdout.receive())
        await process.stdin.aclose()
        print(await process.wait())

anyio.run(main)
"""
GIT = """\
import git, sys

command = git.Git(sys.argv[1])
print(command.version(), command.version_info)
repository = git.Repo(sys.argv[1])
print(repository.head.commit.message, repository.is_dirty())
print(repository.git.log("--format=%H %an"))
print(next(iter(repository.iter_commits())).stats.total)
"""


class Place:
    """A directory in which programs are recorded and replayed."""

    def __init__(self, path):
        self.path = path
        self.bin = path / "bin"
        self.bin.mkdir()
        self.tool = self.bin / "tool"
        self.tool.write_text(TOOL)
        self.tool.chmod(0o700)

    @property
    def marker(self):
        return (self.bin / "marker").read_text()

    def ritornello(self, *arguments, **environment):
        return subprocess.run(
            [sys.executable, "-m", "orchestrator.cli", *map(str, arguments)],
            cwd=self.path,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def record(self, name, text, *arguments):
        (self.path / name).write_text(text)
        done = self.ritornello("record", "--", sys.executable, name, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def replay(self, **environment):
        done = self.ritornello("replay", "last", "--json", **environment)
        return json.loads(done.stdout), done.stderr


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_nothing_is_started_again_and_every_answer_comes_again(place):
    said = place.record("agent.py", PROGRAM, place.tool)
    grown = place.marker
    assert sorted(grown.split()) == ["a", "b", "c", "first", "inherited", "second"]
    place.tool.unlink()

    report, again = place.replay(PATH="/nowhere", TZ="Asia/Tokyo", LC_ALL="C", PYTHONHASHSEED="7")

    assert report["verdict"] == "identical"
    assert report["root_replayed"] == report["root_recorded"]
    assert report["live_effects"] == 0
    assert again == said
    assert place.marker == grown


def test_without_a_record_the_same_program_says_something_else_each_time(place):
    first = place.record("agent.py", PROGRAM, place.tool)
    second = place.record("agent.py", PROGRAM, place.tool)

    assert first != second
    assert len(place.marker.split()) == 12


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ('one("first")', 'one("other")', "ProcessStarted"),
        ("some words", "some other words", "ProcessFed"),
        ("communicate(name.encode())", "communicate(b'')", "TaskSpawned"),
        ('[TOOL, "inherited"]', '[TOOL, "inherited"], cwd="bin"', "ProcessStarted"),
    ],
)
def test_a_program_that_asks_otherwise_diverges_and_still_starts_nothing(place, old, new, kind):
    place.record("agent.py", PROGRAM, place.tool)
    grown = place.marker
    assert old in PROGRAM
    (place.path / "agent.py").write_text(PROGRAM.replace(old, new))

    report, _ = place.replay()

    assert report["verdict"] == "diverged"
    assert kind in {report["divergence"]["recorded_kind"], report["divergence"]["replayed_kind"]}
    assert place.marker == grown


def test_a_library_that_starts_processes_is_recorded_as_it_is(place):
    said = place.record("agent.py", ANYIO)

    report, again = place.replay(PATH="/nowhere")

    assert "given" in said
    assert "b'a word'" in said
    assert (report["verdict"], again) == ("identical", said)


@pytest.mark.skipif(
    importlib.util.find_spec("git") is None or shutil.which("git") is None,
    reason="GitPython and git are not here",
)
def test_a_repository_is_asked_by_a_library_and_answers_when_it_is_gone(place):
    repository = place.path / "repository"
    for arguments in (
        ("init", "-q", "repository"),
        ("-C", "repository", "config", "user.email", "a@b"),
        ("-C", "repository", "config", "user.name", "A Name"),
        ("-C", "repository", "commit", "-q", "--allow-empty", "-m", "the message"),
    ):
        subprocess.run(["git", *arguments], cwd=place.path, check=True)
    said = place.record("agent.py", GIT, "repository")
    assert "the message" in said
    assert "A Name" in said

    report, again = place.replay(PATH="/nowhere")

    assert (report["verdict"], again) == ("identical", said), report
    assert repository.is_dir()
