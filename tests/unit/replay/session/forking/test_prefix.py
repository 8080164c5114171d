"""A fork begins with the records of the run that it is from; the first one alone is another."""

from __future__ import annotations

import asyncio

import pytest

import replay
from replay.errors import UsageError
from replay.events.code_kinds import AdmissionDecided
from replay.events.kinds import RunStarted
from replay.events.workspace_kinds import RunAdmitted, RunRegistered
from replay.log.duckdb_store import DuckDBStore
from replay.log.fsck import check
from replay.log.workspace import Workspace
from replay.session.forking.prefix import ForkLog, Prefix, first_position
from replay.sources.history import History


@replay.effect
async def ask(question: str) -> str:
    return question.upper()


async def _main():
    for question in ("one", "two", "three"):
        await asyncio.create_task(ask(question), name=question)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    recording = replay.record(_main, workspace=tmp_path_factory.mktemp("w"))
    reader = DuckDBStore.open(recording.directory, read_only=True)
    yield reader
    reader.close()


def test_it_names_where_it_is_from(store):
    root = check(store).root
    prefix = Prefix(store, 5, root)
    before, now = (History(each).payload(next(each.entries(0, 1)))[0] for each in (store, prefix))
    assert isinstance(now, RunStarted)
    assert now == prefix.started
    origin = now.forked_from
    assert (origin.run, origin.root, origin.position) == (before.run, root, 5)
    assert before.forked_from is None
    assert now.run != before.run
    assert (now.seed, now.arguments, now.setting) == (before.seed, before.arguments, before.setting)


def test_every_cut_of_it_is_a_whole_record(store, tmp_path):
    root = check(store).root
    for position in range(first_position(store), store.size() + 1):
        prefix = Prefix(store, position, root)
        assert prefix.size() == position
        checked = check(prefix)
        assert checked.integrity == "ok", (position, checked.findings)
        assert checked.events == position
        theirs = [entry.raw for entry in store.entries(1, position)]
        assert [entry.raw for entry in prefix.entries(1)] == theirs
        assert [entry.raw for entry in prefix.entries(1, position)] == theirs


def test_written_down_it_is_the_same_record(store, tmp_path):
    place = Workspace.open(tmp_path)
    prefix = Prefix(store, 7, check(store).root)
    log = ForkLog(prefix, place)
    assert not log.directory.exists()
    log.take_up(lambda: None)
    assert log.finish()[0] == 7
    (run,) = place.runs()
    assert (run.run, run.state) == (prefix.started.run, "open")
    reader = DuckDBStore.open(log.directory, read_only=True)
    try:
        assert check(reader).root == check(prefix).root
        assert [e.raw for e in reader.entries()] == [e.raw for e in prefix.entries()]
    finally:
        reader.close()


@pytest.mark.parametrize("position", [0, -1, 10_000])
def test_a_position_that_is_none_is_refused_with_those_that_are(store, position):
    with pytest.raises(UsageError, match=rf"events \d+ to {store.size() - 1}") as refused:
        Prefix(store, position, check(store).root)
    assert refused.value.where == f"--at {position - 1}"


def test_what_policies_decided_about_it_stands_behind_its_entry_in_the_workspace(store, tmp_path):
    decided = AdmissionDecided(
        subject="code",
        name="agents.py",
        digest="",
        verdict="allow",
        judged="deny",
        mode="observe",
        policies=("1" * 64,),
        reasons=(("no-rule", "no rule is about a code"),),
    )
    prefix = Prefix(store, first_position(store), check(store).root)
    place = Workspace.open(tmp_path / "w")
    log = ForkLog(prefix, place, (decided,))
    log.take_up(lambda: None)
    log.finish()

    registered, said = (payload for _, payload in place.payloads()[1:3])
    assert isinstance(registered, RunRegistered)
    assert isinstance(said, RunAdmitted)
    assert (said.run, said.action, said.judged) == (prefix.started.run, "fork", "deny")
    assert place.verify().integrity == "ok"
