"""`ritornello attest` and receipts: what is signed is true, about exact bytes, and no more."""

from __future__ import annotations

import base64
import json
import re
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from attestations.checkpoints import VerifierKey
from attestations.keys.files import read_private
from attestations.keys.public import read_public_pem
from attestations.statements.envelope import read_envelope, sign
from attestations.statements.predicates import REPLAY
from attestations.statements.run_evidence import check_envelopes, check_receipts
from replay.bundle.reader import BundleReader
from replay.log.workspace_log import WorkspaceLog, payloads_of

OTHER = min((Path(__file__).parents[2] / "bundles" / "good").glob("*.ritornello"))


@pytest.fixture(scope="module")
def settled(recorded, tmp_path_factory):
    """A directory with a run, its bundle, its program, and two keys; for tests that only look."""
    place = type(recorded)(tmp_path_factory.mktemp("signing"))
    shutil.copytree(recorded.path, place.path, dirs_exist_ok=True)
    for arguments in (("alice", "-o", "alice.key"), ("log", "--log", "-o", "log.key")):
        assert place.look("keys", "new", "--no-passphrase", *arguments).code == 0
    return place


@pytest.fixture
def signing(settled, place):
    """A copy of it, for tests that sign."""
    shutil.copytree(settled.path, place.path, dirs_exist_ok=True)
    return place


def _public(place):
    return read_public_pem((place.path / "alice.pub").read_bytes())


def _checkpoint(place, name="run.ritornello"):
    with BundleReader.open(place.path / name) as reader:
        return reader.checkpoint


def _payload(line):
    return json.loads(base64.b64decode(json.loads(line)["payload"]))


def test_a_run_is_attested_and_an_independent_verifier_accepts_it(signing):
    ran = signing.look("attest", "last", "--sign", "alice.key", "-o", "run.intoto.jsonl")

    lines = (signing.path / "run.intoto.jsonl").read_bytes().splitlines()
    digest = sha256(_checkpoint(signing).body()).hexdigest()
    pem = (signing.path / "alice.pub").read_bytes()
    assert (ran.code, ran.out, len(lines)) == (0, "", 2)
    for line in lines:
        wire = json.loads(line)
        keyid = wire["signatures"][0]["keyid"]
        key = SSlibKey.from_crypto(load_pem_public_key(pem), keyid=keyid)
        assert list(Envelope.from_dict(wire).verify([key], 1)) == [keyid]
        assert _payload(line)["subject"][0]["digest"] == {"sha256": digest}
    facts = check_envelopes(lines, [_public(signing)], _checkpoint(signing))
    assert [fact.verdict for fact in facts] == ["signed", "signed"]
    entries, _ = WorkspaceLog(signing.path / ".ritornello").entries()
    said = [payload for _, payload in payloads_of(entries)][-2:]
    assert [each.payload for each in said] == [fact.identity for fact in facts]


def test_statements_and_a_signed_checkpoint_travel_in_the_bundle(signing):
    before = _checkpoint(signing)
    ran = [
        signing.look("attest", "run.ritornello", "--sign", key, "--into", "run.ritornello", *more)
        for key, more in (("alice.key", ()), ("log.key", ("--checkpoint",)))
    ]

    assert [each.code for each in ran] == [0, 0], ran[0].err + ran[1].err
    with BundleReader.open(signing.path / "run.ritornello") as reader:
        lines = [each.data for each in reader.statements()]
        assert [each.name for each in reader.signatures] == ["log"]
    named = ("verify", "run.ritornello", "--no-memory", "--json", "--log-key")
    assert signing.look(*named, "log.pub").report["authenticity"] == "signed"
    wrong = signing.look(*named, "alice.pub")
    assert (wrong.code, "--key takes those" in wrong.err) == (2, True)
    log_key = read_public_pem((signing.path / "log.pub").read_bytes())
    (signing.path / "log.txt").write_text(VerifierKey("log", log_key.raw()).text() + "\n")
    assert signing.look(*named, "log.txt").report["authenticity"] == "signed"
    assert _checkpoint(signing) == before
    facts = check_envelopes(lines, [_public(signing)], before)
    assert [fact.verdict for fact in facts] == ["signed", "signed"]


def test_a_key_that_was_named_has_to_have_signed_whoever_else_did(signing, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(signing.path / "config"))
    signing.look("keys", "trust", "alice.pub")
    signing.look("attest", "run.ritornello", "--sign", "alice.key", "--into", "run.ritornello")
    signing.look("keys", "new", "bob", "--no-passphrase", "-o", "bob.key")
    made = signing.look("keys", "new", "other", "--log", "--no-passphrase", "-o", "other.key")
    (vkey,) = re.findall(r"other\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", made.out)

    def unmet(*words):
        ran = signing.look("verify", "run.ritornello", "--json", "--no-memory", *words)
        return ran.code, ran.report["authenticity"], ran.report["unmet"]

    assert unmet() == (0, "signed", [])
    assert unmet("--key", "alice.pub") == (0, "signed", [])
    assert unmet("--key", "bob.pub") == (1, "signed", ["--key"])
    assert unmet("--log-key", vkey) == (1, "signed", ["--log-key"])


def test_a_file_is_attested_as_what_it_is_said_to_be(signing):
    arguments = ("--as", "prompt", "--name", "greeting", "--version", "2", "--predicate", "own")
    bare = signing.look("attest", "agent.py", *arguments)
    signed = signing.look("attest", "agent.py", *arguments, "--sign", "alice.key")

    statement = json.loads(bare.out)
    data = (signing.path / "agent.py").read_bytes()
    assert "nobody vouches" in bare.err
    assert statement["subject"] == [
        {"digest": {"sha256": sha256(data).hexdigest()}, "name": "greeting"}
    ]
    assert statement["predicate"]["version"] == "2"
    assert _payload(signed.out)["predicate"]["blake3"] == statement["predicate"]["blake3"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("agent.py", "--sign", "alice.key"), 2, "what this file is"),
        (("run.ritornello", "--sign", "log.key"), 4, "for checkpoints, not for statements"),
        (("run.ritornello", "--sign", "alice.key", "--checkpoint"), 4, "not for checkpoints"),
        (("run.ritornello", "--checkpoint"), 2, "add --sign"),
        (("run.ritornello", "--into", "run.ritornello"), 2, "add --sign"),
        (("last", "--sign", "alice.key", "--into", "x.ritornello"), 2, "about a bundle"),
        (("last", "--sign", "alice.key", "-o", "agent.py"), 2, "there already"),
        (("nosuch", "--sign", "alice.key"), 4, "no run"),
        (("gone.ritornello", "--sign", "alice.key"), 4, "no such bundle"),
        (("bad.ritornello", "--sign", "alice.key"), 3, "bundle"),
        (("open.ritornello",), 4, "no such bundle"),
    ],
)
def test_what_cannot_be_attested_is_refused_and_nothing_is_written(settled, arguments, code, said):
    signing = settled
    bundle = (signing.path / "run.ritornello").read_bytes()
    (signing.path / "bad.ritornello").write_bytes(bundle[:-9])
    log = (signing.path / ".ritornello" / "workspace.log").read_bytes()
    files = sorted(signing.path.iterdir())

    ran = signing.look("attest", *arguments)

    assert (ran.code, said in ran.err, ran.out) == (code, True, "")
    assert sorted(signing.path.iterdir()) == files
    assert (signing.path / "run.ritornello").read_bytes() == bundle
    assert (signing.path / ".ritornello" / "workspace.log").read_bytes() == log


def test_an_identical_replay_earns_a_receipt_that_is_of_no_other_run(signing):
    ran = signing.look(
        "replay", "run.ritornello", "--receipt", "r.intoto.jsonl", "--sign", "alice.key"
    )

    data = (signing.path / "r.intoto.jsonl").read_bytes()
    checkpoint, key = _checkpoint(signing), _public(signing)
    assert ran.code == 0, ran.err
    (fact,) = check_receipts(data, [key], checkpoint)
    assert (fact.verdict, fact.predicate_type) == ("signed", REPLAY)
    assert (fact.said.live_effects, fact.said.verdict) == (0, "identical")
    assert fact.said.replayed.root == checkpoint.root.hex()
    agent = (signing.path / "agent.py").read_bytes()
    assert [(each.path, each.sha256) for each in fact.said.code] == [
        ("agent.py", sha256(agent).hexdigest())
    ]

    with BundleReader.open(OTHER) as reader:
        (other,) = check_receipts(data, [key], reader.checkpoint)
    assert (other.verdict, other.reason) == ("failed", "subject")
    assert check_receipts(data, [], checkpoint)[0].verdict == "untrusted"
    assert check_receipts(b"", [key], checkpoint)[0].reason == "form"

    named = ("--receipt", "r.intoto.jsonl", "--no-memory", "--json")
    ours = signing.look("verify", "run.ritornello", "--key", "alice.pub", *named)
    nobody = signing.look("verify", "run.ritornello", *named)
    theirs = signing.look("verify", OTHER, "--key", "alice.pub", *named)
    found = [(each.code, each.report["authenticity"]) for each in (ours, nobody, theirs)]
    assert found == [(0, "signed"), (1, "untrusted"), (3, "failed")]
    (why,) = theirs.report["verdicts"]["authenticity"]["findings"]
    assert why["code"] == "other"
    assert "does not hold" not in why["message"]
    assert f"it is about {checkpoint.origin}, not about ritornello/run/" in why["message"]


def test_a_receipt_of_a_revoked_key_counts_where_somebody_saw_it_before(signing, monkeypatch):
    for name in ("CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(signing.path / name))
    receipt = ("--receipt", "r.intoto.jsonl", "--sign", "alice.key")
    assert signing.look("replay", "last", *receipt).code == 0
    signing.look("pin", "--workspace", "--write", "seen.note")
    # A thief's: dated back, and not in the log.
    stolen = read_private((signing.path / "alice.key").read_bytes(), "attestation", bytes, "")
    said = read_envelope((signing.path / "r.intoto.jsonl").read_bytes()).payload
    dated = re.sub(rb'"claimedTime":"\d{4}', b'"claimedTime":"2001', said)
    assert dated != said
    (signing.path / "late.intoto.jsonl").write_bytes(sign(dated, [stolen]).encode())
    assert signing.look("keys", "revoke", "alice.pub", "--reason", "compromised").code == 0

    def worth(receipt, *words):
        named = ("--receipt", receipt, "--key", "alice.pub")
        ran = signing.look("verify", "last", "--json", *named, *words)
        return ran.code, ran.report["authenticity"]

    # Whoever keeps the log could have written any place into it: nobody else saw one.
    assert worth("r.intoto.jsonl", "--no-memory") == (1, "untrusted")
    signing.look("verify", "--workspace")  # too late: the head seen is behind the revocation
    assert worth("r.intoto.jsonl") == (1, "untrusted")
    heads = (signing.path / "STATE").rglob("head")
    (state,) = [path for path in heads if b"/workspace/" in path.read_bytes()]
    state.write_bytes((signing.path / "seen.note").read_bytes())
    assert worth("r.intoto.jsonl") == (0, "signed")
    # What was seen then stays known when the log is seen again, longer.
    assert signing.look("verify", "--workspace", "--json").report["anchoring"] == "pinned"
    assert worth("r.intoto.jsonl") == (0, "signed")
    assert worth("late.intoto.jsonl") == (1, "untrusted")


def test_a_replay_that_differs_earns_none(signing):
    program = (signing.path / "agent.py").read_text()
    signing.write("agent.py", program.replace('"said"', '"says"'))

    ran = signing.look("replay", "last", "--receipt", "r.jsonl", "--sign", "alice.key")

    assert (ran.code, "no receipt" in ran.err) == (1, True)
    assert not (signing.path / "r.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("last", "--receipt", "r.jsonl"), 2),
        (("last", "--sign", "alice.key"), 2),
        (("last", "run.ritornello", "--receipt", "r.jsonl", "--sign", "alice.key"), 2),
        (("last", "--receipt", "agent.py", "--sign", "alice.key"), 2),
        (("last", "--receipt", "no/r.jsonl", "--sign", "alice.key"), 4),
        (("last", "--receipt", "r.jsonl", "--sign", "log.key"), 4),
        (("last", "--receipt", "r.jsonl", "--sign", "nobody"), 4),
    ],
)
def test_a_receipt_that_cannot_be_is_refused_before_the_program_runs(settled, arguments, code):
    signing = settled
    ran = signing.look("replay", *arguments)

    assert (ran.code, ran.out) == (code, "")
    assert not (signing.path / "r.jsonl").exists()


def test_an_erasure_is_attested_once_it_is_on_record(signing):
    before = signing.look("attest", "last", "--predicate", "erasure")
    erased = signing.look(
        "erase", "last", "--event", "1", "--reason", "asked", "--authority", "DPO", "--yes"
    )
    head = signing.path / ".ritornello" / "head"
    true = head.read_text()
    head.write_text(true.replace(true.split("\n")[2], base64.b64encode(bytes(32)).decode()))
    forged = signing.look("attest", "last", "--predicate", "erasure", "--sign", "alice.key")
    head.write_text(true)
    assert (forged.code, forged.out) == (3, "")  # nobody signs a head that was not checked
    ran = signing.look("attest", "last", "--predicate", "erasure", "--sign", "alice.key")

    assert (before.code, before.out, erased.code) == (2, "", 0)
    (fact,) = check_envelopes([ran.out.encode()], [_public(signing)], _checkpoint(signing))
    assert (fact.verdict, fact.said.authority, fact.said.events) == ("signed", "DPO", (1,))

    # The bundle's own workspace record is what is signed, and the signature goes with it.
    signing.look("export", "last", "-o", "erased.ritornello")
    into = ("--predicate", "erasure", "--sign", "alice.key", "--into", "erased.ritornello")
    signed = signing.look("attest", "erased.ritornello", *into)
    verified = signing.look("verify", "erased.ritornello", "--key", "alice.pub", "--no-memory")
    none = signing.look("attest", "run.ritornello", *into[:-1], "run.ritornello")

    assert signed.code == 0, signed.err
    assert "good: alice signed the https://ritornello.invalid/attestations/erasure/v1" in (
        verified.out
    )
    assert "erasure       workspace record" in verified.out
    assert (none.code, "no workspace record names an erasure" in none.err) == (2, True)
    with BundleReader.open(signing.path / "erased.ritornello") as reader:
        lines = [each.data for each in reader.statements()]
        (excerpt,) = reader.excerpts()
        head = reader.checkpoint
    (fact,) = check_envelopes(lines, [_public(signing)], head)
    assert (fact.said.parts, fact.said.workspace.root) == (1, excerpt.checkpoint.root.hex())
