"""Verification of a run, against the hashes and the decoder that it cannot do without.

Workload: a recorded run of effects of 300 bytes, about 230 bytes of header a record, one part each.
The bare loop reads the same rows of DuckDB with the same query, batch by batch, and for each record
decodes the header, encodes it again, compares the bytes, hashes them into a leaf and the leaf into
the tree; for each part it computes the commitment from salt and data and compares it; for each
payload it computes the commitment of its list and compares it with the header's (in this run a
payload brings all its parts). It checks no rule
(causes, Lamport times, roles, order, sizes, seal). In memory the rows are those objects already.
Processor time is measured.

Expectation, before the number, on a 2 GHz core: fetching the rows 1.5 us a record, decoding and
encoding 1.8, leaf and tree 1.3, part 0.9, payload 0.7: 6 us bare. The check adds the objects that
a reader hands out and the rules: 3 us, so 0.7.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import duckdb
import msgspec

from benchmarks.measuring import Figure, at_least, in_turn, processor_seconds_of
from benchmarks.programs import PAYLOADS, awaiting, recorded
from replay.events.digest import part_commitment, payload_commitment_of
from replay.events.header import Header
from replay.log.duckdb_schema import LOG_NAME
from replay.log.duckdb_store import DuckDBStore
from replay.log.fsck import check
from replay.log.memory import MemoryStore
from replay.tree import Frontier, event_leaf

__all__ = ["TINY", "figures"]

TINY = {"effects": 20, "rounds": 1}

#: Header or data, ordinal, what is written of a part.
_Row = tuple[bytes, int | None, bytes]

_ROWS = """
SELECT data, ordinal, about FROM log
WHERE seq >= ? AND seq < ? ORDER BY seq, ordinal NULLS FIRST
"""
_BATCH = 4096


def figures(effects: int = 10_000, rounds: int = 9) -> list[Figure]:
    """Measure the check over DuckDB and over memory."""
    program = awaiting(effects, PAYLOADS[0], workers=min(50, effects))
    with recorded(program) as (log, run):
        memory = MemoryStore()
        memory.append(list(log.entries()))
        log.close()
        with duckdb.connect(str(run.directory / LOG_NAME), read_only=True) as connection:
            rows = [row for batch in _batches(connection, run.events) for row in batch]

        def read_bare() -> float:
            with duckdb.connect(str(run.directory / LOG_NAME), read_only=True) as connection:
                return processor_seconds_of(
                    lambda: _expect(run.root, _bare(_batches(connection, run.events)))
                )

        def read_checked() -> float:
            store = DuckDBStore.open(run.directory, read_only=True)
            try:
                return processor_seconds_of(lambda: _expect(run.root, check(store).root))
            finally:
                store.close()

        checked, bare, in_memory, bare_in_memory = in_turn(
            rounds,
            read_checked,
            read_bare,
            lambda: processor_seconds_of(lambda: _expect(run.root, check(memory).root)),
            lambda: processor_seconds_of(lambda: _expect(run.root, _bare([rows]))),
        )
    return [
        _figure("verify from DuckDB", checked, bare, run.events),
        _figure("verify from memory", in_memory, bare_in_memory, run.events),
    ]


def _figure(what: str, checked: list[float], bare: list[float], events: int) -> Figure:
    return Figure(
        what=f"{what}: records",
        unit="/s",
        samples=[events / seconds for seconds in checked],
        bare=[events / seconds for seconds in bare],
        more_is_better=True,
        ratio_target=at_least(0.7) if "DuckDB" in what else None,
    )


def _batches(connection: duckdb.DuckDBPyConnection, events: int) -> Iterable[Sequence[_Row]]:
    for first in range(0, events, _BATCH):
        rows = connection.execute(_ROWS, [first, first + _BATCH]).fetchall()
        yield cast("Sequence[_Row]", rows)


def _bare(batches: Iterable[Sequence[_Row]]) -> str:
    """Decode, encode, compare and hash; return the root."""
    decode, encode = msgspec.json.Decoder(Header).decode, msgspec.json.Encoder().encode
    frontier = Frontier()
    listed, expected = b"", ""
    for batch in batches:
        for raw, ordinal, about in batch:
            if ordinal is not None:
                if part_commitment(about[41:], raw) != about[9:41]:
                    raise SystemExit("the run to measure with is damaged")
                listed += len(raw).to_bytes(8, "little") + about[9:41]
                continue
            # The list of the record before is complete; empty where it brought no part of its own.
            if listed and payload_commitment_of(listed) != expected:
                raise SystemExit("the run to measure with is damaged")
            header = decode(raw)
            if encode(header) != raw:
                raise SystemExit("the run to measure with is damaged")
            frontier.append(event_leaf(raw))
            listed, expected = b"", header.commitment
    return frontier.root().hex()


def _expect(root: str, found: str) -> None:
    if found != root:
        raise SystemExit("the loop reached another root than the recording")
