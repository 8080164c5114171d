"""A disk that is full, a directory that may not be written, a clock that is set back."""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Place
from tests.fault.test_kills import Durable

ROOT = Path(__file__).parents[2]
_DROP_CAPABILITY = 24
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2

#: Prints what came of each effect; the answers take up the disk.
PROGRAM = """\
from replay import effect

@effect(name="look up")
def look_up(number):
    return {"number": number, "text": f"{number:06d} " * 1500}

for number in range(400):
    print(look_up(number)["number"], flush=True)
"""


def _as_anybody():
    """Let permissions of files hold for this process, whoever it belongs to."""
    libc = ctypes.CDLL(None)
    for capability in (_DAC_OVERRIDE, _DAC_READ_SEARCH):
        libc.prctl(_DROP_CAPABILITY, capability)


def command(place, *arguments, env=(), preexec=None):
    return subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", *map(str, arguments)],
        cwd=place.path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            **dict(env),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        preexec_fn=preexec,
    )


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with room for a beginning."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=900k", "none", str(disk)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no file system may be mounted here: {done.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def remount(disk, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)


def test_a_disk_that_gets_full_ends_the_recording_and_keeps_all_that_was_shown(place, small_disk):
    place.write("agent.py", PROGRAM)
    workspace = small_disk / "w"

    ran = command(place, "record", "--workspace", workspace, "--", "python", "agent.py")

    assert ran.returncode == 4
    assert "the disk is full" in ran.stderr or "No space left" in ran.stderr
    assert str(workspace) in ran.stderr
    assert "Traceback" not in ran.stderr
    shown = [int(line) for line in ran.stdout.split()]
    assert shown == list(range(len(shown)))
    assert len(shown) > 5
    # Looking needs no room, and finds an open run with all that was shown.
    verified = place.look("verify", "last", "--workspace", workspace, "--json")
    assert (verified.code, verified.report["integrity"]) == (1, "ok")
    assert verified.report["completeness"] == "open"
    (directory,) = (workspace / "runs").iterdir()
    assert set(shown) <= Durable(directory).returned


@pytest.mark.full
def test_a_full_disk_is_named_before_the_program_begins_and_forgotten_with_room_again(
    place, small_disk
):
    place.write("agent.py", "print('began')")
    arguments = ("record", "--workspace", small_disk / "w", "--", "python", "agent.py")
    assert command(place, *arguments).returncode == 0
    (small_disk / "rest").write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 8192))

    refused = command(place, *arguments)
    remount(small_disk, "size=20m")
    again = command(place, *arguments)

    assert (refused.returncode, refused.stdout) == (4, "")
    assert "No space left" in refused.stderr
    assert (again.returncode, again.stdout) == (0, "began\n")
    assert place.look("verify", "last", "--workspace", small_disk / "w").code == 0


@pytest.mark.full
def test_a_bundle_that_finds_no_room_leaves_nothing_behind(place, small_disk):
    place.write("agent.py", PROGRAM.replace("range(400)", "range(60)").replace("* 1500", ""))
    assert command(place, "record", "--", "python", "agent.py").returncode == 0
    (small_disk / "rest").write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 8192))

    ran = command(place, "export", "last", "-o", small_disk / "run.ritornello")

    assert ran.returncode == 4
    assert "No space left" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert [path.name for path in small_disk.iterdir()] == ["rest"]
    assert place.look("verify", "last").code == 0


@pytest.mark.parametrize(
    "mode", ["of the project", pytest.param("of the workspace", marks=pytest.mark.full)]
)
def test_a_directory_that_may_not_be_written_is_named_before_the_program_begins(place, mode):
    place.write("agent.py", "print('began')")
    shut = place.path
    if mode == "of the workspace":
        assert command(place, "record", "--", "python", "agent.py").returncode == 0
        shut = place.path / ".ritornello"
    before = sorted(path.name for path in shut.rglob("*"))
    for path in (shut, *shut.rglob("*")):
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        ran = command(place, "record", "--", "python", "agent.py", preexec=_as_anybody)
        after = sorted(path.name for path in shut.rglob("*"))
    finally:
        for path in (shut, *shut.rglob("*")):
            path.chmod(0o700)

    assert (ran.returncode, ran.stdout) == (4, "")
    assert "Permission denied" in ran.stderr
    assert str(place.path) in ran.stderr
    assert after == before


@pytest.mark.full
def test_a_file_system_that_is_read_only_is_named_and_can_be_read(place, small_disk):
    place.write("agent.py", "print('began')")
    workspace = small_disk / "w"
    recorded = command(place, "record", "--workspace", workspace, "--", "python", "agent.py")
    assert recorded.returncode == 0
    remount(small_disk, "ro")

    ran = command(place, "record", "--workspace", workspace, "--", "python", "agent.py")
    assert (ran.returncode, ran.stdout) == (4, "")
    assert "Read-only file system" in ran.stderr
    assert place.look("verify", "last", "--workspace", workspace).code == 0
    assert place.look("events", "last", "--workspace", workspace).code == 0


# --- the clock ------------------------------------------------------------------------------------

#: Sets the wall clock back by an hour, again and again; the monotonic clock goes on.
BACKWARDS = """\
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
static int calls;
int clock_gettime(clockid_t id, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(id, t);
    if (id == CLOCK_REALTIME) t->tv_sec -= 3600 * (__sync_fetch_and_add(&calls, 1) / 4);
    return code;
}
"""
PARALLEL = """\
import asyncio, time

async def agent(number, after):
    if after:
        await asyncio.wait(after)
    seen = []
    for _ in range(4):
        seen.append(time.time())
        await asyncio.sleep(0.001)
    return seen

async def main():
    first = [asyncio.create_task(agent(n, []), name=f"first-{n}") for n in range(3)]
    last = asyncio.create_task(agent(9, first), name="last")
    seen = [task.result() for task in first if await asyncio.wait([task])] + [await last]
    print("went back", any(b < a for each in seen for a, b in zip(each, each[1:])))

asyncio.run(main())
"""


def test_the_order_of_events_holds_although_the_clock_is_set_back(place):
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("the clock of a process is set back by a library, which takes a C compiler")
    place.write("back.c", BACKWARDS)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", place.path / "back.so", place.path / "back.c", "-ldl"],
        check=True,
    )
    place.write("agent.py", PARALLEL)

    ran = command(
        place,
        *("record", "--", "python", "agent.py"),
        env={"LD_PRELOAD": str(place.path / "back.so")},
    )

    assert (ran.returncode, ran.stdout) == (0, "went back True\n")
    events = [each["header"] for each in place.look("events", "last", "--json").report["events"]]
    times = [header["time"] for header in events]
    assert times == sorted(times)
    assert place.look("verify", "last").code == 0
    orders = {
        (one, other): place.look("events", "last", "--order", one, other).out.strip()
        for one, other in itertools.permutations(["first-0", "first-1", "first-2", "last"], 2)
    }
    for (one, other), order in orders.items():
        expected = {"last": ("after", "before")}.get(one, ("concurrent", "concurrent"))
        if other == "last":
            expected = ("before", "after")
        assert order.split()[-1] == expected[0], (one, other, order)
    replayed = command(place, "replay", "last")
    assert (replayed.returncode, replayed.stdout) == (0, "went back True\n")


@pytest.fixture
def place(tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    return Place(project)
