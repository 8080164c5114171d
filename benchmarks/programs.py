"""The programs that are measured, and runs of them to measure with."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path

from replay import Recording, effect
from replay.log.duckdb_store import DuckDBStore
from replay.session.record import record_program

__all__ = ["PAYLOADS", "awaiting", "recorded", "work_directory"]

#: Bytes of the argument and of the answer of one effect, near enough.
PAYLOADS = (300, 4096)
#: What the record adds to the text of a payload: kind, name, and the keys around it.
_FRAME_BYTES = 60


@effect
async def ask(question: str) -> dict[str, str]:
    """Answer with the question: the payload out is the payload in."""
    return {"answer": question}


def awaiting(effects: int, size_bytes: int, *, workers: int = 1) -> Callable[[], object]:
    """Return a program that awaits so many effects, one after another in each worker."""
    text = "x" * (size_bytes - _FRAME_BYTES)

    async def work(first: int) -> None:
        for number in range(first, effects, workers):
            await ask(f"{number:08d}{text[8:]}")

    async def main() -> None:
        if workers == 1:
            await work(0)
        else:
            await asyncio.gather(*(work(first) for first in range(workers)))

    return _running(main)


def _running(main: Callable[[], Coroutine[object, object, None]]) -> Callable[[], object]:
    return lambda: asyncio.run(main())


@contextmanager
def work_directory() -> Iterator[Path]:
    """Give a directory on the disk that a workspace would lie on, and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as name:
        yield Path(name)


@contextmanager
def recorded(program: Callable[[], object]) -> Iterator[tuple[DuckDBStore, Recording[object]]]:
    """Record a program, and give its log, open for reading."""
    with work_directory() as directory:
        run = record_program(program, entry="benchmark", workspace=directory, dialects=())
        run.result()
        store = DuckDBStore.open(run.directory, read_only=True)
        try:
            yield store, run
        finally:
            store.close()
