"""What a way out leaves behind is found; what leads nowhere is not."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="other systems do not tell")


def found(body, *arguments):
    """What a new process finds after it did something."""
    program = (
        "import os, socket, subprocess, sys\nfrom replay.guard.census import Census\n"
        "before = Census.take((sys.argv[1],))\n"
        f"{body}\n"
        "print(*Census.take((sys.argv[1],)).new_since(before), sep='\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("kept = socket.socket()", "a socket"),
        ("kept = socket.socket(socket.AF_UNIX); kept.bind('\\0census')", "a socket"),
        ("kept = open(sys.argv[2], 'w')", "a file open for writing"),
        ("kept = subprocess.Popen(['sleep', '9'], stdout=-3, stderr=-3)", "a child process"),
        ("subprocess.run(['true'])", "a child process that ended"),
    ],
)
def test_what_leads_out_is_found(body, expected, tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "outside").touch()

    told = found(body, tmp_path / "inside", tmp_path / "outside")

    assert [line.startswith(expected) for line in told] == [True]


def test_what_leads_nowhere_is_not_found(tmp_path):
    body = (
        "kept = socket.socketpair(), os.pipe(), open(os.devnull, 'w'), open(sys.executable)"
        ", open(sys.argv[1] + '/made', 'w'), os.memfd_create('x')"
    )

    assert found(body, tmp_path) == [""]


def test_threads_that_end_meanwhile_hide_nothing(tmp_path):
    body = (
        "import threading, time\n"
        "sys.setswitchinterval(1e-6)\n"
        "kept = subprocess.Popen(['sleep', '9'])\n"
        "ended = threading.Event()\n"
        "def churn():\n"
        "    while not ended.is_set():\n"
        "        short = [threading.Thread(target=time.sleep, args=(1e-4,)) for _ in range(20)]\n"
        "        [thread.start() for thread in short]; [thread.join() for thread in short]\n"
        "churning = threading.Thread(target=churn, daemon=True); churning.start()\n"
        "told = {tuple(Census.take((sys.argv[1],)).new_since(before)) for _ in range(200)}\n"
        "ended.set(); churning.join()\n"
        "assert told == {(f'a child process: {kept.pid}',)}, told\n"
        "kept.kill()"
    )

    assert [line.split(":")[0] for line in found(body, tmp_path)] == ["a child process"]
