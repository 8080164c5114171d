"""Whoever asks for one run is given no other one, and nothing is made of records in its place.

What is exchanged are whole stores, by hand, as `rm -r` and `cp -r` do it.
"""

from __future__ import annotations

import contextlib
import shutil

import pytest

import replay
from replay.errors import IntegrityError
from replay.events.kinds import OutputWritten
from replay.log.duckdb_store import DuckDBStore
from replay.log.named_heads import prefix_root_of
from replay.log.workspace import Workspace
from replay.session.api import opened
from tests.contract.entries import Chain

OTHER = "these are the records of run"
LOOKING = ("show", "events", "diff", "scan", "report")
ACTING = ("export", "replay", "fork", "resume", "erase")
WORDS = {
    "export": ("-o", "out.ritornello"),
    "erase": ("--event", "1", "--reason", "asked", "--authority", "me", "--yes"),
    "fork": ("--yes",),
    "report": ("provider",),
}


def first():
    print("first")


def second():
    print("second")


def put(directory, entries):
    """Put other records in the place of a run's, as somebody does who knows the engine."""
    shutil.rmtree(directory)
    store = DuckDBStore.create(directory)
    store.append(entries)
    store.close()


def shorter(recording):
    with contextlib.closing(DuckDBStore.open(recording.directory)) as store:
        return list(store.entries(0, recording.events - 2))


def rewritten(recording):
    """A sealed run of the same id and length with other words in it."""
    chain = Chain(7, run=recording.run_id)
    made = [chain.next()]
    output = OutputWritten(stream="stdout", marks=())
    made += [chain.record(output, b"no\n") for _ in range(recording.events - 2)]
    return [*made, chain.seal()]


@pytest.fixture
def run(place):
    place.workspace = place.path / "ws"
    return replay.record(first, workspace=place.workspace)


@pytest.fixture
def copied(place, run):
    """A run whose directory was removed, and another one's copied into its place."""
    other = replay.record(second, workspace=place.workspace)
    shutil.rmtree(other.directory)
    shutil.copytree(run.directory, other.directory)
    return other


def look(place, verb, run):
    words = WORDS.get(verb, ())
    if verb == "diff":
        words = (run.run_id,)
    if verb == "report":
        return place.look("report", *words, run.run_id, "--workspace", place.workspace)
    return place.look(verb, run.run_id, *words, "--workspace", place.workspace)


@pytest.mark.parametrize("verb", [*LOOKING, *ACTING])
def test_no_verb_takes_the_records_of_another_run(place, copied, verb):
    before = Workspace(place.workspace).payloads()

    ran = look(place, verb, copied)

    assert (ran.code, OTHER in ran.err) == (3, True), ran.err
    assert not list(place.path.glob("*.ritornello"))
    assert Workspace(place.workspace).payloads() == before


@pytest.mark.parametrize("verb", LOOKING)
def test_the_run_itself_and_a_copy_that_was_never_registered_are_looked_at(place, run, verb):
    """Nothing but its own id is asked of a run that the workspace's log does not name."""
    (place.workspace / "workspace.log").unlink()
    (place.workspace / "head").unlink()

    assert look(place, verb, run).code == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [(shorter, "knows of"), (rewritten, "names another root")],
    ids=["shorter", "rewritten"],
)
@pytest.mark.parametrize("verb", ["export", "erase", "diff"])
def test_nothing_is_made_of_records_that_the_log_of_the_workspace_contradicts(
    place, run, change, message, verb
):
    put(run.directory, change(run))
    before = Workspace(place.workspace).payloads()

    ran = look(place, verb, run)

    assert (ran.code, message in ran.err) == (3, True), ran.err
    assert not list(place.path.glob("*.ritornello"))
    assert Workspace(place.workspace).payloads() == before


@pytest.mark.parametrize("change", [shorter, rewritten])
def test_a_replay_or_fork_of_such_records_is_refused_before_the_program_runs(place, run, change):
    put(run.directory, change(run))
    ran = []

    for name in (run.run_id, run):
        report = replay.replay(name, lambda: ran.append(1), workspace=place.workspace)
        assert report.verdict == "damaged"
        assert "the workspace's log" in report.notes[0]
    for at in (None, 1):
        with pytest.raises(IntegrityError, match="the workspace's log"):
            replay.fork(run.run_id, lambda: ran.append(1), workspace=place.workspace, at=at)
    with pytest.raises(IntegrityError, match="the workspace's log"):
        replay.resume(run.run_id, lambda: ran.append(1), workspace=place.workspace)
    assert ran == []


def test_the_library_takes_no_records_of_another_run_either(place, run, copied):
    for name in (copied.run_id, copied):
        with pytest.raises(IntegrityError, match=OTHER):
            opened(name, place.workspace)
    assert replay.replay(run, first, workspace=place.workspace).verdict == "identical"


def test_a_run_whose_first_record_was_erased_is_known_by_its_head(place, run, copied):
    shutil.rmtree(copied.directory)  # or it were erased from, too
    words = ("--event", "0", "--reason", "asked", "--authority", "me", "--yes")
    assert place.look("erase", run.run_id, *words, "--workspace", place.workspace).code == 0
    shutil.copytree(run.directory, copied.directory)

    assert OTHER in look(place, "show", copied).err
    assert look(place, "export", run).code == 0


def test_an_open_run_that_went_on_is_no_contradiction(place, run):
    """A record of the log that knows of fewer records is held against as many."""
    with contextlib.closing(DuckDBStore.open(run.directory)) as store:
        entries, root = list(store.entries()), prefix_root_of(store)(4)
    shutil.rmtree(run.directory)
    for name in ("workspace.log", "head"):
        (place.workspace / name).unlink()
    home = Workspace(place.workspace)
    put(home.register(run.run_id, "first", 1), entries)
    home.resumed(run.run_id, 4, root, 2)

    assert look(place, "export", run).code == 0

    home.resumed(run.run_id, 3, root, 3)
    assert look(place, "erase", run).code == 3
