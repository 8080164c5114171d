"""The kernel's guard, put up in processes of its own: it cannot be taken off again."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"},
    reason="the guard is for Linux",
)

START = """
import errno, os, socket, sys, threading
from pathlib import Path
from replay.guard import kernel
from replay.guard.kernel import guard_process

def error_of(call):
    try:
        call()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
"""


def ran(body, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", START + body, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_what_is_closed_is_closed_for_all_threads_and_the_rest_goes_on(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    told = ran(
        """
inside = Path(sys.argv[1])
waiting, go = threading.Event(), threading.Event()
before = threading.Thread(target=lambda: (go.wait(), print(error_of(socket.socket))))
before.start()
guard = guard_process([inside])
print(guard.calls, guard.files, guard.notes)
go.set()
before.join()
after = threading.Thread(target=lambda: print(error_of(os.fork)))
after.start()
after.join()
print(error_of(lambda: (inside.parent / "made").write_text("x")))
print(error_of(lambda: (inside / "made").write_text("x")))
print(error_of(lambda: (inside / "made").rename(inside.parent / "moved")))
print(error_of(lambda: (inside / "made").rename(inside / "moved")))
print(error_of(lambda: Path(os.devnull).write_text("x")))
print(error_of(lambda: os.kill(os.getppid(), 0)), error_of(lambda: os.kill(os.getpid(), 0)))
left, right = socket.socketpair()
left.sendall(b"pair")
print(right.recv(4))
""",
        inside,
    )

    assert told == [
        "True True ()",
        "EPERM",
        "EPERM",
        "EACCES",
        "done",
        "EACCES",
        "done",
        "done",
        "EPERM done",
        "b'pair'",
    ]
    assert (inside / "moved").read_text() == "x"


def test_a_guard_that_does_not_hold_is_not_believed():
    told = ran("""
kernel.install_filter = lambda program, machine: None
kernel.restrict_writing = lambda machine, version, writable: None
guard = guard_process()
print(guard.calls, guard.files)
print(*guard.notes, sep="\\n")
""")

    assert told[0] == "False False"
    assert "writing files (a file could be opened for writing)" in told[1]
    assert "system calls (socket was let through)" in told[2]


def test_without_landlock_the_filter_stands_and_a_note_says_so():
    told = ran("""
kernel.landlock_version = lambda machine: 0
guard = guard_process()
print(guard.calls, guard.files, *guard.notes, sep="\\n")
""")

    assert told[:2] == ["True", "False"]
    assert "it has no Landlock" in told[2]


def test_on_an_unknown_machine_nothing_is_installed():
    told = ran("""
kernel.platform.machine = lambda: "riscv64"
guard = guard_process()
print(guard.calls, guard.files, error_of(lambda: socket.socket().close()), *guard.notes)
""")

    assert told[0].startswith("False False done the kernel's guard is known for Linux")


def test_a_process_dies_with_the_one_that_started_it(tmp_path):
    """The parent is killed; the child waits for ever, and its end closes the pipe."""
    reading, writing = os.pipe()
    child = (
        START
        + """
kernel.die_with_parent()
os.write(int(sys.argv[1]), b"up")
threading.Event().wait()
"""
    )
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys; subprocess.run(sys.argv[1:], close_fds=False)",
            *[sys.executable, "-c", child, str(writing)],
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        pass_fds=(writing,),
    )
    os.close(writing)
    try:
        assert os.read(reading, 2) == b"up"
    finally:
        parent.kill()
        parent.wait()

    assert os.read(reading, 2) == b""
    os.close(reading)
