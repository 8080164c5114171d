"""An input that is gone makes a replay `erased`, whatever the program catches."""

import asyncio
import time
from contextlib import closing

import msgspec
import pytest

from replay.doors.effects import effect
from replay.log.duckdb_store import DuckDBStore
from replay.log.memory import MemoryStore
from replay.session.record import record_program
from replay.session.replay import replay_log
from tests.determinism.programs import captured


@effect
async def answer() -> str:
    return "async"


@effect
def answer_now() -> str:
    return "sync"


async def _reads():
    try:
        time.time()
    except Exception:
        print("swallowed")


async def _asks():
    try:
        await answer()
    except Exception:
        print("swallowed")
    finally:
        print("after")


async def _asks_in_a_thread():
    def work():
        try:
            answer_now()
        except Exception:
            print("swallowed")

    await asyncio.to_thread(work)


@pytest.mark.parametrize(
    ("main", "kind"),
    [(_reads, "ReadingsTaken"), (_asks, "EffectReturned"), (_asks_in_a_thread, "EffectReturned")],
)
def test_a_program_cannot_catch_that_its_input_is_gone(main, kind, tmp_path):
    def program():
        return asyncio.run(main())

    with captured():
        recording = record_program(program, workspace=tmp_path, entry="test", dialects=())
    with closing(DuckDBStore.open(recording.directory, read_only=True)) as recorded:
        entries = list(recorded.entries())
    number = next(n for n, entry in enumerate(entries) if entry.header.kind == kind)
    gone = tuple(
        msgspec.structs.replace(part, data=None, salt=b"", state="erased")
        for part in entries[number].brought
    )
    entries[number] = msgspec.structs.replace(entries[number], brought=gone)
    store = MemoryStore()
    store.append(entries)
    with captured() as out:
        report = replay_log(store, program, dialects=())
    assert (report.verdict, report.divergence) == ("erased", None)
    assert report.notes
    assert out.getvalue() == b""
