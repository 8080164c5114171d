"""Each way out in ``docs/reference/hermetic.md``: it has an effect live, and none in a replay."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from replay.session.command_line import parse_command
from replay.session.launcher import launch_recording, launch_replay
from replay.session.messages import Replayed
from tests.fault.ways_out import BASE, WAYS, program
from tests.fault.world import World

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "hermetic.md"
_ROW = re.compile(
    r"\| (?P<way>[^|]+) \| `(?P<id>[^`|]+)` \| (?P<kernel>\w+) \| (?P<process>\w+) \|"
)


def _table():
    _, _, table = PAGE.read_text().partition("<!-- ways out:")
    return {row["id"]: row.groupdict() for row in map(_ROW.fullmatch, table.splitlines()) if row}


TABLE = _table()
HOOKED = [name for name, row in TABLE.items() if row["process"] != "passes"]
#: Replays many changed programs in one process, as a library does.
DRIVER = """
import json, sys
from pathlib import Path
from replay.session.opening import open_run
from replay.session.replay import replay_log
run, workspace, *files = sys.argv[1:]
for file in files:
    code = compile(Path(file).read_text(), file, "exec")
    reader = open_run(run, workspace=workspace)
    report = replay_log(reader, lambda: exec(code, {"__name__": "__main__"}), dialects=())
    reader.close()
    told = [report.verdict, report.guard, report.live_effects, report.refused_attempts]
    print(json.dumps([Path(file).stem, *told]), file=sys.stderr, flush=True)
"""


def _has_kernel_guard():
    return sys.platform == "linux" and platform.machine() in {"x86_64", "aarch64"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with one run: of the program before it was changed."""
    place = tmp_path_factory.mktemp("recorded")
    (place / "agent.py").write_text(program(BASE, ""))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        command = parse_command([sys.executable, "agent.py"])
        assert launch_recording(command, place / "runs").exit_code == 0
    return place / "runs"


@pytest.fixture
def world(tmp_path):
    with World(tmp_path) as world:
        yield world


def _live(file):
    done = subprocess.run(
        [sys.executable, file], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


def test_the_page_and_the_programs_name_the_same_ways():
    assert list(TABLE) == list(WAYS)
    assert len(TABLE) >= 24


@pytest.mark.sample(3)
@pytest.mark.parametrize("way", WAYS)
def test_a_way_out_has_an_effect_live_and_none_in_a_replay(way, workspace, tmp_path, world, capfd):
    if TABLE[way]["process"] == "passes" and not _has_kernel_guard():
        pytest.skip("only the kernel's guard stops this")
    agent = tmp_path / "agent.py"
    agent.write_text(program(WAYS[way], world.constants))

    launched = launch_replay("last", workspace, directory=tmp_path)
    said = capfd.readouterr()
    replayed = world.effects(expected=False, said=said.out)
    live = _live(agent)
    if "there is no io_uring here" in live:
        pytest.skip("the system has no io_uring")

    assert replayed == []
    assert world.effects(expected=True, said=live), live
    assert isinstance(launched.answer, Replayed), said.err
    report = launched.answer.report
    assert report.live_effects == 0
    assert report.verdict in {"identical", "refused", "diverged"}
    stopped = TABLE[way]["kernel"]
    if _has_kernel_guard():
        assert report.guard == "kernel", report.notes
    if stopped == "name":
        assert report.refused_attempts or report.verdict != "identical"
    else:
        assert report.refused_attempts == 0


@pytest.mark.full
def test_the_hooks_alone_stop_what_the_page_says_they_do(workspace, tmp_path):
    worlds, files = {}, []
    try:
        for way in HOOKED:
            place = tmp_path / way
            place.mkdir()
            worlds[way] = World(place)
            file = tmp_path / f"{way}.py"
            file.write_text(program(WAYS[way], worlds[way].constants))
            files.append(str(file))
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, "last", str(workspace), *files],
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("[")]

        assert [name for name, *_ in told] == HOOKED, done.stderr
        for name, verdict, guard, live_effects, refused in told:
            assert (name, guard, live_effects) == (name, "process", 0)
            assert TABLE[name]["process"] != "name" or refused or verdict != "identical", name
            assert (name, worlds[name].effects(expected=False, said="")) == (name, [])
        assert "got" not in done.stdout
    finally:
        for world in worlds.values():
            world.__exit__()
