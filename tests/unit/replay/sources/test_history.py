"""What a replay reads of its recording: inputs whole, of the rest the header bytes alone."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec
import pytest

import replay
from replay.events.kinds import role_of
from replay.log.memory import MemoryStore
from replay.session.opening import open_run
from replay.session.replay import replay_log
from replay.sources.history import ErasedPayloadError, History
from tests.contract.entries import chain

replace = msgspec.structs.replace


@replay.effect
async def ask(question: str) -> str:
    return question.upper()


def program(*questions: str):
    async def main():
        for question in questions:
            print(await ask(question))

    return main


def replayed(log, *questions: str):
    return replay_log(log, lambda: asyncio.run(program(*questions)()), dialects=())


class Watched(MemoryStore):
    """Counts the records that are read whole."""

    def __init__(self, entries):
        super().__init__()
        self.append(entries)
        self.whole_readings = 0
        self.lines = []

    def entries(self, first=0, last=None, **options):
        self.whole_readings += 1
        return super().entries(first, last, **options)

    def lean(self, wanted, **options):
        for batch in super().lean(wanted, **options):
            self.lines += batch
            yield batch


@pytest.fixture
def recorded(tmp_path):
    replay.record(program("one", "two", "three"), workspace=tmp_path, dialects=())
    with contextlib.closing(open_run("last", workspace=tmp_path)) as log:
        return list(log.entries())


def test_an_identical_replay_reads_no_derived_record_but_its_header_bytes(recorded):
    watched = Watched(recorded)
    assert replayed(watched, "one", "two", "three").verdict == "identical"

    derived = [line for line in watched.lines if isinstance(line, bytes)]

    assert watched.whole_readings == 2  # the check's, and the one that the lean one is made of
    assert derived == [e.raw for e in recorded if role_of(e.header.kind) == "derived"]


def test_a_difference_is_explained_from_the_whole_records(recorded):
    report = replayed(Watched(recorded), "one", "too", "three")

    divergence = report.divergence
    assert report.verdict == "diverged"
    assert divergence is not None
    assert (divergence.category, divergence.recorded_kind) == ("changed", "EffectStarted")
    (change,) = [field for field in divergence.fields if field.path == "arguments.question"]
    assert (change.recorded, change.replayed) == ("two", "too")
    assert divergence.recorded_place is not None
    assert divergence.candidate == divergence.seq


def test_records_not_taken_yet_are_found_whole_by_kind_and_as_inputs():
    entries = chain(40, seed=6)
    store = MemoryStore()
    store.append(entries)
    history = History(store)

    for entry in entries:
        seq, derived = entry.header.seq, role_of(entry.header.kind) == "derived"
        assert history.entry(seq) == history.whole(seq) == entry
        assert history.kind(seq) == entry.header.kind
        assert history.input(seq) == (None if derived else entry)
        assert history.take(seq) == entry.raw
        assert history.entry(seq) is None
        assert history.input(seq) is None
        assert history.whole(seq) == entry
    assert history.take(len(entries)) is None
    assert history.kind(len(entries)) is None
    assert history.whole(len(entries)) is None


def test_an_erased_input_is_erased_and_not_missing():
    entries = chain(20, seed=6)
    place = next(n for n, e in enumerate(entries) if e.header.kind == "EffectReturned")
    part = replace(entries[place].brought[0], data=None, salt=b"", state="erased")
    entries[place] = replace(entries[place], brought=(part,))
    store = MemoryStore()
    store.append(entries)
    history = History(store)
    found = history.input(place)
    assert found is not None

    with pytest.raises(ErasedPayloadError, match="payload is erased"):
        history.payload(found)
