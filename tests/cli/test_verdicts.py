"""`verify` gives four verdicts, holds them against what is required, and says it by its code."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attestations.checkpoints import VerifierKey, cosign_checkpoint, sign_checkpoint
from attestations.keys.public import PublicKey
from attestations.keys.trust import Revocation, Trust, write_trust
from replay.events.kinds import CaptureGap, EffectCancelled, EffectReturned, EffectStarted, RunEnded
from replay.tree import NoteSignature
from tests.contract.entries import Chain, _json
from tests.support.bundle_forging import export, head_of, small_entries, uncut

TIME_S = 1_790_000_000


def chain():
    entries = Chain(7, cut=uncut)
    return entries, [entries.next()]


def sealed(entries, made):
    return [*made, entries.record(RunEnded(value=_json("yes"))), entries.seal()]


def with_gap(what="mmap"):
    entries, made = chain()
    made.append(entries.record(CaptureGap(what=what, name="data.bin", site="agent.py:3")))
    return sealed(entries, made)


def without_outcome():
    entries, made = chain()
    made.append(entries.record(EffectStarted(name="look_up", arguments=_json({}))))
    return sealed(entries, made)


def abandoned():
    entries, made = chain()
    made.append(entries.record(EffectStarted(name="look_up", arguments=_json({}))))
    made.append(entries.record(EffectCancelled(effect=1)))
    return sealed(entries, made)


def pair(name, algorithm="ed25519", seed=1):
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return private, VerifierKey(name, private.public_key().public_bytes_raw(), algorithm)


LOG, LOG_KEY = pair("log.example")
WITNESSES = [pair(f"w{n}.example", "cosignature/v1", 10 + n) for n in range(3)]


def signed(path, *, cosigned=2, entries=None):
    entries = entries or small_entries()
    head = head_of(entries)
    lines = [sign_checkpoint(head, LOG_KEY, LOG)]
    lines += [cosign_checkpoint(head, key, own, TIME_S) for own, key in WITNESSES[:cosigned]]
    return export(entries, path, signatures=lines).path


def verify(place, *words):
    ran = place.look("verify", "run.ritornello", *words, "--json")
    assert ran.report["schema"] == "ritornello/verify/1"
    return ran.code, ran.report


def words_of(report):
    names = ("integrity", "completeness", "authenticity", "anchoring")
    assert [report["verdicts"][name]["value"] for name in names] == [report[n] for n in names]
    return tuple(report[name] for name in names)


def test_a_newcomers_run_is_ok_sealed_unsigned_and_not_anchored(place):
    export(small_entries(), place.path / "run.ritornello")

    code, report = verify(place)

    assert (code, words_of(report)) == (0, ("ok", "sealed", "unsigned", "none"))
    assert report["required"] == ["integrity=ok", "completeness=sealed"]
    assert report["unmet"] == []


def test_an_open_run_needs_to_be_allowed(place):
    export(small_entries()[:-1], place.path / "run.ritornello")

    refused, report = verify(place)
    allowed, _ = verify(place, "--allow-open")
    named, _ = verify(place, "--require", "completeness=open")

    assert (refused, report["completeness"], report["unmet"]) == (
        1,
        "open",
        ["completeness=sealed"],
    )
    assert (allowed, named) == (0, 0)


@pytest.mark.parametrize(
    ("made", "code", "seq"), [(with_gap, "not-captured", 1), (without_outcome, "no-outcome", 1)]
)
def test_what_the_run_says_it_lacks_is_a_gap(place, made, code, seq):
    export(made(), place.path / "run.ritornello")

    refused, report = verify(place)
    allowed, _ = verify(place, "--require", "completeness=sealed|gaps")

    assert (refused, allowed, report["completeness"]) == (1, 0, "gaps")
    findings = report["verdicts"]["completeness"]["findings"]
    assert [(each["code"], each["seq"]) for each in findings] == [(code, seq)]
    assert f"finding       {code} at event {seq}: " in place.look("verify", "run.ritornello").out


def test_a_library_that_was_merely_loaded_and_a_call_that_was_abandoned_are_no_gaps(place):
    for made in (with_gap("own-entropy"), abandoned()):
        export(made, place.path / "run.ritornello")

        code, report = verify(place, "--no-memory")

        assert (code, report["completeness"]) == (0, "sealed")


def test_a_gap_that_is_withheld_is_still_a_gap(place):
    made = with_gap()
    export(made, place.path / "run.ritornello", withheld=frozenset(made[1].parts))

    code, report = verify(place)

    assert (code, report["completeness"]) == (1, "gaps")


def test_allowing_an_open_run_does_not_allow_its_gaps(place):
    export(with_gap()[:-1], place.path / "run.ritornello")

    code, report = verify(place, "--allow-open")

    assert (code, report["verdicts"]["completeness"]["states"]) == (1, ["gaps", "open"])


def test_an_answered_call_is_no_gap(place):
    entries, made = chain()
    made.append(entries.record(EffectStarted(name="look_up", arguments=_json({}))))
    made.append(entries.record(EffectReturned(value=_json(1))))
    assert made[-1].header.answers == 1
    export(sealed(entries, made), place.path / "run.ritornello")

    assert verify(place)[0] == 0


def test_a_signature_counts_under_a_named_key_only(place):
    signed(place.path / "run.ritornello", cosigned=0)

    unnamed, said = verify(place)
    named, report = verify(
        place, "--log-key", LOG_KEY.text(), "--require", "authenticity=signed", "--no-memory"
    )
    other, missing = verify(place, "--log-key", pair("log.example", seed=2)[1].text())

    assert (unnamed, said["authenticity"]) == (0, "untrusted")
    assert (named, report["authenticity"]) == (0, "signed")
    assert (other, missing["authenticity"], missing["unmet"]) == (1, "untrusted", ["--log-key"])


def test_a_log_key_that_was_revoked_counts_for_nobody_who_names_it(place, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place.path / "config"))
    key = PublicKey.from_raw(LOG_KEY.public_key)
    assert PublicKey.from_spki(key.spki) == key
    revoked = Revocation(keyid=key.keyid, origin="ritornello/workspace/A", reason="lost", size=3)
    signed(place.path / "run.ritornello", cosigned=0)

    def worth():
        code, report = verify(place, "--log-key", LOG_KEY.text(), "--no-memory")
        return code, report["authenticity"]

    assert worth() == (0, "signed")
    write_trust(place.path / "config" / "ritornello" / "trust.json", Trust(revoked=(revoked,)))
    assert worth() == (1, "untrusted")


def test_a_key_may_stand_in_a_file(place):
    signed(place.path / "run.ritornello")
    place.write("log.vkey", LOG_KEY.text() + "\n")

    assert verify(place, "--log-key", "log.vkey")[1]["authenticity"] == "signed"


def test_a_bad_signature_under_a_named_key_fails(place):
    head = head_of(small_entries())
    forged = NoteSignature(LOG_KEY.name, LOG_KEY.key_id, bytes(64))
    export(small_entries(), place.path / "run.ritornello", signatures=[forged])

    code, report = verify(place, "--log-key", LOG_KEY.text())

    assert (code, report["authenticity"], report["integrity"]) == (3, "failed", "ok")
    assert report["root"] == head.root.hex()


@pytest.mark.parametrize(("wanted", "code", "word"), [(1, 0, "witnessed"), (3, 1, "none")])
def test_witnesses_are_counted_against_the_number_that_is_enough(place, wanted, code, word):
    signed(place.path / "run.ritornello", cosigned=2)
    named = [word for _, key in WITNESSES for word in ("--witness", key.text())]

    found, report = verify(place, *named, "--witnesses", str(wanted))

    assert (found, report["anchoring"]) == (code, word)
    assert report["unmet"] == (["--witness"] if code else [])


def test_all_witnesses_are_wanted_if_nothing_else_is_said(place):
    signed(place.path / "run.ritornello", cosigned=2)
    words = [("--witness", key.text()) for _, key in WITNESSES]

    assert verify(place, *words[0], *words[1])[1]["anchoring"] == "witnessed"
    assert verify(place, *words[0], *words[2])[0] == 1


def test_a_cosignature_of_another_head_is_bad(place):
    (own, key), head = WITNESSES[0], head_of(small_entries()[:-1])
    line = cosign_checkpoint(head, key, own, TIME_S)
    export(small_entries(), place.path / "run.ritornello", signatures=[line])

    code, report = verify(place, "--witness", key.text())

    assert (code, report["authenticity"], report["anchoring"]) == (3, "failed", "none")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--require", "trust=yes"), 2, "requirement: a requirement reads VERDICT=VALUE"),
        (("--require", "integrity=failed"), 2, "cannot be required"),
        (("--log-key", "nonsense"), 2, "key-form"),
        (("--log-key", WITNESSES[0][1].text()), 2, "--witness takes it"),
        (("--witness", LOG_KEY.text()), 2, "--log-key takes it"),
        (("--witness", WITNESSES[0][1].text(), "--witnesses", "2"), 2, "2 of 1 witnesses"),
        (("--witnesses", "1"), 2, "1 of 0 witnesses"),
        (("--pin", "absent.note"), 4, "absent.note"),
        (("--tsa-root", "run.ritornello"), 2, "no root certificate"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_looked_at(place, words, code, said):
    export(small_entries(), place.path / "run.ritornello")

    ran = place.look("verify", "run.ritornello", *words)

    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err


@pytest.mark.parametrize("size", [0, 40, 3000])
def test_of_a_bundle_that_cannot_be_read_nothing_is_said_that_nobody_looked_at(place, size):
    path = signed(place.path / "run.ritornello")
    path.write_bytes(path.read_bytes()[:size])

    code, report = verify(place, "--no-memory")
    shown = place.look("verify", "run.ritornello", "--no-memory").out

    assert (code, report["integrity"]) == (3, "failed")
    assert [report[name] for name in ("events", "root", "head", "holes")] == [None] * 4
    for name in ("authenticity", "anchoring"):
        assert f"{name:<13} not checked\n" in shown
        assert [each["code"] for each in report["verdicts"][name]["findings"]] == ["not-checked"]
    words = {line.partition(" ")[0] for line in shown.split("\n")}
    assert not words & {"events", "root", "head", "holes"}
