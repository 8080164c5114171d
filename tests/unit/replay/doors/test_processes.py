"""Child processes of a program: what comes out of them, once live and once from the record."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import replay
from replay.errors import UsageError
from replay.events.payload import decode_payload
from replay.log.duckdb_store import DuckDBStore
from replay.session.record import record_program
from replay.session.replay import replay_log

pytestmark = pytest.mark.timeout(60)


class Both:
    """A program recorded, and replayed where no command can be found."""

    def __init__(self, program, workspace, monkeypatch):
        self.recording = record_program(program, entry="t", workspace=workspace, dialects=())
        store = DuckDBStore.open(self.recording.directory, read_only=True)
        self.kinds = [entry.header.kind for entry in store.entries(0, 10_000)]
        self.started = [
            decode_payload(entry.header.media, b"".join(part.data for part in entry.brought))[0]
            for entry in store.entries(0, 10_000)
            if entry.header.kind == "ProcessStarted"
        ]
        monkeypatch.setenv("PATH", "/nowhere")
        self.report = replay_log(store, program, dialects=())
        store.close()


@pytest.fixture
def both(tmp_path, monkeypatch):
    return lambda program: Both(program, tmp_path / "runs", monkeypatch)


def checked(ran):
    assert ran.report.verdict == "identical", ran.report
    return ran.recording.result()


async def gathered(*arguments, data=None, **options):
    process = await asyncio.create_subprocess_exec(
        *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options
    )
    out, _ = await process.communicate(data)
    return out.decode(), process.returncode


def talks():
    """A conversation, line by line, as with a server on standard streams."""
    with subprocess.Popen(
        ["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        said = []
        for line in ("a\n", "b\n"):
            process.stdin.write(line)
            said.append(process.stdout.readline())
    return said, process.returncode


async def talks_in_a_loop():
    process = await asyncio.create_subprocess_exec(
        "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    said = []
    for line in (b"a\n", b"b\n"):
        process.stdin.write(line)
        await process.stdin.drain()
        said.append((await process.stdout.readline()).decode())
    process.stdin.close()
    await process.stdin.wait_closed()
    return said, await process.wait()


def pipeline():
    with subprocess.Popen(["echo", "low"], stdout=subprocess.PIPE) as first:
        done = subprocess.run(
            ["tr", "a-z", "A-Z"], stdin=first.stdout, capture_output=True, check=True
        )
    return done.stdout.decode()


def times_out():
    try:
        subprocess.run(["sh", "-c", "echo part; exec sleep 30"], capture_output=True, timeout=0.3)
    except subprocess.TimeoutExpired as late:
        return late.stdout.decode(), late.timeout
    return None


def is_terminated():
    # What it waits for holds none of its streams open.
    script = "trap 'echo bye; exit 5' TERM; echo up; sleep 9 >&2 & wait"
    process = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE)
    up = process.stdout.readline()
    os.kill(process.pid, signal.SIGTERM)
    return up.decode(), process.stdout.read().decode(), process.wait()


def polls():
    process = subprocess.Popen(["sleep", "0.05"])
    seen = process.poll()
    while process.poll() is None:
        time.sleep(0.01)
    return seen, process.returncode


def is_not_there():
    try:
        subprocess.Popen(["no-such-command"])
    except FileNotFoundError as error:
        return error.errno, error.filename, str(error)
    return None


def many_in_a_loop():
    async def main():
        return await asyncio.gather(
            *(gathered("sh", "-c", f"sleep 0.0{n}; echo {n}") for n in (3, 1, 2))
        )

    return asyncio.run(main())


def waits_in_a_thread():
    async def main():
        return await asyncio.to_thread(subprocess.check_output, ["echo", "there"], text=True)

    return asyncio.run(main())


PROGRAMS = {
    "check_output": (lambda: subprocess.check_output(["echo", "hi"]).decode(), "hi\n"),
    "input": (
        lambda: (
            subprocess.run(["wc", "-c"], input=b"x" * 300_000, capture_output=True)
            .stdout.decode()
            .strip()
        ),
        "300000",
    ),
    "call": (lambda: subprocess.call(["sh", "-c", "exit 3"]), 3),
    "signal": (lambda: subprocess.call(["sh", "-c", "kill -9 $$"]), -9),
    "getoutput": (lambda: subprocess.getstatusoutput("echo a; exit 2"), (2, "a")),
    "both streams": (
        lambda: subprocess.check_output("echo e >&2", shell=True, stderr=subprocess.STDOUT),
        b"e\n",
    ),
    "os.system": (lambda: os.system("exit 4"), 4 << 8),
    "os.popen": (lambda: os.popen("echo a; echo b").readlines(), ["a\n", "b\n"]),
    "no stdin": (lambda: subprocess.check_output(["cat"]), b""),
    "large": (
        lambda: len(subprocess.check_output(["head", "-c", "500000", "/dev/zero"])),
        500_000,
    ),
    "asyncio": (lambda: asyncio.run(gathered("cat", data=b"in")), ("in", 0)),
    "talk": (talks, (["a\n", "b\n"], 0)),
    "talk in a loop": (lambda: asyncio.run(talks_in_a_loop()), (["a\n", "b\n"], 0)),
    "pipeline": (pipeline, "LOW\n"),
    "time-out": (times_out, ("part\n", 0.3)),
    "os.kill": (is_terminated, ("up\n", "bye\n", 5)),
    "poll": (polls, (None, 0)),
    "not there": (
        is_not_there,
        (2, "no-such-command", "[Errno 2] No such file or directory: 'no-such-command'"),
    ),
    "thread": (waits_in_a_thread, "there\n"),
    "gather": (many_in_a_loop, [("3\n", 0), ("1\n", 0), ("2\n", 0)]),
}


@pytest.mark.sample(2)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_process_gives_the_same_answer_from_the_record(both, name):
    program, expected = PROGRAMS[name]

    ran = both(program)

    assert checked(ran) == expected
    assert ran.report.live_effects == 0
    assert "ProcessStarted" in ran.kinds


def test_output_that_the_process_inherits_is_the_programs_own(both, capfd):
    def program():
        print("before")
        subprocess.run("echo inside; echo aside >&2", shell=True, check=True)
        print("after")

    ran = both(program)

    checked(ran)
    out, err = capfd.readouterr()
    assert out == "before\ninside\nafter\n" * 2
    assert err.count("aside\n") == 2


def test_what_is_recorded_of_a_start_is_no_value_of_the_environment_and_no_path_of_ours(both):
    def program():
        subprocess.run(
            [sys.executable, "-c", "pass"], env={"B_NAME": "worth", "A": ""}, cwd=Path.cwd()
        )

    ran = both(program)

    checked(ran)
    (started,) = ran.started
    assert started.arguments == ("sys.executable", "-c", "pass")
    assert (started.environment, started.directory) == (("A", "B_NAME"), ".")
    assert (started.stdin, started.stdout, started.stderr) == ("null", "stdout", "stderr")


def test_a_process_that_the_run_leaves_is_ended_with_it(both):
    def program():
        return subprocess.Popen(["sleep", "60"]).pid

    ran = both(program)

    pid = checked(ran)
    for _ in range(500):
        if not _runs(pid):
            break
        time.sleep(0.01)
    assert not _runs(pid)


def _runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A child of this process that has ended and was not waited for.
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def forks():
    if os.fork() == 0:
        os._exit(0)


def spawns():
    multiprocessing.get_context("spawn").Process(target=print).start()


def hands_a_descriptor_on():
    read, _ = os.pipe()
    subprocess.run(["true"], pass_fds=(read,))


def selects():
    import select

    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    select.select([process.stdout], [], [], 0)


WAYS = {
    "os.fork": forks,
    "os.exec": lambda: os.execv("/bin/true", ["true"]),
    "os.posix_spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "os.spawn": spawns,
    "pass_fds": hands_a_descriptor_on,
    "descriptor": selects,
    "os.kill": lambda: os.kill(1, 0),
}


@pytest.mark.parametrize("name", WAYS)
def test_what_no_record_holds_stops_the_run_by_name_even_if_it_is_swallowed(both, name, tmp_path):
    went_on = []

    def program():
        try:
            WAYS[name]()
        except BaseException:
            went_on.append(name)
        print("more")

    with pytest.raises(UsageError) as stopped:
        both(program)

    assert name in stopped.value.message
    assert "test_processes" in stopped.value.where
    assert stopped.value.hint


def test_outside_of_a_run_processes_are_the_systems(both, monkeypatch):
    checked(both(lambda: subprocess.call(["true"])))
    monkeypatch.undo()

    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.fileno() > 2
        assert process.communicate(b"real")[0] == b"real"
    assert os.system("exit 1") == 256
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def test_a_secret_that_a_process_writes_in_two_pieces_is_in_no_record(tmp_path, monkeypatch):
    secret = "Xy7Qz" * 8
    monkeypatch.setenv("SERVICE_API_KEY", secret)

    def program():
        code = "import os,sys,time; s=os.environ['SERVICE_API_KEY']; w=sys.stdout.write\n"
        code += "for p in (s[:15], s[15:]): w(p); sys.stdout.flush(); time.sleep(0.2)"
        return subprocess.check_output([sys.executable, "-c", code], text=True) == secret

    recording = record_program(program, entry="t", workspace=tmp_path / "runs", dialects=())

    store = DuckDBStore.open(recording.directory, read_only=True)
    written = b"".join(
        part.data
        for entry in store.entries(0, 10_000)
        if entry.header.kind == "ProcessWrote"
        for part in entry.brought
    )
    store.close()
    assert recording.result() is True
    assert len(written) > len(secret)
    # A true prefix of at most 11 characters may stand at a cut.
    assert not any(secret[at : at + 12].encode() in written for at in range(len(secret) - 12))


def test_a_keyed_replay_finds_processes_by_task_and_place(tmp_path, monkeypatch):
    async def main():
        one = subprocess.check_output(["echo", "a"])  # noqa: ASYNC221 - as users do
        return await gathered("cat", data=b"x"), one

    replay.record(main, workspace=tmp_path / "runs", dialects=())
    monkeypatch.setenv("PATH", "/nowhere")

    report = replay.replay_keyed("last", main, workspace=tmp_path / "runs", dialects=())

    assert (report.difference, report.error, report.unused) == (None, None, 0)
    assert report.result() == (("x", 0), b"a\n")
