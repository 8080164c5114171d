"""A process that records until it is killed, and says on its standard output what is durable.

Arguments: directory, seed, records there, checkpoint threshold in bytes, records of a batch.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from replay.log import duckdb_store
from replay.log.duckdb_store import DuckDBStore
from replay.log.head import head_writer
from replay.log.writer import Writer
from tests.contract.entries import Chain


def main(directory: Path, seed: int, there: int, threshold: int, batch: int) -> None:
    vars(duckdb_store)["CHECKPOINT_WAL_BYTES"] = threshold
    run = Chain(seed)
    run.take(there)
    store = DuckDBStore.open(directory, read_only=False)
    writer = Writer(store, on_commit=head_writer(directory, "R"))

    def acknowledge(seq: int) -> None:
        os.write(1, b"%d\n" % (seq + 1))

    os.write(1, b"ready\n")
    while True:
        seq = run.seq
        for entry in run.take(batch):
            writer.submit(entry)
        writer.after(run.seq - 1, partial(acknowledge, run.seq - 1))
        if seq % 7 == 0:
            writer.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:6]))
