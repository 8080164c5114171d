"""Attacks 11 to 28 and 32: who signed, what was signed, and whether that is enough."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256, sha512

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from attestations.admission.evaluation import evaluate
from attestations.admission.facts import Artifact, Facts, KeySigner, StatementFact
from attestations.admission.gathering import facts_of
from attestations.admission.layers import Layer, merge
from attestations.admission.pins import layer_of
from attestations.admission.policy import Policy, Revocation, Rule, TrustedSigner
from attestations.admission.policy_file import read_policy
from attestations.checkpoints.checking import checked_signatures
from attestations.checkpoints.keys import VerifierKey
from attestations.checkpoints.signing import sign_checkpoint
from attestations.errors import AdmissionError, EnvelopeError, KeyFormError, PolicyError
from attestations.keys.public import PublicKey
from attestations.statements import predicates as p
from attestations.statements.checking import check_statement
from attestations.statements.envelope import Envelope, Signature, read_envelope, sign, verify
from attestations.statements.provenance import (
    BUILD_ATTEST,
    BUILD_RECORD,
    PROVENANCE,
    make_provenance,
)
from attestations.statements.run_evidence import check_receipts
from attestations.statements.statement import Subject
from replay.events.digest import content_hash
from replay.tree import Checkpoint
from tests.attacks.attempts import attempt
from tests.support.bundle_forging import head_of, small_entries
from tests.support.signers import attestation_key

MINE, OTHERS = attestation_key("mine"), attestation_key("others")
CURVE = attestation_key("curve", "ecdsa-p256")
HEAD = head_of(small_entries())
TOOL = b"the bytes of a tool"
CURVE_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def claimed(data=TOOL, name="tool.py"):
    """The signed bytes of a statement about a tool."""
    said = p.ToolPredicate(
        blake3=content_hash(data),
        claimed_time="2026-11-21T12:00:00Z",
        name="tool",
        size_bytes=len(data),
        version="1.0",
    )
    return p.make_statement(Subject.of(name, data), said).encode()


def judged(envelope, data=TOOL, keys=(MINE,), name="", **options):
    """What a verifier who trusts one key says of an envelope, in two words."""
    subject = Subject.of(name, data)
    found = check_statement(envelope, [key.public for key in keys], subject, **options)
    return found.verdict, found.reason


def wire(envelope, **changes):
    """An envelope as JSON with fields changed."""
    fields = json.loads(envelope.encode()) | changes
    return json.dumps(fields).encode()


GOOD = sign(claimed(), [MINE])
assert judged(GOOD.encode()) == ("signed", "")


@attempt(11, gives=("failed", "form"))
def an_envelope_without_a_signature(place):
    return judged(wire(GOOD, signatures=[]))


@attempt(11, gives=("untrusted", "keys"))
def an_envelope_of_somebody_nobody_trusts(place):
    return judged(sign(claimed(), [OTHERS]).encode())


@attempt(12, refused=EnvelopeError, says="the payload type is")
def an_envelope_of_another_type(place):
    read_envelope(wire(GOOD, payloadType="application/vnd.in-toto.layout+json"))


@attempt(12, gives=("failed", "signature"))
def an_envelope_signed_as_another_type(place):
    other = sign(claimed(), [MINE], "application/vnd.in-toto.link+json")
    return judged(wire(other, payloadType="application/vnd.in-toto+json"))


@attempt(13, gives=("failed", "predicate"))
def a_statement_that_says_something_else(place):
    return judged(GOOD.encode(), predicate_types=frozenset({p.REPLAY}))


def _built(build_type, *asked):
    """What a rule about provenance says of a tool that was built in some way."""
    subject = Subject.of("tool.py", TOOL)
    said = make_provenance(
        subject, build_type=build_type, parameters={}, engine="1", invocation="1"
    )
    rule = Rule(
        name="built", kind="tool", predicates=(PROVENANCE,), signers=("mine",), build_types=asked
    )
    signers = {"mine": TrustedSigner(key=MINE.public.keyid)}
    policy = Policy(
        schema="ritornello/policy/1", name="p", trust="required", signers=signers, rules=(rule,)
    )
    artifact = Artifact(kind="tool", digest=sha256(TOOL).hexdigest())
    facts = facts_of(artifact, [sign(said.encode(), [MINE]).encode()], [MINE.public]).facts
    found = evaluate(merge([Layer(policy=policy, digest="1" * 64, source="pinned")]), facts, 0)
    return found.verdict, sorted({each.code for each in found.reasons} - {"too-few-signers"})


@attempt(13, gives=("deny", ["statement-of-other-build"]))
def provenance_of_another_way_to_build(place):
    assert _built(BUILD_ATTEST) == ("allow", ["met"])
    assert _built(BUILD_ATTEST, BUILD_RECORD, BUILD_ATTEST) == ("allow", ["met"])
    return _built(BUILD_RECORD + "/", BUILD_RECORD)


@attempt(14, gives=("failed", "subject"))
def our_digest_under_another_name(place):
    return judged(GOOD.encode(), name="policy.toml")


def _with_digest(digest):
    payload = json.loads(claimed())
    payload["subject"][0]["digest"] = digest
    return judged(sign(json.dumps(payload).encode(), [MINE]).encode())


@attempt(14, gives=[("failed", "statement")] * 4)
def digests_that_name_nothing_for_certain(place):
    real = sha256(TOOL).hexdigest()
    return [
        _with_digest({"blake3": real}),
        _with_digest({"sha1": real[:40]}),
        _with_digest({"sha256": ""}),
        _with_digest({}),
    ]


@attempt(14, gives=False)
def a_wrong_sha256_beside_another_digest_that_fits(place):
    digests = {"sha256": "0" * 64, "sha512": sha512(TOOL).hexdigest()}
    return _with_digest(digests)[0] == "signed"


@attempt(16, gives=0)
def one_key_under_two_names_for_a_threshold_of_two(place):
    once = GOOD.signatures[0]
    twice = Envelope(GOOD.payload_type, GOOD.payload, (once, Signature("f" * 64, once.value)))
    keys = [MINE.public, MINE.public]
    assert len(verify(twice, keys, 1)) == 1
    return len(verify(twice, keys, 2))


@attempt(17, gives=("failed", "signature"))
def the_key_id_of_one_with_the_signature_of_another(place):
    signature = sign(claimed(), [OTHERS]).signatures[0].value
    forged = Envelope(GOOD.payload_type, GOOD.payload, (Signature(MINE.public.keyid, signature),))
    return judged(forged.encode())


@attempt(17, gives=("signed", ""))
def no_key_id(place):
    bare = Envelope(GOOD.payload_type, GOOD.payload, (Signature("", GOOD.signatures[0].value),))
    return judged(bare.encode())


@attempt(18, refused=KeyFormError)
def the_bytes_of_one_key_as_another_kind(place):
    PublicKey.from_spki(CURVE.public.spki[:-32] + MINE.public.raw())


@attempt(18, gives=("untrusted", "keys"))
def the_signature_of_one_kind_for_a_key_of_another(place):
    return judged(GOOD.encode(), keys=(CURVE,))


@attempt(19, gives=True)
def a_signature_respelled_leaves_the_identity(place):
    envelope = sign(claimed(), [CURVE])
    r, s = decode_dss_signature(envelope.signatures[0].value)
    other = encode_dss_signature(r, CURVE_ORDER - s)
    respelled = Envelope(
        envelope.payload_type, envelope.payload, (Signature(CURVE.public.keyid, other),)
    )
    assert judged(respelled.encode(), keys=(CURVE,))[0] in {"signed", "failed"}
    return respelled.identity == envelope.identity


_RESPELLED = {
    "junk_in_base64": wire(GOOD, payload="!" + b64encode(GOOD.payload).decode()),
    "another_alphabet": wire(GOOD, payload=b64encode(b"\xff\xfe\xfd").decode().replace("/", "_")),
    "stray_bits": wire(GOOD, payload="YR=="),
    "a_field_more": wire(GOOD, more=1),
    "a_field_twice": GOOD.encode().replace(b'{"payload"', b'{"payload":"AA==","payload"', 1),
}
for _name, _data in _RESPELLED.items():

    def _respelled(place, data=_data):
        assert data != GOOD.encode()
        read_envelope(data)

    _respelled.__name__ = f"envelope_{_name}"
    attempt(19, refused=EnvelopeError)(_respelled)


# --- policies ------------------------------------------------------------------------------------

DIGEST = sha256(TOOL).hexdigest()
NOW_US = 1_800_000_000_000_000
FACT = StatementFact(
    payload="3" * 64,
    predicate_type=p.TOOL,
    subjects=(DIGEST,),
    signers=(KeySigner(keyid=MINE.public.keyid),),
    issued_us=NOW_US - 1_000_000,
    version="1.4",
)


def decided(fact=FACT, *, revocations=(), kind="tool", statements=None, expires=None, **rule):
    """The verdict of a required policy that names one key, and the codes of its reasons."""
    fields = {
        "name": "tools",
        "kind": "tool",
        "predicates": (p.TOOL,),
        "signers": ("me",),
        "minimum_version": "1.2",
        "maximum_age_days": 30,
    } | rule
    policy = Policy(
        schema="ritornello/policy/1",
        name="mine",
        trust="required",
        expires=expires,
        signers={"me": TrustedSigner(key=MINE.public.keyid)},
        rules=(Rule(**fields),),
        revocations=tuple(revocations),
    )
    layer = Layer(policy=policy, digest="5" * 64, source="pinned")
    facts = Facts(
        artifact=Artifact(kind=kind, digest=DIGEST),
        statements=(fact,) if statements is None else statements,
    )
    decision = evaluate(merge([layer]), facts, NOW_US)
    return decision.verdict, {reason.code for reason in decision.reasons}


assert decided()[0] == "allow"


def denied(code, *arguments, **options):
    verdict, codes = decided(*arguments, **options)
    return verdict == "deny" and code in codes


def altered(**changes):
    return msgspec.structs.replace(FACT, **changes)


@attempt(11, gives=True)
def a_policy_that_demands_a_signature_and_finds_none(place):
    return denied("too-few-signers", statements=())


@attempt(15, gives=True)
def a_key_that_is_not_named_for_this_kind(place):
    stranger = altered(signers=(KeySigner(keyid=OTHERS.public.keyid),))
    return denied("signer-not-named", stranger)


@attempt(15, gives=True)
def a_kind_that_no_rule_is_about(place):
    return denied("no-rule", kind="policy")


@attempt(16, gives=True)
def a_threshold_met_by_one_key_twice(place):
    twice = altered(payload="4" * 64)
    return denied("too-few-signers", statements=(FACT, twice), threshold=2)


@attempt(20, gives=[True, True, True, True])
def old_versions_revoked_digests_and_what_expired(place):
    return [
        denied("statement-version-too-low", altered(version="1.1.9")),
        denied("artifact-revoked", revocations=[Revocation(digest=DIGEST)]),
        denied("policy-expired", expires=datetime.fromtimestamp(NOW_US // 1_000_000, UTC)),
        denied("statement-too-old", altered(issued_us=NOW_US - 31 * 86_400_000_000)),
    ]


@attempt(21, gives=[True, True])
def a_revoked_key_without_a_trusted_time_before_it(place):
    before = Revocation(key=MINE.public.keyid, workspace="w", size=9)
    return [
        denied("signer-revoked", revocations=[Revocation(key=MINE.public.keyid)]),
        denied("signer-revoked", revocations=[before]),
    ]


@attempt(25, gives=("deny", {"no-policy"}))
def no_policy_at_all_where_one_is_required(place):
    artifact = Artifact(kind="tool", digest=DIGEST)
    found = evaluate(merge([]), Facts(artifact=artifact, statements=(FACT,)), NOW_US)
    return found.judged, {reason.code for reason in found.reasons}


_POLICY = b'schema = "ritornello/policy/1"\nname = "mine"\n'
for _name, _text in {
    "that_cannot_be_parsed": _POLICY + b"[[rules",
    "with_an_unknown_word": _POLICY + b'trusted = "everybody"\n',
    "with_an_unknown_mode": _POLICY + b'trust = "off"\n',
    "of_another_schema": _POLICY.replace(b"policy/1", b"policy/2"),
    "with_an_empty_rule": _POLICY + b'[[rules]]\nname = "r"\nkind = "tool"\n',
    "with_a_threshold_of_none": _POLICY + b'[[rules]]\nname="r"\nkind="tool"\nthreshold=0\n',
    "with_a_yaml_tag": b"!!python/object/apply:os.system ['true']\n",
}.items():

    def _policy(place, text=_text):
        read_policy(text)

    _policy.__name__ = f"a_policy_{_name}"
    attempt(25, refused=PolicyError)(_policy)


@attempt(25, refused=AdmissionError, says="not the one that was pinned")
def a_policy_that_was_exchanged(place):
    layer_of(_POLICY, where="policy.toml", source="pinned", pinned="0" * 64)


# --- checkpoints ---------------------------------------------------------------------------------


class _Log:
    def __init__(self, seed):
        self._key = ed25519.Ed25519PrivateKey.from_private_bytes(sha256(seed).digest())

    def sign(self, message):
        return self._key.sign(message)

    def named(self, name):
        return VerifierKey(name, self._key.public_key().public_bytes_raw())


@attempt(32, gives=["unknown", "bad", "good"])
def a_run_cut_rewritten_and_signed_again(place):
    """Another key is unknown, and the known key's line over the old head is bad."""
    real, forger = _Log(b"real"), _Log(b"forger")
    cut = head_of(small_entries()[:4])
    trusted = real.named("log.example")
    lines = [
        (cut, sign_checkpoint(cut, forger.named("log.example"), forger)),
        (cut, sign_checkpoint(HEAD, trusted, real)),
        (HEAD, sign_checkpoint(HEAD, trusted, real)),
    ]
    return [
        checked_signatures(head.body(), [signature], [trusted])[0].outcome
        for head, signature in lines
    ]


@attempt(35, gives=("signed", ("failed", "subject")))
def the_receipt_of_one_run_for_another(place):
    claim = p.CheckpointClaim.of(HEAD)
    said = p.ReplayPredicate(
        checkpoint=claim,
        claimed_time="2026-11-21T12:00:00Z",
        code=(),
        code_state="same",
        distributions=(),
        engine="0.1.0",
        guard="process",
        replayed=p.Replayed(derived_computed=1, events=6, inputs_taken=5, root=HEAD.root.hex()),
        run="01JDTESTRUN0000000000000",
    )
    receipt = sign(p.make_statement(Subject.of(HEAD.origin, HEAD.body()), said).encode(), [MINE])
    other = Checkpoint("ritornello/run/another", HEAD.size, HEAD.root)
    (own,) = check_receipts(receipt.encode(), [MINE.public], HEAD)
    (foreign,) = check_receipts(receipt.encode(), [MINE.public], other)
    return own.verdict, (foreign.verdict, foreign.reason)
