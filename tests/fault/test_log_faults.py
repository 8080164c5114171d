"""What is left of a run's log after each fault, and whether the error says what happened."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest

from replay.errors import IntegrityError, LogError, ProofError
from replay.log.duckdb_store import DuckDBStore
from replay.log.head import read_head, write_head
from replay.log.lock import RunLock
from replay.log.writer import Writer
from replay.tree import Checkpoint, event_leaf, root_of
from tests.contract.entries import Chain, chain

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT)}


def digest(directory):
    """Names, bytes, modes and times of everything in a directory."""
    return {
        path.name: (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mode,
            path.stat().st_mtime_ns,
        )
        for path in sorted(directory.iterdir())
    }


def python(code, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        **options,
    )


JOURNAL, WAL = "log.journal", "log.duckdb.wal"


def crashed(directory, copy, entries, batch=7, *, last=JOURNAL):
    """Lay a directory down as a killed process would have left it: the last records in a file.

    What is in the journal alone may have been in the database's write-ahead file, and in part.
    """
    room = {JOURNAL: 2048, WAL: 0, "both": 70}[last]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("replay.log.journal.JOURNAL_ROWS_MAX", room)
        store = DuckDBStore.create(directory)
        for start in range(0, len(entries), batch):
            store.append(entries[start : start + batch])
    shutil.copytree(directory, copy)
    store.close()
    for name in (JOURNAL, WAL) if last == "both" else (last,):
        assert (copy / name).stat().st_size > 0
    return copy


def flip(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 0x40
    path.write_bytes(data)


# --- somebody else --------------------------------------------------------------------------------


def test_a_second_writer_in_another_process_is_refused_and_told_who_writes(tmp_path):
    store = DuckDBStore.create(tmp_path / "run")
    code = (
        "import sys; from pathlib import Path\n"
        "from replay.errors import LogError\n"
        "from replay.log.duckdb_store import DuckDBStore\n"
        "try: DuckDBStore.open(Path(sys.argv[1]), read_only=sys.argv[2] == 'read')\n"
        "except LogError as error: print(error.message)\n"
    )

    for mode in ("write", "read"):
        result = python(code, tmp_path / "run", mode)
        assert f"the run is being written by process {os.getpid()}\n" == result.stdout
    store.append(chain(3))
    store.close()


def test_a_second_writer_in_the_same_process_is_refused(tmp_path):
    store = DuckDBStore.create(tmp_path / "run")

    for read_only in (True, False):
        with pytest.raises(LogError, match="being written by process"):
            DuckDBStore.open(tmp_path / "run", read_only=read_only)

    store.append(chain(3))
    store.close()


def test_a_writer_is_refused_while_somebody_reads_and_readers_do_not_mind_each_other(tmp_path):
    DuckDBStore.create(tmp_path / "run").close()
    one = DuckDBStore.open(tmp_path / "run")
    two = DuckDBStore.open(tmp_path / "run")

    with pytest.raises(LogError, match="being read"):
        DuckDBStore.open(tmp_path / "run", read_only=False)

    one.close()
    two.close()
    DuckDBStore.open(tmp_path / "run", read_only=False).close()


def test_the_lock_holds_against_a_process_that_only_knows_duckdb(tmp_path):
    store = DuckDBStore.create(tmp_path / "run")
    code = "import duckdb, sys; duckdb.connect(sys.argv[1])"

    result = python(code, tmp_path / "run" / "log.duckdb")

    assert "lock" in result.stderr
    store.close()


def test_a_file_that_another_program_holds_is_refused_with_a_reason(tmp_path):
    DuckDBStore.create(tmp_path / "run").close()
    code = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1])\n"
        "print('open', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run" / "log.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(LogError, match="another program has the log open"):
            DuckDBStore.open(tmp_path / "run")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_may_neither_append_nor_read_and_harms_nothing(tmp_path):
    entries = chain(6)
    store = DuckDBStore.create(tmp_path / "run")
    store.append(entries[:3])

    child = os.fork()
    if child == 0:
        refused = 0
        for attempt in (lambda: store.append(entries[3:]), lambda: list(store.entries())):
            try:
                attempt()
            except LogError as error:
                refused += "forked child" in error.message
        os._exit(refused)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 2
    store.append(entries[3:])
    assert list(store.entries()) == entries
    store.close()


def test_a_lock_is_free_again_after_its_holder_was_killed(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from replay.log.lock import RunLock\n"
        "lock = RunLock.exclusive(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )

    assert python(code, tmp_path).returncode == -signal.SIGKILL

    RunLock.exclusive(tmp_path).release()


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("last", [JOURNAL, WAL, "both"])
def test_opening_a_crashed_run_for_reading_changes_no_byte(tmp_path, last):
    entries = chain(100)
    directory = crashed(tmp_path / "run", tmp_path / "crashed", entries, last=last)
    before = digest(directory)

    store = DuckDBStore.open(directory)
    assert list(store.entries()) == entries
    assert list(store.check_columns()) == []
    store.close()

    assert digest(directory) == before


def test_files_of_a_run_are_private_also_while_it_is_written(tmp_path):
    directory = tmp_path / "run"
    store = DuckDBStore.create(directory)
    store.append(chain(3))
    write_head(directory, Checkpoint("o", 3, b"\1" * 32))

    modes = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert modes == dict.fromkeys(["head", "log.duckdb", JOURNAL, "run.lock"], 0o600)
    assert directory.stat().st_mode & 0o777 == 0o700
    store.close()


def test_a_small_run_is_a_small_file(tmp_path):
    store = DuckDBStore.create(tmp_path / "run")
    run = Chain()
    store.append([run.next(), *(run.next(size=300) for _ in range(19))])
    store.close()

    assert (tmp_path / "run" / "log.duckdb").stat().st_size < 100_000


@pytest.mark.parametrize("read_only", [True, False])
def test_a_missing_log_is_said_to_be_missing_and_nothing_is_made(tmp_path, read_only):
    with pytest.raises(LogError, match="no log"):
        DuckDBStore.open(tmp_path, read_only=read_only)

    assert list(tmp_path.iterdir()) == []


def test_a_log_is_never_made_over_another(tmp_path):
    DuckDBStore.create(tmp_path / "run").close()

    with pytest.raises(LogError, match="already"):
        DuckDBStore.create(tmp_path / "run")


@pytest.mark.parametrize("content", [b"", b"hello", b"not a database\n" * 1000])
@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_that_is_no_database_is_refused(tmp_path, content, read_only):
    if not content and not read_only:
        pytest.skip("an empty file is what a database begins as")
    (tmp_path / "log.duckdb").write_bytes(content)

    with pytest.raises(IntegrityError, match="damaged"):
        DuckDBStore.open(tmp_path, read_only=read_only)


@pytest.mark.parametrize("table", ["other (a INTEGER)", "format (version INTEGER)"])
def test_some_other_database_is_refused(tmp_path, table):
    with duckdb.connect(tmp_path / "log.duckdb") as connection:
        connection.execute(f"CREATE TABLE {table}")

    with pytest.raises(IntegrityError, match="holds no log"):
        DuckDBStore.open(tmp_path)


def test_a_later_schema_is_refused_with_advice(tmp_path):
    DuckDBStore.create(tmp_path / "run").close()
    with duckdb.connect(tmp_path / "run" / "log.duckdb") as connection:
        connection.execute("UPDATE format SET version = 2")

    with pytest.raises(LogError, match="version 2") as caught:
        DuckDBStore.open(tmp_path / "run")

    assert "later version" in caught.value.hint


@pytest.mark.parametrize("last", [JOURNAL, WAL])
def test_a_missing_file_of_last_records_is_noticed_by_the_head(tmp_path, last):
    directory = crashed(tmp_path / "run", tmp_path / "crashed", chain(30), last=last)
    write_head(directory, Checkpoint("o", 30, b"\1" * 32))
    (directory / last).unlink()

    with pytest.raises(IntegrityError, match="shorter than its head: 0 records of 30"):
        DuckDBStore.open(directory)
    for_the_check = DuckDBStore.open(directory, compare_head=False)
    assert for_the_check.size() == 0
    for_the_check.close()


@pytest.mark.parametrize("last", [JOURNAL, WAL])
def test_a_shortened_file_of_last_records_is_noticed_wherever_it_was_cut(tmp_path, last):
    directory = crashed(tmp_path / "run", tmp_path / "crashed", chain(60), batch=3, last=last)
    write_head(directory, Checkpoint("o", 60, b"\1" * 32))
    file = directory / last
    whole = file.read_bytes()

    for cut in random.Random(7).sample(range(1, len(whole) - 1), 12):
        file.write_bytes(whole[:cut])
        with pytest.raises((IntegrityError, LogError)):
            DuckDBStore.open(directory)
    file.write_bytes(whole)
    DuckDBStore.open(directory).close()


@pytest.mark.parametrize("last", [JOURNAL, WAL])
def test_a_flipped_byte_in_the_last_records_is_refused(tmp_path, last):
    directory = crashed(tmp_path / "run", tmp_path / "crashed", chain(60), batch=3, last=last)
    write_head(directory, Checkpoint("o", 60, b"\1" * 32))
    file = directory / last
    whole = file.read_bytes()

    for position in random.Random(8).sample(range(len(whole)), 12):
        flip(file, position)
        with pytest.raises((IntegrityError, LogError)):
            DuckDBStore.open(directory)
        file.write_bytes(whole)


def test_a_journal_that_goes_on_behind_what_the_database_lost_is_refused(tmp_path):
    directory = crashed(tmp_path / "run", tmp_path / "crashed", chain(100), last="both")
    (directory / WAL).unlink()

    for read_only in (True, False):
        with pytest.raises(IntegrityError, match=r"records 0 to \d+ are missing before it"):
            DuckDBStore.open(directory, read_only=read_only, compare_head=False)


def test_a_flipped_byte_in_the_database_is_refused_or_hits_nothing(tmp_path):
    entries = chain(60)
    store = DuckDBStore.create(tmp_path / "run")
    store.append(entries)
    store.close()
    path = tmp_path / "run" / "log.duckdb"
    whole = path.read_bytes()
    refused = 0

    for position in random.Random(9).sample(range(len(whole)), 25):
        flip(path, position)
        try:
            store = DuckDBStore.open(tmp_path / "run")
            read = list(store.entries())
            store.close()
        except (IntegrityError, LogError):
            refused += 1
        else:
            # The byte lay in a block that is free, or in a header that is not the current one.
            assert read == entries
        finally:
            store.close()
        path.write_bytes(whole)

    assert refused > 10


def test_columns_changed_behind_the_bytes_are_found(tmp_path):
    store = DuckDBStore.create(tmp_path / "run")
    store.append(chain(20))
    store.close()
    path = tmp_path / "run" / "log.duckdb"

    with duckdb.connect(path) as connection:
        connection.execute("ALTER VIEW events RENAME TO honest")
        connection.execute(
            "CREATE VIEW events AS SELECT * REPLACE "
            "(if(seq = 5, 'ok', 'error') AS outcome, if(seq = 6, 7, size) AS size) FROM honest"
        )
    store = DuckDBStore.open(tmp_path / "run")
    found = {(finding.seq, finding.message.split("'")[1]) for finding in store.check_columns()}
    store.close()

    assert (6, "size") in found
    assert (0, "outcome") in found
    assert {name for _, name in found} == {"outcome", "size"}

    with duckdb.connect(path) as connection:
        connection.execute("DROP VIEW events")
    store = DuckDBStore.open(tmp_path / "run")
    assert [finding.code for finding in store.check_columns()] == ["column"]
    store.close()


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("DELETE FROM log WHERE seq = 5 AND ordinal IS NULL", "missing|out of order"),
        ("DELETE FROM log WHERE seq = 5", "missing"),
        ("INSERT INTO log SELECT * FROM log WHERE seq = 5 AND ordinal IS NULL", "missing"),
        ("UPDATE log SET seq = 900 WHERE seq = 5", "missing"),
        ("UPDATE log SET data = NULL WHERE seq = 5 AND ordinal IS NULL", "no bytes"),
        ("UPDATE log SET data = data || ' '::BLOB WHERE seq = 5 AND ordinal IS NULL", "canonical"),
        ("UPDATE log SET about = NULL WHERE seq = 5 AND ordinal IS NULL", "no bytes"),
        ("UPDATE log SET about = '\\x80'::BLOB WHERE seq = 5 AND ordinal IS NULL", "cut short"),
        ("UPDATE log SET data = NULL WHERE ordinal = 2", "malformed"),
        ("UPDATE log SET about = '\\x04'::BLOB || about[2:] WHERE ordinal = 2", "malformed"),
        ("UPDATE log SET about = about[:9] || 'x'::BLOB WHERE ordinal = 2", "malformed"),
        ("UPDATE log SET about = about[:40] WHERE ordinal = 2", "malformed"),
        ("UPDATE log SET ordinal = 77 WHERE ordinal = 2", "out of order"),
    ],
)
def test_a_row_changed_in_the_file_is_refused_while_reading(tmp_path, statement, error):
    store = DuckDBStore.create(tmp_path / "run")
    store.append(chain(20))
    store.close()
    with duckdb.connect(tmp_path / "run" / "log.duckdb") as connection:
        connection.execute(statement)

    store = DuckDBStore.open(tmp_path / "run")
    with pytest.raises(IntegrityError, match=error):
        list(store.entries())
    store.close()


@pytest.mark.parametrize("content", [b"o\n3\n", b"junk", b"x" * 9000, b"o\n3\nAAAA\n"])
def test_a_damaged_head_is_refused(tmp_path, content):
    (tmp_path / "head").write_bytes(content)

    with pytest.raises(ProofError):
        read_head(tmp_path)


def test_an_absent_or_empty_head_is_no_head(tmp_path):
    assert read_head(tmp_path) is None

    (tmp_path / "head").write_bytes(b"")

    assert read_head(tmp_path) is None


# --- the disk -------------------------------------------------------------------------------------

FILL_UP = """
import resource, sys
from pathlib import Path
from replay.errors import LogError
from replay.log.duckdb_store import DuckDBStore
from tests.contract.entries import Chain

store = DuckDBStore.create(Path(sys.argv[1]))
run = Chain(11)
store.append([run.next()])
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
durable = 1
try:
    while True:
        batch = run.take(3)
        store.append(batch)
        durable += len(batch)
except LogError as error:
    print(durable, error.message, error.hint, sep="|")
try:
    store.append(run.take(1))
except LogError as error:
    print(error.message)
store.close()
"""


def test_a_full_disk_is_named_refuses_all_that_follows_and_loses_nothing(tmp_path):
    result = python(FILL_UP, tmp_path / "run")

    assert result.stderr == ""
    first, second = result.stdout.splitlines()
    durable, message, hint = first.split("|")
    assert "the file may not grow" in message
    assert "what was acknowledged is safe" in hint
    assert "an earlier append failed" in second
    store = DuckDBStore.open(tmp_path / "run", read_only=False)
    run = Chain(11)
    assert list(store.entries()) == [run.next(), *run.take(int(durable) - 1)]
    store.append(run.take(5))
    store.close()


@pytest.mark.parametrize(
    ("room_bytes", "reason"), [(0, "File too large"), (20, "No space left on device")]
)
def test_a_head_that_cannot_be_written_whole_is_an_error_and_the_old_one_stays(
    tmp_path, room_bytes, reason
):
    code = (
        "import os, resource, sys; from pathlib import Path\n"
        "from replay.errors import LogError; from replay.tree import Checkpoint\n"
        "from replay.log.head import write_head\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)\n"
        "try: write_head(Path(sys.argv[1]), Checkpoint('o', 2, bytes([1]) * 32))\n"
        "except LogError as error: print(error.message)\n"
    )
    write_head(tmp_path, Checkpoint("o", 1, b"\1" * 32))

    result = python(code, tmp_path, room_bytes)

    assert result.stdout == f"the head cannot be written: {reason}\n"
    assert read_head(tmp_path) == Checkpoint("o", 1, b"\1" * 32)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_directory_that_may_not_be_written_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(LogError, match="Permission denied"):
            DuckDBStore.create(tmp_path)
        with pytest.raises(LogError, match="Permission denied"):
            DuckDBStore.create(tmp_path / "run")
    finally:
        tmp_path.chmod(0o700)


def test_a_directory_whose_parent_is_missing_is_refused(tmp_path):
    with pytest.raises(LogError, match="cannot be made"):
        DuckDBStore.create(tmp_path / "no" / "run")


def test_a_checkpoint_beside_the_commits_shortens_the_write_ahead_file(tmp_path, monkeypatch):
    monkeypatch.setattr("replay.log.duckdb_store.CHECKPOINT_WAL_BYTES", 100_000)
    monkeypatch.setattr("replay.log.journal.JOURNAL_ROWS_MAX", 40)
    store, run = DuckDBStore.create(tmp_path / "run"), Chain(12)
    wal = tmp_path / "run" / "log.duckdb.wal"
    entries = []
    sizes = []

    # A checkpoint takes as long as the machine lets it; commits go on meanwhile.
    while len(entries) < 20_000:
        batch = run.take(5)
        store.append(batch)
        entries += batch
        try:
            sizes.append(wal.stat().st_size)
        except FileNotFoundError:  # a checkpoint has just taken it away
            sizes.append(0)
        if len(entries) >= 600 and any(after < before for before, after in pairwise(sizes)):
            break

    assert any(after < before for before, after in pairwise(sizes))
    assert list(store.entries()) == entries
    store.close()
    assert not wal.exists()
    store = DuckDBStore.open(tmp_path / "run")
    assert list(store.entries()) == entries
    store.close()


# --- kill -9 --------------------------------------------------------------------------------------


def kill_while_recording(directory, seed, there, *, threshold, batch, delay):
    """Return how many records a killed child had said to be durable."""
    child = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.fault.recording_child",
            *map(str, (directory, seed, there, threshold, batch)),
        ],
        env=ENVIRONMENT,
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        said = child.stdout.read().split(b"\n")
    # The last line may be cut short by the kill; all before it are whole.
    return max([there, *(int(line) for line in said[:-1])])


@pytest.mark.parametrize(
    ("kills", "threshold", "batch"),
    [
        (2, 1 << 24, 1),
        (3, 60_000, 5),
        pytest.param(12, 60_000, 1, marks=[pytest.mark.full, pytest.mark.timeout(600)]),
        pytest.param(8, 60_000, 30, marks=[pytest.mark.full, pytest.mark.timeout(600)]),
    ],
)
def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path, kills, threshold, batch):
    directory, seed, draw = tmp_path / "run", 21, random.Random(kills)
    DuckDBStore.create(directory).close()
    there = 0

    for _ in range(kills):
        acknowledged = kill_while_recording(
            directory, seed, there, threshold=threshold, batch=batch, delay=draw.random() / 2
        )
        before = digest(directory)
        store = DuckDBStore.open(directory)
        there = store.size()
        expected = chain(there, seed)
        assert there >= acknowledged
        assert list(store.entries()) == expected
        head = read_head(directory)
        assert head is None or head.root == root_of(
            [event_leaf(e.raw) for e in expected[: head.size]]
        )
        store.close()
        assert digest(directory) == before

    assert there > 0


def test_a_program_that_ends_without_closing_has_recorded_everything(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from replay.log.duckdb_store import DuckDBStore; from replay.log.writer import Writer\n"
        "from tests.contract.entries import chain\n"
        "writer = Writer(DuckDBStore.create(Path(sys.argv[1])))\n"
        "for entry in chain(500): writer.submit(entry)\n"
    )

    result = python(code, tmp_path / "run")

    assert (result.returncode, result.stderr) == (0, "")
    store = DuckDBStore.open(tmp_path / "run")
    assert list(store.entries()) == chain(500)
    store.close()


def test_a_resumed_writer_goes_on_to_the_same_root_as_an_unbroken_one(tmp_path):
    entries = chain(80)
    directory = crashed(tmp_path / "run", tmp_path / "crashed", entries[:50])

    store = DuckDBStore.open(directory, read_only=False)
    writer = Writer(store)
    for entry in entries[50:]:
        writer.submit(entry)
    writer.close()
    store.close()

    assert writer.root() == (80, root_of([event_leaf(entry.raw) for entry in entries]))
