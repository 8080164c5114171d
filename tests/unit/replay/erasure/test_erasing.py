"""A sentence of a streamed chat is erased: everywhere, for good, with a reason, or not at all."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from orchestrator.cli.searching.exchange_texts import ExchangeTexts
from orchestrator.dialects.anthropic import dialect
from replay.erasure import plan as plan_module
from replay.erasure.erasing import carry_out
from replay.erasure.passages import Passages
from replay.erasure.plan import plan_erasure
from replay.erasure.planned import Wanted
from replay.erasure.rewriting import FRESH_NAME
from replay.erasure.search import search_run
from replay.erasure.standing import standing_of
from replay.errors import ErasureError, IntegrityError, LogError, NotFoundError
from replay.events.workspace_kinds import HoldPlaced, HoldReleased
from replay.log.duckdb_store import DuckDBStore
from replay.log.fsck import check
from replay.log.head import read_head
from replay.log.lock import RunLock
from replay.log.workspace import Workspace
from tests.support.chats import SENTENCE, record_chat, texts_of_a_directory

pytestmark = pytest.mark.imports_sdk

ROOT = Path(__file__).parents[4]
TURNS = 6
READINGS = ExchangeTexts((dialect,))


@pytest.fixture(scope="session")
def chat(tmp_path_factory):
    """A workspace with one run: a chat of six turns."""
    workspace = tmp_path_factory.mktemp("chat") / ".ritornello"
    record_chat(workspace, TURNS)
    return workspace


@pytest.fixture
def workspace(chat, tmp_path):
    return Path(shutil.copytree(chat, tmp_path / ".ritornello"))


def wanted(**fields):
    return Wanted(**{"reason": "request 81", "authority": "the officer", **fields})


def words():
    return wanted(passages=Passages([SENTENCE]))


def now_us():
    return 1_800_000_000_000_000


def erase(workspace, what, tell=lambda _: None):
    place = Workspace.open(workspace, create=False)
    plan = plan_erasure(place, "last", what, READINGS)
    carry_out(place, plan, what, now_us, tell)
    return plan


def checked(workspace, run="last"):
    directory = Workspace.open(workspace, create=False).run_directory(run)
    store = DuckDBStore.open(directory)
    try:
        return check(store, head=read_head(directory))
    finally:
        store.close()


def places_of(workspace, text=SENTENCE):
    flat = " ".join(text.split())
    texts = texts_of_a_directory(workspace).items()
    return [where for where, read in texts if flat in " ".join(read.split())]


def kinds_of(workspace):
    store = DuckDBStore.open(Workspace.open(workspace, create=False).run_directory("last"))
    try:
        return [entry.header.kind for entry in store.entries()]
    finally:
        store.close()


def test_a_sentence_is_in_no_decoded_byte_afterwards_and_the_root_is_what_it_was(workspace):
    before = checked(workspace)
    assert len(places_of(workspace)) >= 2

    plan = erase(workspace, words())

    assert places_of(workspace) == []
    assert places_of(workspace, "Answer number 2 says this") != []
    after = checked(workspace)
    assert (after.integrity, after.completeness, after.root) == ("ok", "sealed", before.root)
    assert (before.holes.erased, after.holes.erased) == (0, len(plan.runs[0].parts))
    assert after.holes.records == sum(plan.runs[0].records.values())


def test_a_sentence_in_a_journal_is_erased_like_any_other(workspace, tmp_path):
    """As a kill leaves it between the seal and the closing of the log."""
    directory = Workspace.open(workspace, create=False).run_directory("last")
    sealed = DuckDBStore.open(directory)
    killed = DuckDBStore.create(tmp_path / "killed")
    for entry in sealed.entries():
        killed.append([entry])
    sealed.close()
    for name in ("log.duckdb", "log.journal"):
        shutil.copyfile(tmp_path / "killed" / name, directory / name)
    killed.close()
    root = checked(workspace).root
    assert SENTENCE.split()[0].encode() in (directory / "log.journal").read_bytes()

    erase(workspace, words())

    assert not (directory / "log.journal").exists()
    assert places_of(workspace) == []
    assert (checked(workspace).integrity, checked(workspace).root) == ("ok", root)


def test_the_plan_names_the_input_and_every_prompt_that_repeats_it(workspace):
    plan = plan_erasure(Workspace.open(workspace), "last", words(), READINGS)

    (run,) = plan.runs
    kinds = kinds_of(workspace)
    assert Counter(kinds[seq] for seq in run.events) == {
        "ChunksReceived": 1,
        "ResponseReceived": 1,
        "RequestSent": 1,
    }
    assert [kinds[seq] for seq in run.inputs] == ["ChunksReceived"]
    assert run.records["RequestSent"] == TURNS - 4
    assert run.stops_at == run.events[0] == run.inputs[0]


def test_a_plan_alone_changes_no_byte(workspace):
    def state():
        return {path: path.stat().st_mtime_ns for path in workspace.rglob("*")}

    before = state()
    plan_erasure(Workspace.open(workspace), "last", words(), READINGS)

    assert state() == before


@pytest.mark.full
def test_the_workspace_log_says_who_and_why_and_holds_nothing_of_the_words(workspace):
    plan = erase(workspace, words())

    place = Workspace.open(workspace)
    (erasure,) = standing_of(place.payloads(), plan.runs[0].run).erasures
    assert (erasure.reason, erasure.authority) == ("request 81", "the officer")
    assert (erasure.parts, erasure.events) == (plan.runs[0].parts, plan.runs[0].events)
    assert place.verify().integrity == "ok"
    excerpt = place.excerpt(plan.runs[0].run)
    assert excerpt is not None
    assert excerpt.records[-1].header.kind == "RunErased"


@pytest.mark.parametrize("field", ["reason", "authority"])
def test_words_in_what_goes_on_record_are_refused(workspace, field):
    with pytest.raises(ErasureError, match="must not hold the words"):
        erase(workspace, msgspec.structs.replace(words(), **{field: f"because: {SENTENCE}"}))

    assert checked(workspace).holes.erased == 0


@pytest.mark.full
def test_the_same_erasure_again_finds_nothing(workspace):
    erase(workspace, words())

    assert plan_erasure(Workspace.open(workspace), "last", words(), READINGS).is_empty


@pytest.mark.full
def test_an_input_takes_what_was_computed_from_it_along(workspace):
    (chunks,) = plan_erasure(Workspace.open(workspace), "last", words()).runs[0].inputs

    plan = erase(workspace, wanted(events=(chunks,)))

    assert places_of(workspace) == []
    assert plan.runs[0].stops_at == chunks


@pytest.mark.full
def test_what_the_program_computed_is_refused_while_its_input_stays(workspace):
    events = plan_erasure(Workspace.open(workspace), "last", words()).runs[0].events

    with pytest.raises(ErasureError) as refused:
        erase(workspace, wanted(events=events[1:]))

    assert f"--event {events[0]}" in refused.value.hint
    assert checked(workspace).holes.erased == 0
    assert len(erase(workspace, wanted(events=events)).runs[0].parts) >= len(events)


@pytest.mark.parametrize(("event", "message"), [(10_000, "no event 10000"), (-1, "no event -1")])
def test_an_event_that_is_not_there_is_named(workspace, event, message):
    with pytest.raises(NotFoundError, match=message):
        erase(workspace, wanted(events=(event,)))


@pytest.mark.full
def test_a_hold_beats_an_erasure_until_it_is_released(workspace):
    place = Workspace.open(workspace)
    run = place.runs()[0].run
    place.enter(HoldPlaced(run=run, reason="case 7", authority="court"), now_us())
    with pytest.raises(ErasureError, match="the run is held: case 7"):
        erase(workspace, words())
    assert checked(workspace).holes.erased == 0

    place.enter(HoldReleased(run=run, reason="case closed", authority="court"), now_us())
    erase(workspace, words())

    assert places_of(workspace) == []


@pytest.mark.parametrize("when", ["after the plan", "while the store is written"])
def test_a_hold_that_was_placed_since_the_plan_beats_the_erasure(workspace, when):
    place = Workspace.open(workspace)
    plan = plan_erasure(place, "last", words(), READINGS)
    shutil.copytree(plan.runs[0].directory, workspace / "replays" / "01KEPT")
    plan = msgspec.structs.replace(plan, replays=(workspace / "replays" / "01KEPT",))

    def hold(said=""):
        if when == "after the plan" or "new store written" in said:
            place.enter(HoldPlaced(run=plan.runs[0].run, reason="case 7", authority="x"), now_us())

    if when == "after the plan":
        hold()
    with pytest.raises(ErasureError, match="the run is held: case 7"):
        carry_out(place, plan, words(), now_us, hold)

    assert checked(workspace).holes.erased == 0
    assert not (plan.runs[0].directory / FRESH_NAME).exists()
    assert (workspace / "replays" / "01KEPT").exists() == (when == "after the plan")
    assert standing_of(place.payloads(), plan.runs[0].run).erasures == ()


def test_a_run_that_is_not_sealed_is_refused(workspace, tmp_path):
    directory = Workspace.open(workspace).run_directory("last")
    store = DuckDBStore.open(directory)
    entries = list(store.entries())
    store.close()
    shutil.rmtree(directory)
    for name in ("workspace.log", "head"):  # or it would say that the run had come to its end
        (workspace / name).unlink()
    store = DuckDBStore.create(Workspace.open(workspace).register(directory.name, "killed", 1))
    store.append(entries[:-1])
    store.close()

    with pytest.raises(ErasureError, match="only a sealed run"):
        erase(workspace, words())


def test_a_run_that_somebody_writes_is_left_alone(workspace):
    plan_erasure(Workspace.open(workspace), "last", words())
    lock = RunLock.exclusive(Workspace.open(workspace).run_directory("last"))
    try:
        with pytest.raises(LogError, match="being written"):
            erase(workspace, words())
    finally:
        lock.release()

    assert checked(workspace).holes.erased == 0


@pytest.mark.full
def test_copies_of_the_run_are_erased_from_as_well_and_kept_replays_go(workspace):
    place = Workspace.open(workspace)
    original = place.run_directory("last")
    shutil.copytree(original, workspace / "replays" / "01KEPT")
    shutil.copytree(original, workspace / "runs" / "01COPY")

    plan = erase(workspace, words())

    assert [run.copy_of for run in plan.runs] == [None, original.name]
    assert [path.name for path in plan.replays] == ["01KEPT"]
    assert places_of(workspace) == []
    assert checked(workspace, "01COPY").holes.erased == len(plan.runs[0].parts)


@pytest.mark.full
def test_another_run_with_the_words_is_named_and_stays(workspace):
    other = record_chat(workspace, 5)
    place = Workspace.open(workspace)
    first = place.runs()[0].run

    plan = plan_erasure(place, first, words())

    assert plan.elsewhere == (other.name,)


@pytest.mark.full
def test_another_run_that_is_in_use_is_named_and_in_nobodys_way(workspace):
    original = Workspace.open(workspace).run_directory("last")
    other = Path(shutil.copytree(original, workspace / "runs" / "01BUSY"))
    lock = RunLock.exclusive(other)
    try:
        plan = erase(workspace, words())
    finally:
        lock.release()

    assert plan.unread == ("01BUSY",)
    assert [where for where in places_of(workspace) if "01BUSY" not in where] == []
    # It is no run of that id: what is left of it is removed, and not erased from.
    with pytest.raises(IntegrityError, match="these are the records of run"):
        plan_erasure(Workspace.open(workspace), "01BUSY", words(), READINGS)


def test_files_beside_the_log_go_where_they_hold_the_words(workspace):
    directory = Workspace.open(workspace).run_directory("last")
    (directory / "stderr").write_text(f"seen: {SENTENCE}")
    (directory / "notes").write_text("nothing")
    (directory / "tmp").mkdir()
    (directory / "tmp" / "spill").write_bytes(b"x")

    erase(workspace, words())

    assert sorted(path.name for path in directory.iterdir()) == [
        "head",
        "log.duckdb",
        "notes",
        "run.lock",
    ]
    assert places_of(workspace) == []


def test_a_foreign_file_in_the_workspace_with_the_words_is_refused_by_name(workspace):
    (workspace / "copy.txt").write_text(SENTENCE)

    with pytest.raises(ErasureError) as refused:
        erase(workspace, words())

    assert refused.value.where.endswith("copy.txt")
    assert checked(workspace).holes.erased == 0


@pytest.mark.parametrize(
    "name", ["runs/copy.txt", "runs/01DEAD/log.duckdb.wal", "replays/half/x.tmp", "head.new"]
)
def test_what_a_crash_left_of_the_words_in_no_run_at_all_is_refused_by_name(workspace, name):
    left = workspace / name
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_text(SENTENCE)

    with pytest.raises(ErasureError) as refused:
        erase(workspace, words())

    assert refused.value.where.endswith(name)
    assert checked(workspace).holes.erased == 0


def test_words_far_into_a_large_file_are_found(workspace, monkeypatch):
    monkeypatch.setattr(plan_module, "_WINDOW_BYTES", 1000)
    monkeypatch.setattr(plan_module, "_OVERLAP_BYTES", 500)
    directory = Workspace.open(workspace).run_directory("last")
    (directory / "stderr").write_bytes(b"." * 1990 + SENTENCE.encode() + b"." * 1990)

    erase(workspace, words())

    assert not (directory / "stderr").exists()


def test_what_only_a_reading_of_the_exchange_shows_takes_the_whole_response(workspace):
    class Knows:
        def spans(self, data):
            return [(0, 1)] if data == b"known" else []

    directory = Workspace.open(workspace).run_directory("last")
    store = DuckDBStore.open(directory)
    try:
        found = search_run(store, Knows(), lambda request, response: ("known",))
    finally:
        store.close()

    kinds = {found.streams.kinds[seq] for seq in found.events()}
    assert kinds == {"ChunksReceived"}
    assert set(found.parts.values()) == {("reading",)}


def test_a_command_line_with_the_words_is_erased_from_the_workspace_log_too(workspace):
    directory = record_chat(workspace, 5, entry=f"python chat.py '{SENTENCE}'")
    bystander, late = Workspace.open(workspace), Workspace.open(workspace)
    bystander.enter(HoldReleased(run="other", reason="none", authority="nobody"), now_us())
    before = bystander.verify()
    assert any("workspace.log" in where for where in places_of(workspace))

    plan = erase(workspace, words())

    assert plan.runs[0].registered == (3,)
    assert [where for where in places_of(workspace) if directory.name in where] == []
    assert not any("workspace.log" in where for where in places_of(workspace))
    after = late.verify()
    assert (after.integrity, after.open_runs, after.unnamed) == ("ok", (), ())
    assert after.events == before.events + 1
    # Who appended before goes on behind what was written anew.
    bystander.enter(HoldReleased(run="other", reason="none", authority="nobody"), now_us())
    assert (bystander.verify().integrity, bystander.verify().events) == ("ok", after.events + 1)
    assert Workspace.open(workspace).run_directory("last") == directory
    assert Workspace.open(workspace).excerpt(directory.name) is not None


STEPS = ["new store written", "on record", "old store replaced"]


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(step, marks=[pytest.mark.full] if n % 2 == 0 else [])
        for n, step in enumerate(STEPS)
    ],
)
def test_a_kill_at_a_step_leaves_the_old_store_or_the_new_one(workspace, step):
    program = f"""
import os, sys
from pathlib import Path
from tests.unit.replay.erasure.test_erasing import erase, words
erase(Path(sys.argv[1]), words(), lambda said: os.kill(os.getpid(), 9) if {step!r} in said else 0)
"""
    before = checked(workspace)

    died = in_a_child(program, workspace)

    assert died.returncode == -9
    after = checked(workspace)
    assert (after.integrity, after.root) == ("ok", before.root)
    assert (after.holes.erased > 0) == (step == STEPS[-1])
    directory = Workspace.open(workspace).run_directory("last")
    assert (directory / FRESH_NAME).exists() == (step != STEPS[-1])
    erase(workspace, words())
    assert places_of(workspace) == []
    assert not (directory / FRESH_NAME).exists()


@pytest.mark.full
def test_a_full_disk_leaves_the_old_store(workspace):
    program = """
import resource, sys
from pathlib import Path
from tests.unit.replay.erasure.test_erasing import erase, words
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
erase(Path(sys.argv[1]), words())
"""

    failed = in_a_child(program, workspace)

    assert failed.returncode == 1
    assert "LogError" in failed.stderr
    assert checked(workspace).holes.erased == 0
    assert Workspace.open(workspace).verify().events == 3


def in_a_child(program, workspace):
    return subprocess.run(
        [sys.executable, "-c", program, str(workspace)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
