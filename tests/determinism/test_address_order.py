"""Where an ordinary loop takes an order from memory addresses, ours takes it from the program."""

import asyncio
from contextlib import closing

import pytest

from replay.log.duckdb_store import DuckDBStore
from replay.session.record import record_program
from replay.session.replay import replay_log
from tests.determinism.hazards import HAZARDS, many_tasks, noise
from tests.determinism.programs import captured

ROUNDS = 6


@pytest.mark.sample(3)
@pytest.mark.parametrize("main", HAZARDS, ids=lambda main: main.__name__)
def test_the_stock_loop_varies_with_the_heap(main):
    outputs = set()
    for seed in range(ROUNDS * 5):
        kept = noise(seed)
        with captured() as out:
            asyncio.run(main())
        outputs.add(out.getvalue())
        del kept
        if len(outputs) > 1:
            return
    pytest.fail(f"always {outputs}")


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    "main",
    [
        pytest.param(main, marks=pytest.mark.full if number > 1 else ())
        for number, main in enumerate(HAZARDS)
    ],
    ids=lambda main: main.__name__,
)
def test_ours_gives_one_order_whatever_the_heap(main, tmp_path):
    with captured() as out:
        recording = record_program(
            lambda: asyncio.run(main()), workspace=tmp_path, entry="drawn", dialects=()
        )
    expected = out.getvalue()
    assert recording.error is None
    for seed in range(ROUNDS):
        kept = noise(seed)
        if seed % 3 == 0:
            # Tasks of a loop that is not of the run leave traces in asyncio's own tables.
            with captured():
                asyncio.run(many_tasks())
        store = DuckDBStore.open(recording.directory, read_only=True)
        with closing(store), captured() as out:
            report = replay_log(store, lambda: asyncio.run(main()), dialects=())
        assert report.verdict == "identical", report.divergence
        assert out.getvalue() == expected
        del kept
