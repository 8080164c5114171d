"""`ritornello prove`, and `ritornello verify` of what it writes."""

from __future__ import annotations

import json

import pytest

_WHICH = "not proved    which run it is and of what size"


@pytest.fixture
def proof(recorded, tmp_path):
    """The path of a proof of the output that the recorded program wrote, and its seq."""
    listed = recorded.look("events", "run.ritornello", "--jsonl").out.splitlines()
    events = [json.loads(line) for line in listed]
    seq = next(e["header"]["seq"] for e in events if e["header"]["kind"] == "OutputWritten")
    path = tmp_path / "said.proof"
    ran = recorded.look("prove", "run.ritornello", seq, "-o", path)
    assert ran.code == 0, ran.err
    return path, seq


def test_a_proof_of_a_run_and_one_of_its_bundle_are_the_same_file(recorded, proof, tmp_path):
    path, seq = proof

    ran = recorded.look("prove", "last", seq, "-o", tmp_path / "again.proof", "--json")

    assert ran.code == 0, ran.err
    assert (tmp_path / "again.proof").read_bytes() == path.read_bytes()
    assert ran.report["root"] == recorded.export.report["root"]
    assert ran.report["size_bytes"] == path.stat().st_size < 4000


def test_verify_names_the_event_what_it_proves_and_what_not(recorded, proof):
    path, seq = proof

    ran = recorded.look("verify", path)

    assert ran.code == 0, ran.err
    assert f"event         {seq} of {recorded.export.report['events']}" in ran.out
    assert "kind          OutputWritten" in ran.out
    assert "body          said" in ran.out
    assert f"root          {recorded.export.report['root']}" in ran.out
    assert "authenticity  unsigned" in ran.out
    assert "compare the root with one that you know" in ran.out
    assert "not proved    that the run ends here" in ran.out


def test_verify_says_the_same_as_one_object(recorded, proof):
    path, seq = proof

    report = recorded.look("verify", path, "--json").report

    assert (report["subject"], report["integrity"], report["seq"]) == ("proof", "ok", seq)
    assert (report["payload"], report["payload_head"]["stream"]) == ("present", "stdout")
    assert report["payload_body"].startswith("said")
    assert report["completeness"] == "not proved"
    assert len(report["not_proved"]) == 4


def test_the_header_alone_is_proved_when_the_payload_is_withheld(recorded, proof, tmp_path):
    _, seq = proof
    path = tmp_path / "bare.proof"

    assert recorded.look("prove", "last", seq, "-o", path, "--withhold").code == 0
    ran = recorded.look("verify", path)

    assert ran.code == 0
    assert "payload       withheld" in ran.out
    assert "said" not in path.read_text()


def test_a_forged_proof_ends_with_3_and_says_where(recorded, proof):
    path, seq = proof
    path.write_bytes(path.read_bytes().replace(b'"lamport":', b'"lamport":1'))

    ran = recorded.look("verify", path)

    assert (ran.code, ran.out) == (3, "")
    assert ran.err.splitlines()[1] == f"  where: event {seq}"

    told = recorded.look("verify", path, "--json")
    assert (told.code, told.report["integrity"]) == (3, "failed")
    assert told.report["findings"][0]["where"] == f"event {seq}"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("prove", "last", 100_000, "-o", "x.proof"), 4),
        (("prove", "nothing", 0, "-o", "x.proof"), 4),
        (("prove", "none.ritornello", 0, "-o", "x.proof"), 4),
        (("prove", "last", 0, "-o", "x.txt"), 2),
        (("prove", "last", 0, "-o", "none/x.proof"), 2),
        (("verify", "none.proof"), 4),
    ],
)
def test_what_cannot_be_proved_is_refused_and_nothing_is_written(recorded, words, code):
    before = sorted(path.name for path in recorded.path.iterdir())

    assert recorded.look(*words).code == code
    assert sorted(path.name for path in recorded.path.iterdir()) == before


def test_a_file_that_is_there_is_kept_unless_told(recorded, proof):
    path, seq = proof
    before = path.read_bytes()

    assert recorded.look("prove", "last", seq + 1, "-o", path).code == 2
    assert path.read_bytes() == before
    assert recorded.look("prove", "last", seq + 1, "-o", path, "--force").code == 0
    assert path.read_bytes() != before


def test_a_pin_says_whose_it_is_and_a_contradicting_one_is_a_conflict(recorded, proof, tmp_path):
    path, _ = proof
    checkpoint = path.read_text().split("\n\n")[2]
    pin, other = tmp_path / "run.note", tmp_path / "other.note"
    pin.write_text(checkpoint)
    origin, size, _, _ = checkpoint.split("\n")
    other.write_text(f"{origin}\n{size}\n{'A' * 43}=\n")
    third = tmp_path / "third.note"
    third.write_text(f"{origin}\n1\n{'A' * 43}=\n")

    held = recorded.look("verify", path, "--pin", pin)
    contradicted = recorded.look("verify", path, "--pin", other)
    unknown = recorded.look("verify", path, "--pin", third, "--json")

    assert (held.code, "anchoring     pinned" in held.out) == (0, True)
    assert [_WHICH in ran.out for ran in (held, contradicted)] == [False, True]
    assert len(unknown.report["not_proved"]) == 4
    assert (contradicted.code, "anchoring     conflict" in contradicted.out) == (3, True)
    assert (unknown.code, unknown.report["unmet"]) == (1, ["--pin"])
    assert recorded.look("verify", path, "--require", "anchoring=pinned").code == 2


def test_a_signed_checkpoint_is_judged_under_the_key_that_is_named(recorded, proof, tmp_path):
    from attestations.checkpoints import VerifierKey, sign_checkpoint
    from replay.bundle import rewrite_bundle
    from replay.bundle.reader import BundleReader
    from tests.support.signers import log_key

    log, other = log_key("log.example"), log_key("log.example")
    named = [VerifierKey(each.name, each.public.raw()) for each in (log, other)]
    bundle, path = tmp_path / "signed.ritornello", tmp_path / "signed.proof"
    with BundleReader.open(recorded.path / "run.ritornello") as reader:
        signature = sign_checkpoint(reader.checkpoint, named[0], log)
    rewrite_bundle(recorded.path / "run.ritornello", bundle, signatures=[signature])
    assert recorded.look("prove", bundle, 3, "-o", path).code == 0

    good = recorded.look("verify", path, "--log-key", named[0].text())
    bare = recorded.look("verify", path)
    strange = recorded.look("verify", path, "--log-key", named[1].text())

    assert (good.code, "authenticity  signed" in good.out) == (0, True)
    assert [_WHICH in ran.out for ran in (good, bare, strange)] == [False, True, True]
    assert (bare.code, "authenticity  untrusted" in bare.out) == (0, True)
    assert (strange.code, "not so: --log-key" in strange.out) == (1, True)
    forged = path.read_text().replace("\n16\n", "\n17\n")
    path.write_text(forged)
    assert recorded.look("verify", path, "--log-key", named[0].text()).code == 3


def test_proofs_and_bundles_are_verified_together(recorded, proof):
    path, seq = proof
    recorded.look("pin", "run.ritornello", "--write", path.with_suffix(".note"))
    both = ("verify", "run.ritornello", path, "--no-memory")

    ran = recorded.look(*both, "--json")
    pinned = recorded.look(*both, "--pin", path.with_suffix(".note"))
    refused = recorded.look(*both, "--require", "authenticity=signed")
    path.write_bytes(path.read_bytes()[:-2])
    broken = recorded.look(*both)

    assert ran.code == 0, ran.err
    assert [each.get("seq") for each in ran.report["results"]] == [None, seq]
    assert (pinned.code, pinned.out.splitlines()[1].endswith("unsigned, pinned")) == (0, True)
    assert (refused.code, "a proof is of one event" in refused.err) == (2, True)
    assert broken.code == 3
    assert "run.ritornello: integrity ok" in broken.out
