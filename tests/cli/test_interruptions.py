"""Ctrl-C wherever it comes ends the command as interrupted, and no answer becomes another one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from replay.log.workspace import Workspace
from tests.cli.conftest import ROOT

#: As a terminal does: the program's process is interrupted, and the command waits for it.
BEGUN = "print('begun')\n"
INTERRUPTED = "import ctypes, time\nctypes.CDLL(None)['raise'](2)\ntime.sleep(20)\n"


@pytest.fixture
def changed(place):
    """A recorded program, and one in its place that is interrupted."""
    place.write("agent.py", BEGUN)
    assert place.run("record", "--", sys.executable, "agent.py").code == 0
    place.write("agent.py", BEGUN + INTERRUPTED)
    return place


@pytest.mark.parametrize("words", [(), ("--at", "0", "--yes")], ids=["find", "look"])
def test_an_interrupted_fork_ends_as_any_verb_does(changed, words):
    ended = changed.run("fork", "last", *words)

    assert ended.code == 130, ended.err
    assert "ended" not in ended.err
    assert len(Workspace.open(changed.path / ".ritornello").runs()) == 1


def test_an_interrupt_while_the_interpreter_ends_does_not_change_the_answer(place):
    program = (
        "import atexit, os, signal, sys, threading\n"
        "atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "from orchestrator.cli.__main__ import main\n"
        "sys.argv = ['ritornello', '--version']\n"
        "main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=place.path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, "")


def test_no_program_is_started_with_what_opens_the_keys(place):
    place.write("agent.py", "import os\nprint(os.environ.get('RITORNELLO_KEY_PASSPHRASE'))\n")
    secret = {"RITORNELLO_KEY_PASSPHRASE": "correct horse battery"}

    recorded = place.run("record", "--", sys.executable, "agent.py", env=secret)
    replayed = place.run("replay", "last", env=secret)

    assert (recorded.out, replayed.out) == ("None\n", "None\n")
    assert (recorded.code, replayed.code) == (0, 0)
    assert b"battery" not in b"".join(
        file.read_bytes() for file in (place.path / ".ritornello").rglob("*") if file.is_file()
    )
