"""Receipts are artifacts: where policies decide, they are evidence only if they are admitted."""

from __future__ import annotations

import pytest

from attestations.keys.trust import Trust, TrustedKey, write_trust
from attestations.statements.predicates import REPLAY
from replay.bundle import Statement
from replay.bundle.statements import DSSE_ENVELOPE
from tests.support.attested import RUN, pin, policy_text, said_of_replay, said_of_run
from tests.support.bundle_forging import export, small_entries
from tests.support.signers import attestation_key

ANY_RUN = ("runs", "bundle", None)
RECEIPTS = ("receipts", "receipt", REPLAY)


@pytest.fixture
def trusted(place, monkeypatch):
    """A bundle with a receipt beside it by anna, whose key its reader trusts, and one by ben."""
    for name in ("CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(place.path / name))
    place.anna, place.ben = attestation_key("anna"), attestation_key("ben")
    keys = tuple(
        TrustedKey.of(key.name, "attestation", key.public) for key in (place.anna, place.ben)
    )
    write_trust(place.path / "CONFIG" / "ritornello" / "trust.json", Trust(keys=keys))
    place.bundle = place.path / "run.ritornello"
    export(small_entries(), place.bundle)
    for key in (place.anna, place.ben):
        receipt = place.path / f"{key.name}.intoto.jsonl"
        receipt.write_bytes(said_of_replay(place.bundle, key) + b"\n")

    def decides(*rules, by, trust="required", more=""):
        policy = place.write("policy.toml", policy_text(rules, by, trust=trust, more=more))
        monkeypatch.setenv("RITORNELLO_POLICY", pin(policy))

    place.decides = decides
    return place


def _verified(place, *words):
    ran = place.look("verify", "run.ritornello", "--json", "--no-memory", *words)
    said = [each["message"] for each in ran.report["verdicts"]["authenticity"]["findings"]]
    return ran.code, ran.report["authenticity"], " ".join(said)


def export_plain(path):
    export(small_entries(), path)
    return path


def _of(who):
    return ("--receipt", f"{who}.intoto.jsonl")


def test_a_receipt_counts_only_by_a_signer_whom_the_rule_about_receipts_names(trusted):
    assert _verified(trusted, *_of("ben"))[:2] == (0, "signed")  # no policy: a trusted key does

    trusted.decides(ANY_RUN, RECEIPTS, by=[trusted.anna])

    assert _verified(trusted, *_of("anna"))[:2] == (0, "signed")
    code, word, said = _verified(trusted, *_of("ben"))
    assert (code, word) == (1, "untrusted")
    assert "not admitted: 0 of 1 signers" in said
    assert "rule acme/receipts" in said


@pytest.mark.parametrize("line", ["threshold = 2", 'seen = ["pinned"]', 'minimum_version = "1"'])
def test_a_receipt_that_a_condition_of_the_rule_leaves_out_is_no_evidence(trusted, line):
    trusted.decides(ANY_RUN, (*RECEIPTS, line), by=[trusted.anna, trusted.ben])

    assert _verified(trusted, *_of("anna"))[:2] == (1, "untrusted")


def test_signers_of_several_receipts_add_up_as_they_do_for_a_bundle(trusted):
    """In one file, in several, in the bundle: verify, policy test and admission say the same."""
    both = [trusted.anna, trusted.ben]
    trusted.decides(("runs", "bundle", REPLAY), (*RECEIPTS, "threshold = 2"), by=both)
    beside = trusted.path / "run.ritornello.intoto.jsonl"
    pair = b"".join((trusted.path / f"{key.name}.intoto.jsonl").read_bytes() for key in both)
    (trusted.path / "pair.intoto.jsonl").write_bytes(pair)

    assert _verified(trusted, *_of("anna"))[:2] == (1, "untrusted")
    assert _verified(trusted, *_of("anna"), *_of("anna"))[:2] == (1, "untrusted")
    assert _verified(trusted, *_of("anna"), *_of("ben"))[:2] == (0, "signed")
    assert _verified(trusted, *_of("pair"))[:2] == (0, "signed")
    ran = trusted.look("policy", "test", "-", "pair.intoto.jsonl", "--json")
    assert [each["judged"] for each in ran.report["decisions"]] == ["allow", "allow"]
    beside.write_bytes(pair)
    assert trusted.look("policy", "test", "-", "run.ritornello").code == 0
    trusted.bundle.unlink()
    said = said_of_replay(export_plain(trusted.bundle), trusted.anna)
    trusted.bundle.unlink()
    inside = Statement(media_type=DSSE_ENVELOPE, data=said)
    export(small_entries(), trusted.bundle, statements=[inside])
    assert _verified(trusted)[:2] == (0, "untrusted")
    assert _verified(trusted, *_of("ben"))[:2] == (0, "signed")


def test_one_signer_that_counts_lets_no_other_receipt_count(trusted):
    trusted.decides(ANY_RUN, RECEIPTS, by=[trusted.anna])

    code, word, said = _verified(trusted, *_of("anna"), *_of("ben"))

    assert (code, word) == (1, "signed")  # what was named must hold
    assert "ben is said to have signed" in said
    ran = trusted.look("policy", "test", "-", "ben.intoto.jsonl")
    assert ran.code == 6


def test_a_policy_that_decides_and_says_nothing_of_receipts_denies_them(trusted):
    trusted.decides(ANY_RUN, by=[trusted.anna])
    assert "no rule is about a receipt" in _verified(trusted, *_of("anna"))[2]

    trusted.decides(ANY_RUN, by=[trusted.anna], trust="observe")
    assert _verified(trusted, *_of("anna"))[:2] == (0, "signed")


def test_a_receipt_inside_the_bundle_is_asked_about_too_and_other_statements_are_not(trusted):
    trusted.decides(ANY_RUN, RECEIPTS, by=[trusted.anna])

    def worth(data):
        trusted.bundle.unlink()
        beside = Statement(media_type=DSSE_ENVELOPE, data=data)
        export(small_entries(), trusted.bundle, statements=[beside])
        return _verified(trusted)[1]

    assert worth(said_of_replay(trusted.bundle, trusted.anna)) == "signed"
    assert worth(said_of_replay(trusted.bundle, trusted.ben)) == "untrusted"
    assert worth(said_of_run(trusted.bundle, trusted.ben)) == "signed"


def test_a_bundle_is_not_admitted_by_a_receipt_that_is_not(trusted):
    """A rule about bundles may ask for receipts; those about receipts say whose they may be."""
    beside = trusted.path / "run.ritornello.intoto.jsonl"
    both = [trusted.anna, trusted.ben]
    bundles = ("runs", "bundle", REPLAY)

    def admitted(*rules, data):
        trusted.decides(*rules, by=both)
        beside.write_bytes(data)
        return trusted.look("policy", "test", "-", "run.ritornello").code == 0

    said = said_of_replay(trusted.bundle, trusted.ben)
    assert admitted(bundles, data=said)
    assert not admitted(bundles, (*RECEIPTS, "threshold = 2"), data=said)
    two = said + said_of_replay(trusted.bundle, trusted.anna)
    assert admitted(bundles, (*RECEIPTS, "threshold = 2"), data=two)
    assert admitted(
        ("runs", "bundle", RUN), RECEIPTS, data=said_of_run(trusted.bundle, trusted.ben)
    )


def test_policy_test_decides_about_a_file_of_receipts(trusted):
    trusted.decides(ANY_RUN, RECEIPTS, by=[trusted.anna])

    ran = [
        trusted.look("policy", "test", "-", f"{who}.intoto.jsonl", "--json")
        for who in ("anna", "ben")
    ]

    assert [each.code for each in ran] == [0, 6]
    assert [each.report["decisions"][0]["artifact"]["kind"] for each in ran] == ["receipt"] * 2


def test_a_policy_is_read_only_where_there_is_a_receipt_or_it_is_named(trusted):
    trusted.write("ritornello.policy.toml", "no policy")

    assert trusted.look("verify", "run.ritornello", "--no-memory").code == 0
    assert trusted.look("verify", "run.ritornello", "--no-memory", *_of("anna")).code == 4
    named = ("--policy", "nosuch.toml@sha256:" + "0" * 64)
    assert trusted.look("verify", "run.ritornello", "--no-memory", *named).code == 4
