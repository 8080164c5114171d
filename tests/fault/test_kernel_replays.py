"""What a program may do goes on under the kernel's guard, and replays as it did."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"},
    reason="the guard is for Linux",
)

#: Threads of Python and of C, timers, signals to itself, pairs of sockets, files in the overlay.
PROGRAM = """\
import asyncio, faulthandler, os, signal, socket, threading
from concurrent.futures import ThreadPoolExecutor

import duckdb

faulthandler.enable()
faulthandler.dump_traceback_later(600)
faulthandler.cancel_dump_traceback_later()
os.register_at_fork(before=print)

async def main():
    print(await asyncio.to_thread(sum, range(5)))
    with ThreadPoolExecutor(3) as pool:
        print(sorted(pool.map(abs, range(-3, 0))))
    worker = threading.Thread(target=print, args=("from a thread",))
    worker.start()
    worker.join()
    left, right = socket.socketpair()
    left.sendall(b"pair")
    print(right.recv(4))
    left.close(), right.close()
    base = duckdb.connect(config={"threads": 4})
    print(base.execute("select sum(range) from range(1000000)").fetchone())
    base.close()

asyncio.run(main())
with open("written.txt", "w") as file:
    file.write("score")
with open("written.txt") as file:
    print(file.read())
"""


def ritornello(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    place = tmp_path_factory.mktemp("program")
    (place / "agent.py").write_text(PROGRAM)
    done = ritornello("record", "--", sys.executable, "agent.py", cwd=place)
    assert done.returncode == 0, done.stderr
    (place / "written.txt").write_text("changed since")
    return place


@pytest.mark.parametrize("options", [(), ("--keep", "--out", "written")])
def test_threads_and_files_of_a_program_go_on(recorded, options):
    done = ritornello("replay", "last", "--json", *options, cwd=recorded)

    report = json.loads(done.stdout)
    assert (report["verdict"], report["guard"]) == ("identical", "kernel"), done.stderr
    assert report["live_effects"] == report["refused_attempts"] == 0
    assert report["notes"] == []
    assert (recorded / "written.txt").read_text() == "changed since"
    if options:
        assert (recorded / "written" / "written.txt").read_text() == "score"
        assert list(Path(recorded, report["kept"]).glob("log.duckdb"))


def test_a_diverged_program_that_imports_a_probing_library_is_not_called_refused(recorded):
    elsewhere = recorded / "changed"
    elsewhere.mkdir()
    (elsewhere / "agent.py").write_text("import requests\nprint('something else')\n")

    done = ritornello("replay", "last", "--json", "--in", "changed", cwd=recorded)

    report = json.loads(done.stdout)
    assert report["verdict"] == "diverged"
    assert report["refused_attempts"] >= 1
    assert report["live_effects"] == 0
