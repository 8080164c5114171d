"""`ritornello fork` asks on a terminal, and does what it is told there."""

from __future__ import annotations

import os
import pty
import sys

import pytest

from replay.events.workspace_kinds import RunAdmitted
from replay.log.workspace import Workspace
from tests.fault.resuming.cutting import cut, entries_of
from tests.fault.resuming.scene import Scene, look
from tests.support.attested import policy_text

pytestmark = [pytest.mark.timeout(120), pytest.mark.full]

PROGRAM = """\
import asyncio, random, replay

@replay.effect
async def ask(question):
    return f"{question} {random.randrange(10**9)}"

async def main():
    async with asyncio.TaskGroup() as group:
        for name in ("one", "two"):
            group.create_task(ask(name), name=name).add_done_callback(lambda t: print(t.result()))

asyncio.run(main())
"""


@pytest.fixture
def scene(tmp_path):
    found = Scene(tmp_path)
    (tmp_path / "agents.py").write_text(PROGRAM)
    assert found.run("record", "--", sys.executable, "agents.py").code == 0
    (tmp_path / "agents.py").write_text(PROGRAM.replace("ask(name), name", "ask(name * 2), name"))
    return found


@pytest.mark.parametrize(
    ("answer", "code", "runs"), [(b"y\n", 0, 2), (b"n\n", 6, 1), (b"\n", 6, 1)]
)
def test_a_person_is_asked(scene, answer, code, runs):
    controller, terminal = pty.openpty()
    process = scene.start("fork", "last", stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    said = b""
    while b"[y/N]" not in said:
        said += os.read(controller, 4096)
    assert b"2 of other kinds will go out at least" in said
    os.write(controller, answer)
    while True:
        try:
            more = os.read(controller, 4096)
        except OSError:
            break
        if not more:
            break
        said += more
    assert process.wait(60) == code
    os.close(controller)
    assert len(list((scene.path / ".ritornello" / "runs").iterdir())) == runs
    assert (b"nothing was done" in said) == (code == 6)


def test_a_fork_says_what_it_is_a_fork_of(scene):
    parent = scene.run_directory.name
    forked = scene.run("fork", "last", "--yes", "--json")
    assert forked.code == 0, forked.err
    assert forked.report["fork"]["forked_from"] == parent
    assert f"fork of    {parent}" in look(scene.path, "show", forked.report["fork"]["run"])
    assert "fork of" not in look(scene.path, "show", parent)
    events = look(scene.path, "diff", parent, "last")
    assert "one" in events


def test_what_policies_decided_about_a_fork_and_a_resume_is_said_and_stands_in_the_log(scene):
    scene.path.joinpath("ritornello.policy.toml").write_text(policy_text([], trust="observe"))
    parent = scene.run_directory
    fork = scene.run("fork", "last", "--yes", "--json")
    half = entries_of(parent)[: len(entries_of(parent)) - 4]
    cut(half, parent.name, len(half), scene.path / "other")
    (scene.path / "agents.py").write_text(PROGRAM)
    resume = scene.run("resume", "last", "--workspace", "other", "--json")

    for ran, place, action in ((fork, ".ritornello", "fork"), (resume, "other", "resume")):
        assert ran.code == 0, ran.err
        (decision,) = ran.report["admission"]["decisions"]
        assert (decision["artifact"]["kind"], decision["judged"]) == ("code", "allow")
        payloads = Workspace.open(scene.path / place, create=False).payloads()
        (said,) = [payload for _, payload in payloads if isinstance(payload, RunAdmitted)]
        assert (said.action, said.subject, said.mode) == (action, "code", "observe")
        assert scene.run("verify", "--workspace", place).code == 0
