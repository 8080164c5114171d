"""A run of a workspace is held against what the workspace's own log says of it."""

from __future__ import annotations

import os
import shutil

import pytest

from replay.events.kinds import OutputWritten
from tests.contract.entries import Chain
from tests.support.bundle_forging import export, head_of, small_entries, uncut

RUN = head_of(small_entries()).origin.rpartition("/")[2]


def rewritten():
    """The same run with another word in it, sealed and committed to anew."""
    entries = Chain(7, cut=uncut)
    made = [entries.next()]
    made += [entries.record(OutputWritten(stream="stdout", marks=()), b"no\n") for _ in range(4)]
    return [*made, entries.seal()]


def imported(place, workspace, entries):
    """Import a run into a workspace, which then names it; return its directory."""
    bundle = place.path / f"{workspace}.ritornello"
    export(entries, bundle)
    assert place.look("import", bundle, "--workspace", workspace).code == 0
    return place.path / workspace / "runs" / head_of(entries).origin.rpartition("/")[2]


@pytest.fixture
def exchanged(place):
    """Return what puts other records under the name of a run that a workspace knows."""

    def put(entries):
        kept = imported(place, "ws", small_entries())
        shutil.rmtree(kept)
        shutil.copytree(imported(place, "elsewhere", entries), kept)
        return place

    return put


@pytest.mark.parametrize(
    ("entries", "code", "completeness"),
    [
        (small_entries()[:3], "truncated", "truncated"),
        (rewritten(), "head", "sealed"),
    ],
    ids=["shorter", "rewritten"],
)
def test_other_records_under_the_name_of_a_run_are_refused(exchanged, entries, code, completeness):
    place, words = exchanged(entries), ("--workspace", "ws", "--no-memory")

    ran = place.look("verify", RUN, *words, "--allow-open", "--json")
    every = place.look("verify", "--all", *words)

    assert (ran.code, ran.report["integrity"]) == (3, "failed")
    assert [each["code"] for each in ran.report["findings"]] == [code]
    assert ran.report["completeness"] == completeness
    assert every.code == 3
    assert f"run {RUN}: integrity failed" in every.out
    assert "authenticity  not checked\n" in place.look("verify", RUN, *words).out


@pytest.mark.parametrize("erased", [False, True])
def test_records_under_the_name_of_another_run_are_refused(place, erased):
    """Who asks for one run and gets another one, whole and sealed, was given no evidence."""
    kept = imported(place, "ws", small_entries())
    if erased:
        reason = ("--reason", "asked", "--authority", "me", "--yes")
        assert place.look("erase", RUN, "--event", "0", *reason, "--workspace", "ws").code == 0
    shutil.copytree(kept, kept.with_name("another"))

    ran = place.look("verify", "another", "--workspace", "ws", "--no-memory", "--json")

    assert (ran.code, [each["code"] for each in ran.report["findings"]]) == (3, ["origin"])
    assert place.look("verify", RUN, "--workspace", "ws", "--no-memory").code == 0


def test_nothing_is_proved_or_pinned_of_other_records_under_the_name_of_a_run(exchanged):
    place = exchanged(rewritten())

    for verb in (("prove", RUN, "1", "-o", "x.proof"), ("pin", RUN, "--write", "x.note")):
        assert place.look(*verb, "--workspace", "ws").code == 3
    assert not list(place.path.glob("x.*"))


def test_a_run_that_went_on_since_its_log_named_it_holds(place):
    """It came in open, and was longer than that when it was looked at."""
    kept = imported(place, "ws", small_entries()[:3])
    shutil.rmtree(kept)
    shutil.copytree(imported(place, "elsewhere", small_entries()), kept)

    assert place.look("verify", RUN, "--workspace", "ws", "--no-memory").code == 0


@pytest.mark.parametrize("damage", ["changed", "gone", "pipe", "store"])
def test_a_run_whose_files_are_damaged_keeps_no_other_from_being_verified(place, damage):
    kept = imported(place, "ws", small_entries())
    others = place.path / "ws" / "runs" / "another"
    shutil.copytree(kept, others)
    note = kept / "attached" / "checkpoint.note"
    if damage == "changed":
        note.write_text("other")
    elif damage == "store":
        for each in kept.glob("*.duckdb*"):
            each.unlink()
    else:
        note.unlink()
    if damage == "pipe":
        os.mkfifo(note)

    every = place.look("verify", "--all", "--workspace", "ws", "--no-memory", "--json")
    ran = place.look("verify", RUN, "--workspace", "ws", "--no-memory")

    assert every.code in {3, 4}
    first, second = every.report["runs"]
    assert (first["run"], second["run"]) == (RUN, "another")
    assert [each["code"] for each in second["findings"]] == ["origin"]
    assert ran.code == (4 if damage == "store" else 3)
    if damage != "store":
        assert [each["code"] for each in first["findings"]] == ["attached"]
        assert "integrity     failed\n" in ran.out
