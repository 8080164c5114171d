"""Every write point of a recording and of an export, failing in each way a call can fail.

A call fails before anything happened, or it happened and the answer was lost; once, or from then
on. Then everything is opened again with nothing in the way, and checked in full from the files.

    refused    the recording was never begun: an error, and no line of the program ran
    stopped    an error; the run is open, and holds all that anybody outside has seen
    unclosed   an error; the run is sealed, and the workspace log may not say that it is closed
    sealed     no error, and nothing is missing
"""

from __future__ import annotations

import io

import msgspec
import pytest

from replay.doors.effects import effect
from replay.errors import LogError, ReplayError
from replay.log.duckdb_store import DuckDBStore
from replay.log.fsck import check
from replay.log.head import read_head
from replay.log.workspace import Workspace
from replay.session.record import record_program
from replay.session.replay import replay_log
from tests.fault.failing import Disk, on_disk

UNDO = "workspace record: flush and workspace record: undo"
CUT = "journal: flush and journal: cut"
LAST_CUT = "journal of the seal: flush and journal: cut"
#: (point, calls that go well before) and what comes of it: not done and once, not done and from
#: then on, done but the answer lost and once, the same and from then on.
POINTS = [
    # the workspace record that a run begins
    ("workspace record: write", 0, "refused refused refused refused"),
    ("workspace record: flush", 0, "refused refused refused refused"),
    (UNDO, 0, "refused refused refused refused"),
    ("head of the workspace: write", 0, "refused refused refused refused"),
    ("head of the workspace: rename", 0, "refused refused refused refused"),
    ("directory of runs: flush", 0, "refused refused refused refused"),
    # the empty log
    ("tables of the new log", 0, "refused refused refused refused"),
    ("checkpoint of the new log", 0, "refused refused refused refused"),
    ("directory of the run: flush", 0, "refused refused refused refused"),
    # commits to the journal, and what follows one
    ("journal: write", 0, "stopped stopped stopped stopped"),
    ("journal: write", 2, "stopped stopped stopped stopped"),
    ("journal: flush", 0, "stopped stopped stopped stopped"),
    ("journal: flush", 2, "stopped stopped stopped stopped"),
    (CUT, 0, "stopped stopped stopped stopped"),
    (CUT, 3, "stopped stopped stopped stopped"),
    ("head of the run: write", 0, "stopped stopped stopped stopped"),
    ("head of the run: rename", 0, "stopped stopped stopped stopped"),
    # the seal
    ("journal of the seal: write", 0, "stopped stopped stopped stopped"),
    ("journal of the seal: flush", 0, "stopped stopped stopped stopped"),
    (LAST_CUT, 0, "stopped unclosed stopped stopped"),
    ("last head of the run: write", 0, "unclosed unclosed unclosed unclosed"),
    ("last head of the run: rename", 0, "unclosed unclosed unclosed unclosed"),
    # closing the log: what is durable needs none of it
    ("commit of the seal", 0, "sealed sealed sealed sealed"),
    ("checkpoint at the end", 0, "sealed sealed sealed sealed"),
    ("closing the log", 0, "unclosed unclosed unclosed unclosed"),
    # the workspace record that a run ends
    ("workspace record: write", 1, "unclosed unclosed unclosed unclosed"),
    ("workspace record: flush", 1, "unclosed unclosed unclosed unclosed"),
    (UNDO, 1, "unclosed unclosed unclosed unclosed"),
    ("head of the workspace: write", 1, "unclosed unclosed unclosed unclosed"),
    ("head of the workspace: rename", 1, "unclosed unclosed unclosed unclosed"),
]
#: The same where the journal has little room or none, so that the database takes what it holds.
TAKEN = [
    ("commit", 0, "stopped stopped stopped stopped"),
    ("commit", 2, "stopped stopped stopped stopped"),
    ("directory of the run: flush", 1, "stopped stopped stopped stopped"),
    ("checkpoint beside commits", 0, "stopped stopped stopped stopped"),
    ("journal: cut", 0, "stopped stopped stopped stopped"),
    ("commit of the seal", 0, "stopped stopped unclosed unclosed"),
]
SAMPLE = {
    ("commit", True, False),
    ("journal: flush", True, False),
    ("journal: cut", True, False),
    ("commit of the seal", True, False),
    ("directory of the run: flush", True, False),
    ("workspace record: flush", True, False),
    (UNDO, False, True),
}
#: Their neighbours above and below fail in the same way.
NEXT_TO = {
    "directory of runs: flush",
    "directory of the run: flush",
    "head of the run: write",
    "head of the workspace: write",
    "journal: write",
    "journal of the seal: write",
    "last head of the run: write",
    "tables of the new log",
    "workspace record: flush",
}
FULL = [pytest.mark.full]
KINDS = [(False, False), (False, True), (True, False), (True, True)]


def in_sample(point, *, happens, lasts):
    once = not (happens or lasts)
    return (point, happens, lasts) in SAMPLE or (once and point not in NEXT_TO)


ROWS = [
    pytest.param(
        point,
        skip,
        happens,
        lasts,
        outcome,
        room,
        id=f"{point} {skip}, {'answer lost' if happens else 'not done'}, "
        f"{'for good' if lasts else 'once'}{'' if room is None else f', journal of {room}'}",
        marks=[] if in_sample(point, happens=happens, lasts=lasts) else FULL,
    )
    for point, skip, outcomes, room in [
        *[(*row, None) for row in POINTS],
        *[(*row, 0) for row in TAKEN if row[0] != "journal: cut"],
        # With some room it depends on the time which batch finds none.
        *[(*row, 8) for row in TAKEN if row[:2] in {("commit", 0), ("journal: cut", 0)}],
    ]
    for (happens, lasts), outcome in zip(KINDS, outcomes.split(), strict=True)
]


class Observer:
    """Everything that the world outside has seen of a program."""

    def __init__(self):
        self.effects = []
        self.output = io.BytesIO()

    def program(self):
        @effect(name="look up")
        def look_up(number):
            self.effects.append(number)
            return number * 2

        for number in range(4):
            print("found", look_up(number))

    def watch(self, monkeypatch):
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(self.output, write_through=True))


def effects_in(entries):
    """Numbers of the effects that are on record."""
    parts = {part.ordinal: part.data for entry in entries for part in entry.brought}
    return [
        msgspec.json.decode(b"".join(parts[ref] for ref in entry.parts))["arguments"]["number"]
        for entry in entries
        if entry.header.kind == "EffectStarted"
    ]


def reopened(directory):
    """Open a run with the real engine and check all of it from the files."""
    store = DuckDBStore.open(directory)
    try:
        return check(store, head=read_head(directory)), list(store.entries())
    finally:
        store.close()


def recomputed(directory, monkeypatch):
    """What the program writes when it is given the durable records alone."""
    again = Observer()
    again.watch(monkeypatch)
    store = DuckDBStore.open(directory)
    try:
        report = replay_log(store, again.program, dialects=())
    finally:
        store.close()
    assert again.effects == []
    return report.verdict, again.output.getvalue()


@pytest.mark.sample(3)
@pytest.mark.parametrize(("point", "skip", "happens", "lasts", "outcome", "room"), ROWS)
def test_a_recording_loses_nothing_that_was_seen(
    tmp_path, monkeypatch, point, skip, happens, lasts, outcome, room
):
    if room is not None:
        monkeypatch.setattr("replay.log.journal.JOURNAL_ROWS_MAX", room)
    if "checkpoint beside" in point:
        monkeypatch.setattr("replay.log.duckdb_store.CHECKPOINT_WAL_BYTES", 1)
    seen = Observer()
    seen.watch(monkeypatch)
    error = None
    with pytest.MonkeyPatch.context() as patched:
        disk = on_disk(Disk(point, happens=happens, lasts=lasts, skip=skip), patched.setattr)
        try:
            record_program(seen.program, workspace=tmp_path / "w", entry="t", dialects=())
        except ReplayError as raised:
            error = raised
    disk.let_go()

    assert disk.hit
    workspace = Workspace.open(tmp_path / "w", create=False)
    assert workspace.verify().integrity == "ok"
    directories = sorted((tmp_path / "w" / "runs").iterdir())
    assert (error is None) == (outcome == "sealed")
    if error is not None:
        assert isinstance(error, LogError)
        assert "No space left" in error.message
        assert error.where
    if outcome == "refused":
        assert (seen.effects, seen.output.getvalue()) == ([], b"")
        assert not [path for each in directories for path in each.glob("log.*")]
    else:
        checked, entries = reopened(directories[0])
        assert (checked.integrity, checked.head in {"matches", "behind", "absent"}) == ("ok", True)
        assert checked.completeness == ("open" if outcome == "stopped" else "sealed")
        assert set(seen.effects) <= set(effects_in(entries))
        verdict, output = recomputed(directories[0], monkeypatch)
        assert verdict == ("incomplete" if outcome == "stopped" else "identical")
        assert output.startswith(seen.output.getvalue())
    # Nothing of it is in the way of the next run.
    workspace.register("next", "t", 1)
    assert workspace.verify().integrity == "ok"
