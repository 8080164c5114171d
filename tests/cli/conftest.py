"""The command in processes of its own, in a directory of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli.__main__ import main

ROOT = Path(__file__).parents[2]

#: Reads a clock, chance and the environment, and runs three named tasks.
PROGRAM = """\
import asyncio, os, random, sys, time

async def child(number):
    await asyncio.sleep(0.001 * number)
    return time.time()

async def main():
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(child(n), name=f"child-{n}") for n in range(3)]
    print("said", random.random(), [task.result() for task in tasks], sys.argv[1:])

asyncio.run(main())
"""


class Ran:
    """What a command came to."""

    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    @property
    def report(self):
        return json.loads(self.out)


class Place:
    """A directory in which the command is used."""

    def __init__(self, path):
        self.path = path

    def write(self, name, text):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def run(self, *arguments, env=(), cwd=None):
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            **dict(env),
        }
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator.cli", *map(str, arguments)],
            cwd=cwd or self.path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def look(self, *arguments):
        """Run a verb that starts no program, in this process: it costs a tenth."""
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        before = sys.argv
        sys.argv = ["ritornello", *map(str, arguments)]
        code = 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                with contextlib.chdir(self.path):
                    main()
            except SystemExit as end:
                code = end.code or 0
            finally:
                sys.argv = before
        texts = []
        for stream in (out, err):
            stream.flush()
            texts.append(stream.buffer.getvalue().decode())
        return Ran(code, *texts)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """A directory with a recorded program and its bundle, for tests that only look."""
    shared = Place(tmp_path_factory.mktemp("recorded"))
    shared.write("agent.py", PROGRAM)
    shared.recording = shared.run("record", "--", "python", "agent.py", "--topic", "tides")
    shared.export = shared.run("export", "last", "-o", "run.ritornello", "--json")
    return shared
