"""What should be a file and is a pipe is refused: nobody is waited for.

Each test would wait for ever where the defect is, so that runs in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from replay.errors import LogError
from replay.log.duckdb_store import DuckDBStore
from replay.log.lock import LOCK_NAME, is_written
from replay.log.regular_files import open_regular
from replay.log.workspace import Workspace
from tests.contract.entries import Chain

ROOT = Path(__file__).parents[4]
OPENING = """
import sys
from pathlib import Path
from replay.errors import LogError
from replay.log.duckdb_store import DuckDBStore
from replay.log.head import write_head
from replay.log.workspace import Workspace
from replay.tree import Checkpoint

place = Path(sys.argv[1])
doing = {
    "read": lambda: DuckDBStore.open(place).close(),
    "write": lambda: DuckDBStore.open(place, read_only=False).close(),
    "head": lambda: write_head(place, Checkpoint("ritornello/run/r", 1, bytes(32))),
    "runs": lambda: Workspace.open(place, create=False).runs(),
    "enter": lambda: Workspace.open(place).register("01JD", "f", 1),
}
try:
    doing[sys.argv[2]]()
except LogError as error:
    sys.exit(str(error))
"""


def opened(place, doing):
    """Open a run or a workspace in a process of its own, and return what that says at its end."""
    command = [sys.executable, "-c", OPENING, place, doing]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert ran.returncode == 1, ran.stderr
    return ran.stderr


@pytest.fixture
def run(tmp_path):
    store = DuckDBStore.create(tmp_path / "run")
    chain = Chain(7)
    store.append([chain.next() for _ in range(3)])
    store.close()
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("name", "doing"),
    [
        ("head", "read"),
        ("head", "write"),
        ("head.new", "head"),
        ("log.journal", "read"),
        ("log.journal", "write"),
        ("log.duckdb.wal", "read"),
        ("log.duckdb.wal", "write"),
        (LOCK_NAME, "read"),
        (LOCK_NAME, "write"),
    ],
)
def test_a_pipe_among_the_files_of_a_run_is_refused(run, name, doing):
    (run / name).unlink(missing_ok=True)
    os.mkfifo(run / name)

    assert "it is not a regular file" in opened(run, doing)


def test_a_pipe_in_the_place_of_the_log_itself_is_no_log(run):
    (run / "log.duckdb").unlink()
    os.mkfifo(run / "log.duckdb")

    assert "there is no log" in opened(run, "read")


@pytest.mark.parametrize(
    ("name", "doing"), [("workspace.log", "runs"), ("workspace.log", "enter"), ("head", "enter")]
)
def test_a_pipe_among_the_files_of_a_workspace_is_refused(tmp_path, name, doing):
    Workspace.open(tmp_path / "w").register("01JC", "f", 1)
    (tmp_path / "w" / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / "w" / name)

    assert "it is not a regular file" in opened(tmp_path / "w", doing)


def test_nobody_writes_a_run_whose_lock_is_a_pipe(tmp_path):
    os.mkfifo(tmp_path / LOCK_NAME)
    reading = os.open(tmp_path / LOCK_NAME, os.O_RDWR)  # so that not even the defect would wait

    assert not is_written(tmp_path)
    os.close(reading)


@pytest.mark.parametrize("name", ["head", LOCK_NAME, "log.journal"])
def test_a_link_among_the_files_of_a_run_is_not_followed(run, name, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"")
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(elsewhere)

    with pytest.raises(LogError, match="symbolic link"):
        DuckDBStore.open(run)


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(OSError, match="not a regular file"):
        open_regular(tmp_path, os.O_RDONLY)
    with pytest.raises(OSError, match="directory"):
        open_regular(tmp_path, os.O_WRONLY)
