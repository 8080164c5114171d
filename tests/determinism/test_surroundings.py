"""A replay in other surroundings prints what the recorded ones gave, byte for byte."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.support.interpreters import interpreter_of

PROGRAM = Path(__file__).with_name("surroundings_program.py")
ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "orchestrator.cli")
#: Lines that hold what no two processes have in common, or these surroundings do not.
DIFFERENT = [
    *("import", "argv", "directory", "clock", "zone", "local", "aware", "stamp", "streams"),
    *("descriptors", "size", "locale", "host", "process", "user", "random", "secret", "seeded"),
    *("uuid", "temporary", "environment", "bound", "typed"),
]
TYPED = b"bob\nline two\nabc\x04more\n\x04\x04"


@pytest.fixture(autouse=True)
def _zones():
    if not Path("/usr/share/zoneinfo/Asia/Tokyo").is_file():
        pytest.skip("this machine has no time zones")


def on_terminal(command, environment, directory, typed):
    """Run on a pseudo-terminal of 111 columns; return the exit code and what was seen there."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
        cwd=directory,
        start_new_session=True,
    )
    os.close(slave)
    os.write(master, typed)
    seen = b""
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:  # all ends of the terminal are closed
            data = b""
        if not data:
            os.close(master)
            return process.wait(60), seen
        seen += data


def elsewhere(command, directory, typed=b""):
    """Run in other surroundings, without a terminal; return what came of it."""
    (directory / "home").mkdir(parents=True, exist_ok=True)
    renamed = subprocess.run(["unshare", "--uts", "true"], capture_output=True, check=False)
    if renamed.returncode == 0:
        script = 'hostname elsewhere; exec "$@"'
        command = ["unshare", "--uts", "sh", "-c", script, "sh", *command]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "TZ": "America/St_Johns",
        "LC_ALL": "POSIX",
        "HOME": str(directory / "home"),
        "TMPDIR": str(directory / "home"),
        "TERM": "dumb",
    }
    return subprocess.run(
        command, input=typed, capture_output=True, env=environment, cwd=directory, timeout=100
    )


def environment_here():
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "TZ": "Asia/Tokyo",
        "LC_ALL": "C.UTF-8",
        "HOME": "/",
        "TERM": "xterm-256color",
    }


def lines_of(output):
    """Return what was printed, by the name before the colon."""
    return dict(line.partition(b":")[::2] for line in output.splitlines() if b":" in line)


@pytest.mark.timeout(180)
def test_a_run_on_a_terminal_replays_without_one_and_elsewhere(tmp_path):
    workspace, other = tmp_path / "workspace", tmp_path / "other"
    arguments = ["--workspace", str(workspace), "--", sys.executable, str(PROGRAM), "argument"]
    code, seen = on_terminal([*COMMAND, "record", *arguments], environment_here(), tmp_path, TYPED)
    assert code == 0, seen.decode("utf-8", "replace")
    assert b"\x1b[" in seen  # drawn for a terminal
    assert b"columns=111" in seen
    assert b"('JST', 'JST')" in seen

    replayed = elsewhere(
        [*COMMAND, "replay", "last", "--workspace", str(workspace), "--in", str(tmp_path)], other
    )

    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert b"identical" in replayed.stdout + replayed.stderr
    recorded = lines_of(seen.replace(b"\r\n", b"\n"))
    again = lines_of(replayed.stdout)
    assert {name: again.get(name.encode()) for name in DIFFERENT} == {
        name: recorded.get(name.encode()) for name in DIFFERENT
    }


@pytest.mark.timeout(180)
def test_without_the_doors_the_same_surroundings_give_other_lines(tmp_path):
    command = [sys.executable, str(PROGRAM), "argument"]
    _, seen = on_terminal(command, environment_here(), tmp_path, TYPED)
    plain = elsewhere([*command, "too"], tmp_path / "other", b"eve\nline two\nabcmore\n")

    here, there = lines_of(seen.replace(b"\r\n", b"\n")), lines_of(plain.stdout)

    assert [name for name in DIFFERENT if here[name.encode()] == there[name.encode()]] == []
    assert b"\x1b[" not in plain.stdout


@pytest.mark.timeout(180)
def test_bytes_that_are_no_text_come_from_the_record_and_not_from_the_replays_input(tmp_path):
    program = "import sys; print(sys.stdin.buffer.read(), sys.stdin.isatty(), sys.stdin.read())"
    workspace = str(tmp_path / "workspace")
    record = [*COMMAND, "record", "--workspace", workspace, "--", sys.executable, "-c", program]
    typed = bytes(range(256)) * 100

    recorded = elsewhere(record, tmp_path / "one", typed)
    replayed = elsewhere(
        [*COMMAND, "replay", "last", "--workspace", workspace], tmp_path / "two", b"something else"
    )

    assert recorded.stdout == f"{typed!r} False \n".encode()
    assert (replayed.returncode, b"identical" in replayed.stdout + replayed.stderr) == (0, True)
    assert replayed.stdout.startswith(recorded.stdout)


OTHER = """
import sys
from contextlib import closing
from pathlib import Path
from replay.log.duckdb_store import DuckDBStore
from replay.session.record import record_program
from replay.session.replay import replay_log

def program():
    from tests.determinism import surroundings_program  # its import reads the clock

    surroundings_program.read_surroundings()
    surroundings_program.change_surroundings()

if len(sys.argv) == 2:
    recording = record_program(
        program, workspace=sys.argv[1], entry="test", dialects=(), adapters=()
    )
    recording.result()
    print(recording.directory, file=sys.stderr)
else:
    with closing(DuckDBStore.open(Path(sys.argv[3]), read_only=True)) as store:
        print(replay_log(store, program, dialects=(), adapters=()), file=sys.stderr)
"""


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("minor", ["3.12", "3.13", "3.14"])
def test_another_minor_finds_the_same_surroundings(minor, tmp_path):
    workspace = str(tmp_path / "workspace")
    one, two = (tmp_path / name for name in ("one", "two"))
    recorded = elsewhere([sys.executable, "-c", OTHER, workspace], one)
    assert recorded.returncode == 0, recorded.stderr

    directory = recorded.stderr.decode().splitlines()[-1]
    other = interpreter_of(minor)
    replayed = elsewhere([other, "-c", OTHER, workspace, "replay", directory], two)

    assert b"verdict='identical'" in replayed.stderr, replayed.stderr
    assert replayed.stdout == recorded.stdout
