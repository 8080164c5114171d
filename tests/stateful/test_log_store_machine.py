"""The DuckDB store does what the memory store does, through any sequence of operations.

A crash is imitated by opening a copy of the directory as it lies there, write-ahead file, journal
and all. How much the journal takes before the database does is drawn.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from replay.log import journal
from replay.log.duckdb_store import DuckDBStore
from replay.log.memory import MemoryStore
from tests.contract.entries import Chain, lean_lines


class StoreMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="ritornello-store-"))
        self.copies = 0
        self.directory = self.root / "run"
        self.store = DuckDBStore.create(self.directory)
        self.model = MemoryStore()
        self.readings = []
        self.room = journal.JOURNAL_ROWS_MAX

    @initialize(seed=st.integers(0, 2**32), room=st.sampled_from([0, 7, 60, 2048]))
    def begin(self, seed, room):
        self.chain = Chain(seed)
        vars(journal)["JOURNAL_ROWS_MAX"] = room

    @rule(count=st.integers(1, 40))
    def append(self, count):
        entries = self.chain.take(count)
        self.store.append(entries)
        self.model.append(entries)

    @rule(counts=st.lists(st.integers(1, 3), max_size=5))
    def append_in_small_batches(self, counts):
        for count in counts:
            self.append(count)

    @rule()
    def begin_a_reading(self):
        """It goes on while more is appended, and sees what was there when it began."""
        reading, expected = self.store.entries(), list(self.model.entries())
        begun = next(reading, None)  # a reading begins where its first record is asked for
        self.readings.append((reading, expected, [] if begun is None else [begun]))

    @rule()
    def end_the_readings(self):
        for reading, expected, read in self.readings:
            read.extend(reading)
            assert read == expected
        self.readings.clear()

    @rule(wanted=st.sampled_from([(), ("EffectStarted", "RunStarted"), ("OutputWritten",)]))
    def read_lean(self, wanted):
        assert lean_lines(self.store, wanted) == lean_lines(self.model, wanted)

    @rule()
    def close_and_open(self):
        self.end_the_readings()
        self.store.close()
        self.store = DuckDBStore.open(self.directory, read_only=False)

    @rule(goes_on=st.booleans())
    def crash(self, goes_on):
        self.copies += 1
        copy = self.root / f"copy{self.copies}"
        # Copying in this process drops DuckDB's own lock; here nobody else opens the original.
        shutil.copytree(self.directory, copy)
        if goes_on:
            self.end_the_readings()
            self.store.close()
            self.directory = copy
            self.store = DuckDBStore.open(copy, read_only=False)
        else:
            reader = DuckDBStore.open(copy)
            assert list(reader.entries()) == list(self.model.entries())
            assert list(reader.check_columns()) == []
            reader.close()

    @precondition(lambda self: self.model.size() > 0)
    @rule(data=st.data())
    def read_a_range(self, data):
        first = data.draw(st.integers(0, self.model.size()))
        last = data.draw(st.none() | st.integers(0, self.model.size() + 3))
        assert list(self.store.entries(first, last)) == list(self.model.entries(first, last))

    @precondition(lambda self: self.model.size() > 0)
    @rule(data=st.data())
    def read_parts(self, data):
        end = len(self.model.salts(0, 2**40))
        ordinals = data.draw(st.lists(st.integers(0, end - 1), max_size=8))
        assert self.store.parts(ordinals) == self.model.parts(ordinals)

    @rule(first=st.integers(0, 60), last=st.integers(0, 200))
    def read_salts(self, first, last):
        assert self.store.salts(first, last) == self.model.salts(first, last)

    @invariant()
    def sizes_agree(self):
        assert self.store.size() == self.model.size()

    def teardown(self):
        vars(journal)["JOURNAL_ROWS_MAX"] = self.room
        self.end_the_readings()
        assert list(self.store.entries()) == list(self.model.entries())
        self.store.close()
        shutil.rmtree(self.root)


StoreMachine.TestCase.settings = settings(
    max_examples=16, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck)
)
TestStoreMachine = StoreMachine.TestCase
