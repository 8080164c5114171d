"""A program of 200 effects, killed anywhere and at every write point: nothing seen is lost."""

from __future__ import annotations

import random
import signal

import msgspec
import pytest

from replay.log.duckdb_store import DuckDBStore
from replay.log.fsck import check
from replay.log.head import read_head
from replay.log.workspace import Workspace
from tests.cli.conftest import Place
from tests.fault.kills import EFFECTS, REQUEST_EVERY, Provider, bytes_of, killed

FULL = [pytest.mark.full]
#: In `make test` and beyond it: at random, and aimed at (point, calls that go well before, when).
RANDOM = 2
RANDOM_FULL = 61
AIMED = [
    ("commit", 0, "during"),
    ("commit", 33, "before"),
    ("commit", 57, "during"),
    ("checkpoint beside commits", 6, "during"),
    ("checkpoint beside commits", 2, "after"),
    ("commit of the seal", 0, "during"),
    ("journal: flush", 90, "during"),
    ("journal: cut", 40, "before"),
    ("last head of the run: rename", 0, "before"),
    ("workspace record: write", 1, "after"),
]
AIMED_FULL = [
    ("commit", 0, "before"),
    ("commit", 0, "after"),
    *[("commit", skip, "during") for skip in range(5, 95, 9)],
    *[("commit", skip, "after") for skip in (3, 88)],
    *[("checkpoint beside commits", skip, "during") for skip in range(0, 100, 12)],
    ("checkpoint beside commits", 0, "before"),
    ("commit of the seal", 0, "before"),
    ("commit of the seal", 0, "after"),
    ("journal: write", 0, "before"),
    ("journal: write", 120, "after"),
    *[("journal: flush", skip, "during") for skip in range(7, 150, 30)],
    ("journal: flush", 60, "after"),
    ("journal: cut", 0, "after"),
    ("journal: cut", 70, "during"),
    ("journal of the seal: flush", 0, "before"),
    ("journal of the seal: flush", 0, "after"),
    ("head of the run: write", 2, "after"),
    ("head of the run: rename", 3, "before"),
    ("head of the run: rename", 3, "after"),
    ("last head of the run: write", 0, "during"),
    ("last head of the run: rename", 0, "after"),
    ("checkpoint at the end", 0, "before"),
    ("checkpoint at the end", 0, "during"),
    ("checkpoint at the end", 0, "after"),
    ("closing the log", 0, "before"),
    ("closing the log", 0, "after"),
    ("workspace record: write", 1, "before"),
    ("workspace record: flush", 1, "during"),
    ("head of the workspace: rename", 1, "before"),
    ("head of the workspace: rename", 1, "after"),
]
#: After these the run has its seal.
SEALED = {"last head of the run", "checkpoint at the end", "closing the log"}


@pytest.fixture(scope="module")
def provider():
    with Provider() as server:
        yield server
        server.shutdown()


class Durable:
    """What the reopened log says of the effects and requests of the program."""

    def __init__(self, directory):
        self.started, self.returned, self.requests = set(), set(), set()
        store = DuckDBStore.open(directory)
        self.checked = check(store, head=read_head(directory))
        self.entries = list(store.entries())
        store.close()
        numbers, parts = {}, []
        for entry in self.entries:
            parts += [part.data for part in entry.brought]
            header = entry.header
            data = b"".join(parts[ref] for ref in entry.parts)
            if header.kind == "EffectStarted":
                numbers[header.seq] = msgspec.json.decode(data)["arguments"]["number"]
                self.started.add(numbers[header.seq])
            elif header.kind == "EffectReturned":
                self.returned.add(numbers[header.answers or 0])
            elif header.kind == "RequestSent":
                numbers[header.seq] = int(data.rpartition(b"\n")[2])
                self.requests.add(numbers[header.seq])
            elif header.kind == "ChunksReceived":
                self.returned.add(numbers[header.answers or 0])


def shown(output):
    """Numbers in the whole lines of an output; the last one may be cut by the kill."""
    lines = output.decode().split("\n")[:-1]
    for number, line in enumerate(lines):
        assert line == f"{number} gave {number * (2 if number % REQUEST_EVERY else 3)}"
    return set(range(len(lines)))


def lost(left, durable):
    """What somebody outside has seen and the durable records do not hold."""
    return (
        {("effect", n) for n in set(left.effects) - durable.started}
        | {("request", n) for n in set(left.requests) - durable.requests}
        | {("shown", n) for n in shown(left.output) - durable.returned}
    )


def verify_what_is_left(left, *, sealed):
    """Nothing is lost, the end is named, and looking changes no byte.

    A resumed run begins where this ends: the next step of a kill test is ``then resume``, with
    ``left.workspace`` and ``left.directory``.
    """
    durable = Durable(left.directory)
    assert lost(left, durable) == set()
    assert durable.checked.integrity == "ok"
    assert durable.checked.completeness == ("sealed" if sealed else "open")
    assert durable.checked.head != "ahead"
    workspace = Workspace.open(left.workspace, create=False).verify()
    assert workspace.integrity == "ok"

    before = bytes_of(left.workspace)
    place = Place(left.workspace.parent)
    told = [
        place.look(*words, left.directory.name, "--workspace", left.workspace, "--json")
        # Without what an earlier check remembers, which would change the answer of the second.
        for words in (("verify", "--no-memory"), ("show",), ("events",), ("verify", "--no-memory"))
    ]
    assert bytes_of(left.workspace) == before
    verified, showed, events, again = told
    assert verified.out == again.out
    assert verified.code == (0 if sealed else 1)
    assert verified.report["integrity"] == "ok"
    assert verified.report["completeness"] == ("sealed" if sealed else "open")
    assert verified.report["events"] == len(durable.entries) == len(events.report["events"])
    if durable.entries:
        assert showed.code == 0
        last = events.report["events"][-1]["header"]
        assert last["kind"] == durable.entries[-1].header.kind


def _seeded(count, first=0):
    return [random.Random(seed).randrange(1, EFFECTS - 12) for seed in range(first, first + count)]


@pytest.mark.parametrize(
    "after",
    [*_seeded(RANDOM), *[pytest.param(n, marks=FULL) for n in _seeded(RANDOM_FULL, RANDOM)]],
)
def test_a_run_killed_anywhere_holds_all_that_was_seen(tmp_path, provider, after):
    left = killed(tmp_path / "w", provider, after=after)

    assert left.status == -signal.SIGKILL
    assert len(left.effects) >= after
    verify_what_is_left(left, sealed=False)


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("point", "skip", "when"), [*AIMED, *[pytest.param(*row, marks=FULL) for row in AIMED_FULL]]
)
def test_a_run_killed_at_a_write_point_holds_all_that_was_seen(
    tmp_path, provider, point, skip, when
):
    left = killed(tmp_path / "w", provider, point=point, skip=skip, when=when)

    assert left.status == -signal.SIGKILL
    sealed = point.partition(":")[0] in SEALED or "workspace" in point
    # What was written survives a kill, flushed or not.
    sealed |= point == "journal of the seal: flush"
    if point == "commit of the seal":
        # It is there whole or not at all.
        sealed = when == "after" or (
            when == "during" and Durable(left.directory).checked.completeness == "sealed"
        )
    verify_what_is_left(left, sealed=sealed)


def test_a_writer_that_says_durable_too_early_is_found_out(tmp_path, provider):
    left = killed(tmp_path / "w", provider, after=50, early=True)

    assert lost(left, Durable(left.directory))
