"""A long reading opens the file anew now and then, and nothing is seen of it but the memory."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

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
