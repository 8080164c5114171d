"""Record a program for real, replay it, and show both."""

import asyncio
from contextlib import closing
from dataclasses import dataclass

from replay.events.entry import Entry
from replay.log.duckdb_store import DuckDBStore
from replay.session.record import Recording, record_program
from replay.session.replay import replay_log
from replay.session.report import Report
from tests.determinism.programs import captured


@dataclass(frozen=True)
class Rerun:
    """A recording, what it wrote, and the same of its replay."""

    recording: Recording
    entries: list[Entry]
    report: Report
    live: str
    again: str

    @property
    def lines(self) -> list[str]:
        return self.live.splitlines()


def rerun(main, workspace, *, changed=None) -> Rerun:
    """Record a coroutine function and replay it, or what it was changed into."""
    return rerun_program(
        lambda: asyncio.run(main()),
        workspace,
        changed=None if changed is None else lambda: asyncio.run(changed()),
    )


def rerun_program(program, workspace, *, changed=None) -> Rerun:
    """Record a function and replay it, or what it was changed into."""
    with captured() as out:
        recording = record_program(program, workspace=workspace, entry="test", dialects=())
    store = DuckDBStore.open(recording.directory, read_only=True)
    with closing(store), captured() as again:
        entries = list(store.entries())
        report = replay_log(store, changed or program, dialects=())
    return Rerun(recording, entries, report, out.getvalue().decode(), again.getvalue().decode())


def identical(main, workspace) -> Rerun:
    """Record and replay; both must be the same."""
    found = rerun(main, workspace)
    assert found.report.verdict == "identical", found.report
    assert found.report.root_replayed == found.recording.root
    assert found.again == found.live
    return found
