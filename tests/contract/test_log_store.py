"""Every store of a run's records keeps the promises of the port."""

from __future__ import annotations

import pytest

from replay.log.duckdb_store import DuckDBStore
from replay.log.memory import MemoryStore
from tests.contract.log_store import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore()


class TestDuckDBStore(StoreContract):
    @pytest.fixture(params=[2048, 3, 0], ids=["journal", "little journal", "no journal"])
    def room(self, request, monkeypatch):
        monkeypatch.setattr("replay.log.journal.JOURNAL_ROWS_MAX", request.param)

    @pytest.fixture
    def store(self, tmp_path, room):
        self.directory = tmp_path / "run"
        self.opened = [DuckDBStore.create(self.directory)]
        yield self.opened[0]
        for store in self.opened:
            store.close()

    def reopen(self, store):
        store.close()
        self.opened.append(DuckDBStore.open(self.directory, read_only=False))
        return self.opened[-1]
