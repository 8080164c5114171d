"""Heads that are known elsewhere: seen before, pinned, stamped; and what contradicts them."""

import datetime as dt
import os
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from attestations.checkpoints import VerifierKey
from replay.events.kinds import OutputWritten
from tests.contract.entries import Chain
from tests.support.bundle_forging import export, head_of, small_entries, uncut
from tests.support.time_stamp_service import TimeStampService
from tests.support.time_stamping import TimeStampAuthority

WHEN = dt.datetime.now(dt.UTC).replace(microsecond=0)
AUTHORITY = TimeStampAuthority(lambda: WHEN)


def forged():
    """The same run, with another word in it, sealed and committed to anew."""
    entries = Chain(7, cut=uncut)
    made = [entries.next()]
    made += [entries.record(OutputWritten(stream="stdout", marks=()), b"no\n") for _ in range(4)]
    return [*made, entries.seal()]


def verify(place, name, *words):
    ran = place.look("verify", name, *words, "--json")
    return ran.code, ran.report["anchoring"], ran.report


def kept(pattern):
    return sorted(Path(os.environ["XDG_STATE_HOME"]).rglob(pattern))


def test_what_was_seen_before_must_be_continued(place):
    entries = small_entries()
    export(entries[:3], place.path / "early.ritornello")
    export(entries, place.path / "late.ritornello")

    first = verify(place, "early.ritornello", "--allow-open")
    grown = verify(place, "late.ritornello")
    again = verify(place, "late.ritornello", "--require", "anchoring=pinned")

    assert [each[:2] for each in (first, grown, again)] == [
        (0, "none"),
        (0, "pinned"),
        (0, "pinned"),
    ]
    assert "continues" in grown[2]["verdicts"]["anchoring"]["findings"][0]["message"]


@pytest.mark.parametrize("other", [forged, lambda: small_entries()[:3]])
def test_a_run_that_was_replaced_or_rolled_back_is_a_conflict_and_both_heads_are_kept(place, other):
    export(small_entries(), place.path / "run.ritornello")
    export(other(), place.path / "other.ritornello")
    verify(place, "run.ritornello")

    code, word, report = verify(place, "other.ritornello", "--allow-open")

    assert (code, word, report["integrity"]) == (3, "conflict", "ok")
    assert [path.read_bytes() for path in kept("head")] == [head_of(small_entries()).body()]
    assert [path.read_bytes() for path in kept("conflicts/*")] == [head_of(other()).body()]
    assert verify(place, "run.ritornello")[:2] == (0, "pinned")


def test_without_memory_nothing_is_compared_and_nothing_kept(place):
    export(small_entries(), place.path / "run.ritornello")
    export(forged(), place.path / "forged.ritornello")

    assert verify(place, "run.ritornello", "--no-memory")[:2] == (0, "none")
    assert kept("*") == []
    assert verify(place, "forged.ritornello", "--no-memory")[:2] == (0, "none")


def test_a_damaged_run_is_not_remembered(place):
    path = export(small_entries(), place.path / "run.ritornello").path
    path.write_bytes(path.read_bytes()[:-1])

    assert verify(place, "run.ritornello")[:2] == (3, "none")
    assert kept("*") == []


def test_a_damaged_memory_is_said_and_left_alone(place):
    export(small_entries(), place.path / "run.ritornello")
    verify(place, "run.ritornello")
    (head,) = kept("head")
    head.write_text("nonsense")

    ran = place.look("verify", "run.ritornello")

    assert (ran.code, ran.out) == (4, "")
    assert "verifier-state: what this verifier kept is damaged" in ran.err
    assert str(head) in ran.err


def test_a_home_that_cannot_be_written_is_said_and_changes_no_verdict(place, monkeypatch):
    export(small_entries(), place.path / "run.ritornello")
    place.write("file", "not a directory")
    monkeypatch.setenv("XDG_STATE_HOME", str(place.path / "file"))

    code, word, report = verify(place, "run.ritornello")

    assert (code, word) == (0, "none")
    assert "could not be kept" in report["verdicts"]["anchoring"]["findings"][0]["message"]


def test_the_workspace_log_is_remembered_and_must_be_continued(recorded, tmp_path):
    def verify_log():
        ran = recorded.look("verify", "--workspace", workspace, "--json")
        return ran.code, ran.report["anchoring"]

    workspace = tmp_path / "ws"
    shutil.copytree(recorded.path / ".ritornello", workspace)
    shutil.copytree(workspace, tmp_path / "before")
    first, again = verify_log(), verify_log()
    recorded.look("export", "last", "-o", tmp_path / "x.ritornello", "--workspace", workspace)
    grown = verify_log()
    shutil.rmtree(workspace)
    (tmp_path / "before").rename(workspace)

    assert [first, again, grown] == [(0, "none"), (0, "pinned"), (0, "pinned")]
    assert verify_log() == (3, "conflict")
    # Which log it is, its first record says: to take the head away, or to rename it, hides nothing.
    head = workspace / "head"
    lines = head.read_text().split("\n")
    head.unlink()
    assert verify_log() == (3, "conflict")
    head.write_text("\n".join(["ritornello/workspace/another", *lines[1:]]))
    assert verify_log() == (3, "none")
    ran = recorded.look("verify", "--workspace", workspace, "--json")
    assert [each["code"] for each in ran.report["findings"]] == ["origin"]
    assert recorded.look("pin", "--workspace", workspace, "--write", tmp_path / "x").code == 3


def test_a_key_is_read_however_long_its_name_and_a_missing_file_says_what_to_try(place):
    export(small_entries(), place.path / "run.ritornello")
    key = VerifierKey("n" * 255, bytes([1]) * 32).text()

    named = place.look("verify", "run.ritornello", "--no-memory", "--log-key", key)

    assert (named.code, named.err) == (1, "")
    assert "not so: --log-key" in named.out
    pinned = f"nosuch@sha256:{'0' * 64}"
    for option, given in (
        ("--tsa-root", "nosuch.pem"),
        ("--log-key", "nosuch"),
        ("--witness", ""),
        ("--policy", pinned),
    ):
        ran = place.look("verify", "run.ritornello", option, given)
        assert ran.code in {2, 4}
        assert "  try: " in ran.err


def test_a_pin_holds_what_it_pins_and_what_continues_it(place):
    entries = small_entries()
    export(entries[:3], place.path / "early.ritornello")
    export(entries, place.path / "late.ritornello")
    export(forged(), place.path / "forged.ritornello")

    pinned = place.look("pin", "early.ritornello", "--write", "run.note", "--json")

    assert (place.path / "run.note").read_bytes() == head_of(entries[:3]).body()
    assert (pinned.report["size"], pinned.report["sealed"], pinned.report["formerly"]) == (
        3,
        False,
        None,
    )
    alone = ("--pin", "run.note", "--no-memory")
    assert verify(place, "late.ritornello", *alone)[:2] == (0, "pinned")
    assert verify(place, "forged.ritornello", *alone)[:2] == (3, "conflict")


def test_a_pin_is_put_forward_by_its_own_run_only(place):
    export(small_entries()[:3], place.path / "early.ritornello")
    export(small_entries(), place.path / "late.ritornello")
    export(forged(), place.path / "forged.ritornello")
    place.look("pin", "early.ritornello", "--write", "run.note")

    forward = place.look("pin", "late.ritornello", "--write", "run.note", "--json")
    back = place.look("pin", "early.ritornello", "--write", "run.note")
    fork = place.look("pin", "forged.ritornello", "--write", "run.note")

    assert (forward.code, forward.report["formerly"]) == (0, 3)
    assert (back.code, fork.code) == (3, 3)
    assert (place.path / "run.note").read_bytes() == head_of(small_entries()).body()


def test_a_pin_of_another_log_does_not_stand_for_this_one(place, recorded):
    export(small_entries(), place.path / "run.ritornello")
    note = place.path / "other.note"
    recorded.look("pin", "run.ritornello", "--write", note)

    code, word, report = verify(place, "run.ritornello", "--pin", "other.note")

    assert (code, word, report["unmet"]) == (1, "none", ["--pin"])


def test_each_of_several_pins_must_hold(place, recorded):
    export(small_entries(), place.path / "run.ritornello")
    export(forged(), place.path / "elsewhere.ritornello")
    shutil.copy(recorded.path / "run.ritornello", place.path / "other.ritornello")
    for name in ("run", "other"):
        place.look("pin", f"{name}.ritornello", "--write", f"{name}.note")
    pins = ("--pin", "run.note", "--pin", "other.note", "--no-memory")

    one = verify(place, "run.ritornello", *pins)
    both = place.look("verify", "run.ritornello", "other.ritornello", *pins)
    unused = place.look("verify", "run.ritornello", "run.ritornello", *pins)

    assert (one[0], one[1], one[2]["unmet"]) == (1, "pinned", ["--pin"])
    assert (both.code, unused.code) == (0, 1)
    assert "--pin other.note, which holds for none" in unused.err


def test_who_was_seen_first_stays_and_is_told_of_the_contradiction(place):
    export(small_entries(), place.path / "run.ritornello")
    export(forged(), place.path / "forged.ritornello")

    def said(name):
        code, _, report = verify(place, name)
        findings = report["verdicts"]["anchoring"]["findings"]
        return code, " ".join(each["message"] for each in findings)

    verify(place, "run.ritornello")
    late, first = said("forged.ritornello"), said("run.ritornello")

    assert late[0] == 3
    assert "which of the two is true it cannot tell" in late[1]
    assert first[0] == 0
    assert "another head was shown here, which cannot be true beside this one" in first[1]


def test_a_pin_is_not_written_through_a_link_that_lies_in_wait(place):
    export(small_entries(), place.path / "run.ritornello")
    victim = place.write("victim", "mine")
    (place.path / ".run.note.new").symlink_to(victim)

    assert place.look("pin", "run.ritornello", "--write", "run.note").code == 0

    assert (place.path / "victim").read_text() == "mine"
    assert (place.path / "run.note").read_bytes() == head_of(small_entries()).body()


def test_the_workspace_log_is_pinned_without_a_run(recorded, tmp_path):
    note = tmp_path / "workspace.note"

    pinned = recorded.look("pin", "--workspace", "--write", note)
    held = recorded.look("verify", "--workspace", "--pin", note, "--no-memory", "--json")

    assert (pinned.code, held.code, held.report["anchoring"]) == (0, 0, "pinned")
    assert note.read_text().startswith("ritornello/workspace/")


def test_a_run_that_does_not_hold_is_not_pinned(place):
    path = export(small_entries(), place.path / "run.ritornello").path
    path.write_bytes(path.read_bytes()[:-1])

    assert place.look("pin", "run.ritornello", "--write", "run.note").code == 3
    assert not (place.path / "run.note").exists()


@pytest.fixture
def roots(place):
    pem = AUTHORITY.root.public_bytes(Encoding.PEM).decode()
    return place.write("tsa.pem", pem)


def service():
    return TimeStampService(lambda asked: (200, AUTHORITY.answer(asked)))


def test_a_bundle_is_stamped_and_verified_when_the_service_is_gone(place, roots):
    export(small_entries(), place.path / "run.ritornello")
    with service() as tsa:
        stamped = place.look(
            "anchor", "run.ritornello", "--tsa", tsa.url, "--tsa-root", roots, "--json"
        )

    code, word, report = verify(place, "run.ritornello", "--tsa-root", roots, "--no-memory")

    assert (stamped.code, stamped.report["time"]) == (0, WHEN.isoformat())
    assert (code, word) == (0, "timestamped")
    assert report["root"] == head_of(small_entries()).root.hex()
    assert WHEN.isoformat() in report["verdicts"]["anchoring"]["findings"][0]["message"]


def test_a_time_stamp_counts_under_a_named_root_only(place, roots):
    export(small_entries(), place.path / "run.ritornello")
    with service() as tsa:
        place.look("anchor", "run.ritornello", "--tsa", tsa.url, "--into", "stamped.ritornello")
    other = TimeStampAuthority().root.public_bytes(Encoding.PEM).decode()
    place.write("other.pem", other)

    assert verify(place, "stamped.ritornello", "--no-memory")[:2] == (0, "none")
    refused = verify(place, "stamped.ritornello", "--tsa-root", "other.pem", "--no-memory")
    assert (refused[:2], refused[2]["unmet"]) == ((1, "none"), ["--tsa-root"])
    assert verify(place, "run.ritornello", "--tsa-root", roots, "--no-memory")[0] == 1


def test_the_time_stamp_of_another_run_says_nothing_of_this_one(place, roots):
    export(forged(), place.path / "forged.ritornello")
    with service() as tsa:
        place.look("anchor", "forged.ritornello", "--tsa", tsa.url)
    from replay.bundle import BundleReader

    with BundleReader.open(place.path / "forged.ritornello") as reader:
        borrowed = tuple(reader.statements())
    export(small_entries(), place.path / "run.ritornello", statements=borrowed)

    code, word, report = verify(place, "run.ritornello", "--tsa-root", roots)

    assert (code, word) == (1, "none")
    assert "over other bytes" in report["verdicts"]["anchoring"]["findings"][0]["message"]


def test_a_run_of_the_workspace_keeps_its_time_stamp_and_takes_it_along(recorded, tmp_path):
    workspace = tmp_path / "ws"
    shutil.copytree(recorded.path / ".ritornello", workspace)
    here = ("--workspace", workspace)
    roots = tmp_path / "tsa.pem"
    roots.write_bytes(AUTHORITY.root.public_bytes(Encoding.PEM))
    with service() as tsa:
        stamped = recorded.look("anchor", "last", "--tsa", tsa.url, *here)
    bundle = tmp_path / "x.ritornello"

    kept_here = recorded.look("verify", "last", "--tsa-root", roots, *here, "--json").report
    recorded.look("export", "last", "-o", bundle, *here)
    taken = recorded.look("verify", bundle, "--tsa-root", roots, "--json").report

    assert stamped.code == 0
    assert (kept_here["anchoring"], taken["anchoring"]) == ("timestamped", "timestamped")
    assert recorded.look("verify", "--all", *here).code == 0


def test_a_service_that_fails_leaves_the_bundle_as_it_was(place):
    path = export(small_entries(), place.path / "run.ritornello").path
    before = path.read_bytes()
    with TimeStampService(lambda asked: (503, b"")) as tsa:
        ran = place.look("anchor", "run.ritornello", "--tsa", tsa.url)

    assert (ran.code, path.read_bytes()) == (7, before)
    assert "time-stamp-service: the time stamping service did not answer" in ran.err


def test_a_stamp_of_an_authority_that_is_not_trusted_is_not_taken(place):
    path = export(small_entries(), place.path / "run.ritornello").path
    before = path.read_bytes()
    other = TimeStampAuthority().root.public_bytes(Encoding.PEM).decode()
    place.write("other.pem", other)
    with service() as tsa:
        ran = place.look("anchor", "run.ritornello", "--tsa", tsa.url, "--tsa-root", "other.pem")

    assert (ran.code, path.read_bytes()) == (3, before)
