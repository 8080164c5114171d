"""What the launcher reads in a record before it starts anything."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import pytest

import replay
from replay.errors import IntegrityError, NotFoundError, SetupError, UsageError
from replay.session.child_start import START
from replay.session.command_line import Command, engine_root
from replay.session.launcher import launch_recording, launch_replay, program_of
from replay.session.messages import Call
from tests.support.recordings import run_started


async def said():
    await asyncio.sleep(0)
    return "said"


def started(entry, *arguments):
    import msgspec

    return msgspec.structs.replace(run_started(), entry=entry, arguments=arguments)


def test_a_hash_seed_that_is_none_is_damage_and_nothing_is_started(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "0\nEVIL=1")
    replay.record(said, workspace=tmp_path / "runs")

    with pytest.raises(IntegrityError, match="PYTHONHASHSEED"):
        launch_replay("last", tmp_path / "runs")


def test_a_function_is_found_in_the_directory_where_the_replay_is_asked_for(tmp_path):
    (tmp_path / "flow.py").write_text("")

    program = program_of(started("flow.py:Box.review", '["a"]'), tmp_path)

    assert program == Call(file="flow.py", function="Box.review", arguments='["a"]')


@pytest.mark.parametrize(
    ("entry", "kind"),
    [("flow.py:main", NotFoundError), ("nonsense", UsageError), ("module:main", UsageError)],
)
def test_an_entry_that_cannot_be_started_is_refused(tmp_path, entry, kind):
    with pytest.raises(kind):
        program_of(started(entry), tmp_path)


def test_a_directory_that_is_not_there_is_named(tmp_path):
    replay.record(said, workspace=tmp_path / "runs")

    with pytest.raises(NotFoundError) as missing:
        launch_replay("last", tmp_path / "runs", directory=tmp_path / "absent")

    assert missing.value.where == str(tmp_path / "absent")


def test_a_process_that_is_killed_before_the_engine_is_up_ends_with_its_signal(tmp_path):
    other = tmp_path / "python3"
    other.write_text("#!/bin/sh\nkill -KILL $$\n")
    other.chmod(0o700)
    command = Command(python=str(other), flags=(), form="code", target="pass", arguments=())

    outcome = launch_recording(command, tmp_path / "runs")

    assert (outcome.exit_code, outcome.killed_by, outcome.answer) == (137, 9, None)
    assert not (tmp_path / "runs").exists()


def test_an_interrupt_while_the_engine_is_loaded_ends_by_its_signal_and_says_nothing():
    interrupting = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'replay.session': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", interrupting + START, str(engine_root()), "0", "1"],
        capture_output=True,
        timeout=50,
        check=False,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, b"", b"")


def test_an_interpreter_that_does_not_start_or_has_no_engine_is_named(tmp_path):
    other = tmp_path / "python3"
    other.write_text("#!/bin/sh\nexit 9\n")

    def command():
        return Command(python=str(other), flags=(), form="code", target="pass", arguments=())

    with pytest.raises(SetupError, match="cannot be started"):
        launch_recording(command(), tmp_path / "runs")
    other.chmod(0o700)
    with pytest.raises(UsageError, match="did not come up"):
        launch_recording(command(), tmp_path / "runs")

    assert not (tmp_path / "runs").exists()
