"""A run that is killed and goes on, as a person does it: with the command, in processes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from orchestrator.cli.__main__ import main as command
from replay.errors import LogError
from replay.events.payload import decode_payload
from replay.log.duckdb_store import DuckDBStore
from replay.log.lock import LOCK_NAME, RunLock
from replay.sources.history import History

ROOT = Path(__file__).parents[3]
PROGRAMS = Path(__file__).parent
#: Shaped like a key, and none.
KEY = "sk-ant-api03-" + "voyageVOYAGE0123" * 3


class Ended:
    """How a command ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def report(self):
        return json.loads(self.out)


class Scene:
    """A directory in which programs are recorded, killed and resumed."""

    def __init__(self, path, **variables):
        self.path = path
        self.variables = {"ANTHROPIC_API_KEY": KEY, **variables}

    def start(self, *arguments, without=(), **streams):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **self.variables}
        for name in without:
            environment.pop(name, None)
        return subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli", *map(str, arguments)],
            cwd=self.path,
            env=environment,
            **{
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                **streams,
            },
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments, without=()):
        process = self.start(*arguments, without=without)
        out, err = process.communicate(timeout=100)
        return Ended(process.returncode, out, err)

    def killed(self, when, *arguments):
        """Start a command and kill it, with all its processes, once something is the case."""
        process = self.start(*arguments)
        deadline = time.monotonic() + 60
        while process.poll() is None and not when():
            assert time.monotonic() < deadline
            time.sleep(0.001)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)
        self._let_go()
        return process.returncode == -signal.SIGKILL

    def _let_go(self):
        """Wait for the locks of the killed: a process that dies closes its output before them."""
        deadline = time.monotonic() + 60
        for lock in self.path.glob(f".ritornello/runs/*/{LOCK_NAME}"):
            while True:
                try:
                    RunLock.claim(lock.parent).release()
                except LogError:
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
                else:
                    break

    @property
    def run_directory(self):
        (found,) = (self.path / ".ritornello" / "runs").iterdir()
        return found

    def records(self):
        """Return (header, payload, body) of each record."""
        store = DuckDBStore.open(self.run_directory, read_only=True)
        try:
            history = History(store)
            found = []
            for entry in store.entries():
                data = history.raw_payload(entry)
                payload, body = decode_payload(entry.header.media, data, entry.header.seq)
                found.append((entry.header, payload, body))
            return found
        finally:
            store.close()

    def digests(self):
        """Return the digest of each file of the workspace, by its path."""
        top = self.path / ".ritornello"
        return {
            str(file.relative_to(top)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(top.rglob("*"))
            if file.is_file()
        }


def answered(records):
    """Return bodies of requests: those whose end is on record, and those without one."""
    sent = {h.seq: body for h, _, body in records if h.kind == "RequestSent"}
    ended = {h.answers for h, _, _ in records if h.kind == "ResponseEnded"}
    done = [body for seq, body in sent.items() if seq in ended]
    return done, [body for seq, body in sent.items() if seq not in ended]


def look(path, *arguments):
    """Run a verb that starts no program, in this process: it costs a tenth."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    before = sys.argv
    sys.argv = ["ritornello", *arguments]
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(io.TextIOWrapper(io.BytesIO())),
            contextlib.chdir(path),
            contextlib.suppress(SystemExit),
        ):
            command()
    finally:
        sys.argv = before
    out.flush()
    return out.buffer.getvalue().decode()
