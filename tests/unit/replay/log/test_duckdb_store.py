"""The store and its files: what a close, a kill or a leftover must not lose or leave."""

from __future__ import annotations

import threading
import time

import pytest

from replay.errors import LogError
from replay.log import duckdb_store, journal
from replay.log.duckdb_store import DuckDBStore
from replay.log.journal import JOURNAL_NAME
from tests.contract.entries import Chain


class Slow(DuckDBStore):
    """A store whose checkpoints take a while to begin."""

    def _checkpoint(self) -> None:
        time.sleep(0.2)
        super()._checkpoint()


def entries(count):
    chain = Chain(7)
    return [chain.next() for _ in range(count)]


def test_a_store_is_closed_when_the_checkpoint_that_its_end_began_is_done(tmp_path, monkeypatch):
    """The journal's last rows may be what makes the write-ahead file long enough for one."""
    monkeypatch.setattr(duckdb_store, "CHECKPOINT_WAL_BYTES", 0)
    failed = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    store = Slow.create(tmp_path / "run")
    store.append(entries(5))

    store.close()

    named = [each for each in threading.enumerate() if each.name == "ritornello-checkpoint"]
    for each in named:
        each.join()
    assert (named, failed) == ([], [])
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["log.duckdb", "run.lock"]


def test_what_is_committed_beside_a_checkpoint_has_a_durable_name(tmp_path, monkeypatch):
    """DuckDB writes it to a file of its own then; the journal lets go of it after this."""
    monkeypatch.setattr(duckdb_store, "CHECKPOINT_WAL_BYTES", 0)
    monkeypatch.setattr(journal, "JOURNAL_ROWS_MAX", 0)
    real, flushed = duckdb_store._flush_directory, []
    store = Slow.create(tmp_path / "run")
    made = entries(2)
    store.append(made[:1])
    monkeypatch.setattr(
        duckdb_store, "_flush_directory", lambda path: (flushed.append(path), real(path))
    )

    store.append(made[1:])

    assert flushed == [tmp_path / "run"]
    store.close()


@pytest.mark.parametrize("name", [JOURNAL_NAME, "log.duckdb.wal"])
def test_no_log_is_made_over_what_is_left_of_one(tmp_path, name):
    """Its main file is gone, and what is behind it may still be wanted."""
    (tmp_path / name).write_bytes(b"what was acknowledged")

    with pytest.raises(LogError, match="there is a log already, or a piece of one"):
        DuckDBStore.create(tmp_path)

    assert (tmp_path / name).read_bytes() == b"what was acknowledged"
