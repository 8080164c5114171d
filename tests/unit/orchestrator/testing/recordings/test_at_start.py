"""What a process was when pytest was up, and when a fork of it is as good as a fresh one."""

import subprocess
import sys

import pytest

#: One thread, and nothing of the tests around it.
PROGRAM = """
import sys
from pathlib import Path
{before}
from orchestrator.testing.recordings.at_start import AtStart
noted = AtStart.noted(Path.cwd())
{after}
print(noted.may_fork(), "-P" in noted.interpreter_options(), noted.interpreter_options())
"""


def _said(directory, before="", after="", options=()):
    (directory / "data").write_text("low\n")
    done = subprocess.run(
        [sys.executable, *options, "-c", PROGRAM.format(before=before, after=after)],
        cwd=directory,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="forks are made on Linux")
@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("import ssl, asyncio, tempfile; tempfile.TemporaryFile().close()", True),
        ("open('data').close(); null = open('/dev/null')", True),
        ("file = open('data')", False),
        ("import socket; server = socket.create_server(('127.0.0.1', 0))", False),
        ("import asyncio; loop = asyncio.new_event_loop()", False),
        ("import random; random.seed(7)", False),
        ("import random; random.seed(7); random.random()", False),
        ("import random; random.getrandbits(24)", True),  # as rich does when it is imported
        ("import random; [random.random() for _ in range(3000)]", True),
        ("import _thread, time; _thread.start_new_thread(time.sleep, (100,))", False),
    ],
    ids=[
        "imports",
        "closed",
        "file",
        "socket",
        "loop",
        "seed",
        "seed, drawn",
        "drawn",
        "often",
        "thread",
    ],
)
def test_what_forks_would_share_or_lose_is_not_forked(tmp_path, after, expected):
    assert _said(tmp_path, after=after).split()[0] == str(expected)


def test_another_python_looks_for_modules_where_this_one_does(tmp_path):
    beside = _said(tmp_path)
    elsewhere = _said(tmp_path, before="sys.path.remove('')")

    assert " False [" in beside
    assert " True [" in elsewhere


def test_another_python_has_the_options_of_this_one(tmp_path):
    said = _said(tmp_path, options=("-X", "utf8=1", "-W", "error::FutureWarning"))

    assert "'utf8=1'" in said
    assert "'-Werror::FutureWarning'" in said
