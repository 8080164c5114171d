"""Ctrl-C while a run begins: nothing of the program runs, and nothing is left half made."""

from __future__ import annotations

import os
import signal
import threading

import duckdb
import pytest

from replay.errors import LogError
from replay.log.duckdb_schema import mapped_errors
from replay.log.duckdb_store import DuckDBStore
from replay.log.workspace import Workspace
from replay.session.held_interrupt import HeldInterrupt
from replay.session.record import record_program


def interrupt():
    signal.raise_signal(signal.SIGINT)


def test_the_first_is_kept_back_until_the_end_and_the_next_is_as_ever():
    before = signal.getsignal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), HeldInterrupt() as held:
        assert not held.came
        interrupt()
        assert held.came
    with pytest.raises(KeyboardInterrupt), HeldInterrupt():
        interrupt()
        with pytest.raises(KeyboardInterrupt):
            interrupt()

    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("when", ["log", "stage"])
def test_a_run_that_is_interrupted_while_it_begins_is_closed_and_nothing_runs(
    tmp_path, monkeypatch, capsys, when
):
    create = DuckDBStore.create

    def interrupted(directory):
        interrupt()
        return create(directory)

    if when == "log":
        monkeypatch.setattr(DuckDBStore, "create", interrupted)
    else:
        monkeypatch.setattr("replay.session.stage.spare_tracers", interrupt)

    with pytest.raises(KeyboardInterrupt):
        record_program(lambda: print("ran"), workspace=tmp_path, entry="t", dialects=())

    assert capsys.readouterr().out == ""
    place = Workspace.open(tmp_path)
    [run] = place.runs()
    assert (run.state, run.reason, run.present) == ("closed", "cancelled", True)
    found = place.verify()
    assert (found.integrity, found.open_runs, found.gone) == ("ok", (), ())


def test_one_that_comes_while_the_run_is_closed_is_delivered_behind_that(tmp_path, monkeypatch):
    close = Workspace.close_run

    def interrupted(self, *words):
        interrupt()
        close(self, *words)

    monkeypatch.setattr(Workspace, "close_run", interrupted)

    with pytest.raises(KeyboardInterrupt):
        record_program(lambda: None, workspace=tmp_path, entry="t", dialects=())

    [run] = Workspace.open(tmp_path).runs()
    assert (run.state, run.reason) == ("closed", "completed")


def test_one_that_is_asked_to_end_twice_leaves_no_half_log(tmp_path, monkeypatch):
    def interrupted(_connection):
        interrupt()
        interrupt()

    monkeypatch.setattr("replay.log.duckdb_store.create_schema", interrupted)

    with pytest.raises(KeyboardInterrupt):
        record_program(lambda: None, workspace=tmp_path, entry="t", dialects=())

    [run] = Workspace.open(tmp_path).runs()
    assert run.state == "open"
    assert not list((tmp_path / "runs" / run.run).glob("log.*"))


def test_an_interrupt_that_duckdb_takes_for_its_own_is_one_all_the_same(tmp_path):
    # With a second thread DuckDB waits for that one to end, which sees no interrupt.
    connection = duckdb.connect(config={"threads": 1})
    later = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    later.start()

    with pytest.raises(KeyboardInterrupt), mapped_errors(tmp_path, "reading"):
        connection.execute("SELECT count(*) FROM range(20000000000) WHERE range % 7 = 3")

    later.join()
    with pytest.raises(LogError), mapped_errors(tmp_path, "reading"):
        raise RuntimeError("of another kind")
