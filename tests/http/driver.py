"""Records a program in one process and replays it in others, as unlike one another as they can be.

As a script it is the child: it reads tasks from standard input, one a line, and does each job of
them in a fork of its own. Tasks with `preload` go to one child that imported the libraries once;
without it a task has a process of its own, in which nothing of the program's was imported.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import random
import runpy
import subprocess
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"
#: What the programs import; in place before the run, it is no part of the record.
LIBRARIES = (
    "anthropic",
    "anthropic.resources.messages",
    "httpx",
    "httpx2",
    "replay.session.record",
    "replay.session.replay",
)
_WAYS_OUT = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn")


@dataclass(frozen=True)
class Recorded:
    """A recorded program.

    `error` is how the program ended (empty if well), `stdout` what it wrote.
    """

    directory: str
    root: str
    events: int
    reason: str
    error: str
    stdout: bytes


@dataclass(frozen=True)
class Replayed:
    """A replayed program: the fields of the report, what it wrote, and attempts to get out."""

    report: dict
    stdout: bytes
    attempts: tuple[str, ...]

    @property
    def verdict(self) -> str:
        return str(self.report["verdict"])


@dataclass(frozen=True)
class Process:
    """What is special about a process that replays."""

    variables: dict[str, str] = field(default_factory=dict)
    directory: Path = ROOT
    heap_noise: int = 0
    gc_threshold: int = 0
    busy: bool = False


def record(program: Path, workspace: Path, *, variables: dict[str, str], preload=()) -> Recorded:
    return record_many(program, [workspace], variables=[variables], preload=preload)[0]


def record_many(
    program: Path, workspaces: Sequence[Path], *, variables: Sequence[dict[str, str]], preload=()
) -> list[Recorded]:
    """Record a program once for each workspace, one after the other."""
    jobs = [
        {"action": "record", "program": str(program), "workspace": str(workspace), "env": each}
        for workspace, each in zip(workspaces, variables, strict=True)
    ]
    return [
        Recorded(stdout=stdout, **answer)
        for answer, stdout in _child(jobs, Process(), preload, workspaces[0])
    ]


def replay(
    program: Path, recorded: Recorded, *, process: Process = Process(), preload=()
) -> Replayed:
    return replay_many([(program, recorded)], process=process, preload=preload)[0]


def replay_many(
    pairs: Sequence[tuple[Path, Recorded]], *, process: Process = Process(), preload=()
) -> list[Replayed]:
    """Replay programs on recordings, one after the other. No key and no provider is there."""
    jobs = [
        {"action": "replay", "program": str(program), "workspace": each.directory, "env": {}}
        for program, each in pairs
    ]
    scratch = Path(pairs[0][1].directory).parents[1]
    return [
        Replayed(report=answer["report"], stdout=stdout, attempts=tuple(answer["attempts"]))
        for answer, stdout in _child(jobs, process, preload, scratch)
    ]


def _child(jobs, process: Process, preload, scratch: Path):
    scratch.mkdir(parents=True, exist_ok=True)
    names = [scratch / f"job-{os.urandom(6).hex()}" for _ in jobs]
    for job, name in zip(jobs, names, strict=True):
        job["out"] = str(name)
    task = {
        "preload": preload,
        "jobs": jobs,
        "heap_noise": process.heap_noise,
        "gc_threshold": process.gc_threshold,
    }
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if process.busy else None
    child = _shared_child() if preload and process == Process() else _start(process)
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(task).encode() + b"\n")
        child.stdin.flush()
        child.stdout.readline()
    finally:
        if not (preload and process == Process()):
            _end(child)
        if busy is not None:
            busy.kill()
            busy.wait()
    answers = []
    for name in names:
        result = name.with_suffix(".json")
        if not result.exists():
            said = name.with_suffix(".err")
            raise AssertionError(f"the child died: {said.read_text() if said.exists() else ''}")
        answer = json.loads(result.read_text())
        if "traceback" in answer:
            raise AssertionError(answer["traceback"])
        answers.append((answer, name.with_suffix(".out").read_bytes()))
    return answers


@functools.cache
def _shared_child() -> subprocess.Popen[bytes]:
    child = _start(Process())
    atexit.register(_end, child)
    return child


def _start(process: Process) -> subprocess.Popen[bytes]:
    kept = {k: os.environ[k] for k in ("PATH", "HOME", "LD_LIBRARY_PATH") if k in os.environ}
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=process.directory,
        env={**kept, "PYTHONPATH": str(ROOT), **process.variables},
    )


def _end(child: subprocess.Popen[bytes]) -> None:
    child.communicate()


# --- the child ------------------------------------------------------------------------------------


def main() -> None:
    for line in sys.stdin:
        _work(json.loads(line))
        os.write(1, b"done\n")


def _work(task: dict) -> None:
    for name in task["preload"]:
        importlib.import_module(name)
    noise = [[random.random()] * (n % 7) for n in range(task["heap_noise"])]
    del noise[:: 1 + len(noise) % 3]
    if task["gc_threshold"]:
        gc.set_threshold(task["gc_threshold"], 2, 2)
    for job in task["jobs"]:
        pid = os.fork()
        if pid == 0:
            _do(job)
        os.waitpid(pid, 0)


def _do(job: dict) -> None:
    out = Path(job["out"])
    for stream, suffix in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(out.with_suffix(suffix), os.O_WRONLY | os.O_CREAT), stream)
    os.environ.update(job["env"])
    try:
        answer = _record(job) if job["action"] == "record" else _replay(job)
    except BaseException:
        answer = {"traceback": traceback.format_exc()}
    sys.stdout.flush()
    sys.stderr.flush()
    out.with_suffix(".json").write_text(json.dumps(answer))
    os._exit(0)


def _record(job: dict) -> dict:
    from replay.session.record import record_program

    recording = record_program(
        lambda: _run(job["program"]), entry="driver", workspace=job["workspace"]
    )
    error = recording.error
    return {
        "directory": str(recording.directory),
        "root": recording.root,
        "events": recording.events,
        "reason": recording.reason,
        "error": "" if error is None else f"{type(error).__qualname__}: {error}",
    }


def _replay(job: dict) -> dict:
    import msgspec

    from replay.log.duckdb_store import DuckDBStore
    from replay.session.replay import replay_log

    attempts: list[str] = []

    def watch(event: str, _arguments: object) -> None:
        if event.startswith(_WAYS_OUT) and event != "socket.__new__":
            attempts.append(event)

    store = DuckDBStore.open(Path(job["workspace"]), read_only=True)
    sys.addaudithook(watch)
    report = replay_log(store, lambda: _run(job["program"]))
    return {"report": msgspec.to_builtins(report), "attempts": attempts}


def _run(program: str) -> None:
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
