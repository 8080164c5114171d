"""The end of a launched program when the launcher does not live to see it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT

#: Busy, so that it does not end for want of anything to do, and deaf to polite requests.
PROGRAM = """\
import os, signal, time
for name in ("SIGTERM", "SIGHUP"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
with open("numbers", "w") as file:
    print(os.getpid(), os.getppid(), file=file)
os.rename("numbers", "up")
while True:
    time.sleep(0.01)
"""


def runs(pid):
    """Whether a process runs, and is not a dead one that nobody asked for."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def soon(what):
    """Wait for something that is to come true."""
    for _ in range(3000):
        if what():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc on this system")
@pytest.mark.parametrize("way", ["kernel", "pipe"])
def test_a_killed_launcher_takes_its_program_with_it(place, way):
    text = PROGRAM
    if way == "pipe":  # as where the kernel does not do it, or another process stands between
        text = "import ctypes; ctypes.CDLL(None).prctl(1, 0)\n" + text
    place.write("agent.py", text)
    launcher = subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli", "record", "--", sys.executable, "agent.py"],
        cwd=place.path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
    )
    try:
        assert soon((place.path / "up").exists)
        program, parent = map(int, (place.path / "up").read_text().split())
        assert runs(program)
        assert parent == launcher.pid
    finally:
        launcher.send_signal(signal.SIGKILL)
        launcher.wait()

    assert soon(lambda: not runs(program))


def test_a_resume_that_is_killed_again_says_what_to_try_as_a_recording_does(place):
    place.write("agent.py", "import os, time\ntime.time()\nos.kill(os.getpid(), 9)\n")

    recorded = place.run("record", "--", "python", "agent.py")
    resumed = place.run("resume", "last")

    assert (recorded.code, resumed.code) == (137, 137), recorded.err + resumed.err
    assert "try: `ritornello resume RUN` lets it go on" in recorded.err
    assert "try: `ritornello resume last` lets it go on" in resumed.err


def test_what_fork_refuses_is_told_as_its_own(place):
    place.write("agent.py", "print('one')\n")
    place.run("record", "--", "python", "agent.py")
    place.write("agent.py", "print('one'\n")

    refused = place.run("fork", "last", "--yes")

    assert refused.code == 6
    assert refused.err.startswith("fork: the run cannot be forked: "), refused.err


STUBBORN = """\
import replay, time

@replay.effect
def look(number):
    return number

while True:
    try:
        look(1)
        time.sleep(0.001)
        break
    except BaseException:
        continue
"""


@pytest.mark.full
def test_a_program_that_catches_everything_cannot_keep_its_verdict(place):
    file = place.write("stubborn.py", STUBBORN)
    assert place.run("record", "--", "python", "stubborn.py").code == 0
    file.write_text(STUBBORN.replace("look(1)", "look(2)"))

    ran = place.run("replay", "last", "--json")

    assert ran.code == 1
    assert ran.report["divergence"]["replayed_kind"] == "EffectStarted"
