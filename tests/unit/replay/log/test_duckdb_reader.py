"""A long reading opens the file anew now and then, and nothing is seen of it but the memory."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import closing

import pytest

from replay.errors import LogError
from replay.log import duckdb_lines, duckdb_reader, duckdb_store
from replay.log.duckdb_store import DuckDBStore
from tests.contract.entries import chain


@pytest.fixture
def opened(monkeypatch):
    """How often files were opened, while every batch is enough to open one anew."""
    times = []

    def connect(path, *, read_only):
        times.append(path)
        return real(path, read_only=read_only)

    real = duckdb_store.connect
    monkeypatch.setattr(duckdb_store, "connect", connect)
    monkeypatch.setattr(duckdb_lines, "_SHED_BYTES", 1)
    monkeypatch.setattr(duckdb_lines, "_BATCH_MAX", 256)
    monkeypatch.setattr(duckdb_reader, "_PIECE", 256)
    monkeypatch.setattr(duckdb_reader, "_PIECES_KEPT", 1)
    return times


@pytest.fixture
def written(tmp_path):
    entries = chain(2000, seed=3)
    store = DuckDBStore.create(tmp_path / "run")
    store.append(entries)
    store.close()
    return tmp_path / "run", entries


def test_a_long_reading_opens_the_file_anew_and_gives_every_record(written, opened, monkeypatch):
    directory, entries = written
    monkeypatch.chdir(directory.parent)
    with closing(DuckDBStore.open(directory.relative_to(directory.parent))) as store:
        monkeypatch.chdir("/")
        assert list(store.entries()) == entries
        assert len(opened) > 5
        before = len(opened)
        lean = [line for lines in store.lean(frozenset({"RunStarted"})) for line in lines]
        assert [getattr(line, "raw", line) for line in lean] == [entry.raw for entry in entries]
        assert list(store.check_columns()) == []
        assert len(opened) > before + 10
        assert list(store.entries(500, 600)) == entries[500:600]


def test_a_reading_beside_another_one_is_not_cut_off(written, opened):
    directory, entries = written
    with closing(DuckDBStore.open(directory)) as store:
        first, second = store.entries(), store.entries()
        both = list(zip(first, second, strict=True))
        assert both == list(zip(entries, entries, strict=True))
        assert len(opened) <= 2  # the one that ends last may be alone at its last batch


def test_readings_in_threads_see_the_same_records(written, opened):
    directory, entries = written
    found = []
    with closing(DuckDBStore.open(directory)) as store:
        threads = [
            threading.Thread(target=lambda: found.append(list(store.entries()))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [entries] * 4


def test_a_log_with_a_write_ahead_file_is_opened_once(tmp_path, opened):
    entries = chain(1000, seed=4)
    store = DuckDBStore.create(tmp_path / "run")
    store.append(entries)
    left = tmp_path / "left"
    left.mkdir()
    for file in (tmp_path / "run").iterdir():
        if file.is_file():
            (left / file.name).write_bytes(file.read_bytes())
    store.close()
    assert list(left.glob("*.wal"))
    opened.clear()
    with closing(DuckDBStore.open(left)) as store:
        assert list(store.entries()) == entries
    assert len(opened) == 1


@pytest.mark.parametrize("taken", [100, 256, 2000])
def test_a_reading_of_a_store_that_was_closed_meanwhile_says_so(written, opened, taken):
    store = DuckDBStore.open(written[0])
    reading = store.entries()
    for _ in range(taken):
        next(reading)
    store.close()
    with pytest.raises(LogError):
        list(reading)


def test_a_store_whose_file_went_away_while_it_was_read_is_closed_all_the_same(written, opened):
    directory, entries = written
    store = DuckDBStore.open(directory)
    reading = store.entries()
    next(reading)
    (directory / "log.duckdb").rename(directory / "away")
    with pytest.raises(LogError, match="there is no log"):
        list(reading)
    with pytest.raises(LogError, match="closed"):
        list(store.entries())
    store.close()
    (directory / "away").rename(directory / "log.duckdb")
    with closing(DuckDBStore.open(directory, read_only=False)) as store:
        assert store.size() == len(entries)


ABANDONED = """
import faulthandler, gc, sys
from pathlib import Path
from replay.log.duckdb_store import DuckDBStore

faulthandler.dump_traceback_later(20, exit=True)
store = DuckDBStore.open(Path(sys.argv[1]))

def abandon():
    reading = store.entries()
    next(reading)
    cycle = [reading]
    cycle.append(cycle)

for objects in range(1, 40):
    gc.set_threshold(objects)
    abandon()
    store.parts([0])
"""


def test_a_reading_that_is_collected_while_another_begins_holds_up_nobody(written):
    ended = subprocess.run(
        [sys.executable, "-c", ABANDONED, str(written[0])], check=False, capture_output=True
    )
    assert ended.returncode == 0, ended.stderr.decode()


EXHAUSTED = """
import os, resource, sys
from pathlib import Path
from replay.log import duckdb_lines
from replay.log.duckdb_store import DuckDBStore

duckdb_lines._SHED_BYTES, duckdb_lines._BATCH_MAX = 1, 256
store = DuckDBStore.open(Path(sys.argv[1]))
reading = store.entries()
next(reading)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
print(1 + sum(1 for _ in reading))
"""


def test_a_reading_goes_on_where_no_descriptor_is_left(written):
    ended = subprocess.run(
        [sys.executable, "-c", EXHAUSTED, str(written[0])], check=False, capture_output=True
    )
    assert ended.stdout == b"2000\n", ended.stderr.decode()
