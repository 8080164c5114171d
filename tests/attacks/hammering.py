"""One of the processes of the hammer test: writes runs, or reads, verifies and exports them.

``python -m tests.attacks.hammering write|read|verify|export WORKSPACE COUNT``. Ends with 0 and one
line of JSON: how often it did its work, and what it saw that must not be.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import sys
import time
from pathlib import Path

import replay
from orchestrator.cli.export import export_run
from replay.bundle import BundleReader
from replay.errors import IntegrityError, LogError, NotFoundError
from replay.log.duckdb_store import DuckDBStore
from replay.log.fsck import check
from replay.log.head import read_head
from replay.log.workspace import Workspace
from tests.support import second_reader

BUNDLE = "hammered.ritornello"
STOP = "stop"
#: In this house a log that is being written is locked: who reads waits its turn, and is told so.
BUSY = (LogError, NotFoundError)


async def _step(number):
    await asyncio.sleep(0)
    return time.time_ns() + number


async def _program():
    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(_step(number))
    print("done")


def write(place, count):
    """Record runs, one after another."""
    for _ in range(count):
        with contextlib.redirect_stdout(io.StringIO()):
            replay.record(_program, workspace=place).result()
    return count, []


def until_stopped(place, work):
    """Do something until the writers are done, and once more after that."""
    done, wrong = 0, []
    while True:
        last = (place / STOP).exists()
        try:
            work(place, wrong)
            done += 1
        except BUSY:
            pass
        except IntegrityError as error:
            wrong.append(f"{type(error).__name__}: {error.message} {error.where}")
        if last or len(wrong) > 20:
            return done, wrong
        time.sleep(0.01)


def read(place, wrong):
    """Check the workspace log: contiguous, of one root, never shorter than it was."""
    found = Workspace.open(place, create=False).verify()
    if found.integrity != "ok":
        wrong.append(f"workspace: {found.findings[:2]}")


def verify(place, wrong):
    """Check each run that is not being written, and the bundle that is there just now."""
    for run in Workspace.open(place, create=False).runs():
        directory = place / "runs" / run.run
        try:
            head = read_head(directory)
            store = DuckDBStore.open(directory, read_only=True)
        except BUSY:
            continue
        try:
            checked = check(store, head=head)
        finally:
            store.close()
        if checked.integrity != "ok":
            wrong.append(f"{run.run}: {checked.findings[:2]}")
        if run.state == "closed" and checked.completeness != "sealed":
            wrong.append(f"{run.run}: closed, and {checked.completeness}")
    bundle = place / BUNDLE
    with contextlib.suppress(FileNotFoundError):
        with BundleReader.open(bundle) as reader:
            reader.verify()
        if not second_reader.holds(bundle):
            wrong.append("the second reader refuses the bundle")


def export(place, wrong):
    """Write the last run that is whole over the bundle that is there."""
    workspace = Workspace.open(place, create=False)
    closed = [run.run for run in workspace.runs() if run.state == "closed"]
    if closed:
        export_run(closed[-1], workspace, place / BUNDLE)


def main():
    what, workspace, count = sys.argv[1:]
    place = Path(workspace)
    if what == "write":
        done, wrong = write(place, int(count))
    else:
        done, wrong = until_stopped(place, {"read": read, "verify": verify, "export": export}[what])
    sys.stdout.write(json.dumps({"what": what, "done": done, "wrong": wrong}) + "\n")


if __name__ == "__main__":
    main()
