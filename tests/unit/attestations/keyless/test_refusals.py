"""What was signed stays what was signed: each change to a bundle is refused, with its reason."""

import base64
import datetime as dt
import json

import pytest

from attestations.errors import AttestationError, KeylessError
from attestations.keyless import KeylessIdentity, identify, verify
from attestations.keyless.bundle_form import BUNDLE_SIZE_MAX
from tests.support.private_sigstore import PrivateSigstore
from tests.support.private_sigstore.signed import SUBJECT, pinned, statement
from tests.support.time_stamping import TimeStampAuthority

pytestmark = pytest.mark.usefixtures("no_network")


def b64(data):
    return base64.b64encode(data).decode()


def flipped(text):
    """Base64 of bytes of which one in the middle has another bit."""
    data = bytearray(base64.b64decode(text))
    data[len(data) // 2] ^= 1
    return b64(data)


class Parts:
    """A bundle taken apart, to be changed and put together."""

    def __init__(self, bundle):
        self.whole = json.loads(bundle)
        self.envelope = self.whole["dsseEnvelope"]
        self.material = self.whole["verificationMaterial"]
        self.entry = self.material["tlogEntries"][0]
        self.proof = self.entry["inclusionProof"]
        self.stamps = self.material["timestampVerificationData"]["rfc3161Timestamps"]

    def refused(self, root):
        with pytest.raises(AttestationError) as caught:
            identify(json.dumps(self.whole).encode(), root)
        return caught.value.message


CHANGES = {
    "payload": lambda p: p.envelope.update(payload=b64(statement(b"forged"))),
    "payload type": lambda p: p.envelope.update(payloadType="application/json"),
    "no signature": lambda p: p.envelope.update(signatures=[]),
    "signature": lambda p: p.envelope["signatures"][0].update(
        sig=flipped(p.envelope["signatures"][0]["sig"])
    ),
    "two signatures": lambda p: p.envelope["signatures"].append({"sig": b64(b"x" * 70)}),
    "junk in base64": lambda p: p.envelope.update(
        payload=p.envelope["payload"][:8] + "\n!" + p.envelope["payload"][8:]
    ),
    "no certificate": lambda p: p.material.pop("certificate"),
    "certificate": lambda p: p.material["certificate"].update(
        rawBytes=flipped(p.material["certificate"]["rawBytes"])
    ),
    "no entry": lambda p: p.material.update(tlogEntries=[]),
    "entry twice": lambda p: p.material["tlogEntries"].append(p.entry),
    "entry body": lambda p: p.entry.update(canonicalizedBody=flipped(p.entry["canonicalizedBody"])),
    "entry kind": lambda p: p.entry.update(kindVersion={"kind": "intoto", "version": "0.0.2"}),
    "no proof": lambda p: p.entry.pop("inclusionProof"),
    "no checkpoint": lambda p: p.proof.pop("checkpoint"),
    "proof hash": lambda p: p.proof.update(hashes=[b64(b"0" * 32)]),
    "short proof hash": lambda p: p.proof.update(hashes=[b64(b"0" * 31)]),
    "too many proof hashes": lambda p: p.proof.update(hashes=[b64(b"0" * 32)] * 65),
    "proof index": lambda p: p.proof.update(logIndex="0"),
    "negative index": lambda p: p.proof.update(logIndex="-1"),
    "number with a zero": lambda p: p.proof.update(treeSize="0" + p.proof["treeSize"]),
    "tree size": lambda p: p.proof.update(treeSize="3"),
    "root": lambda p: p.proof.update(rootHash=b64(b"0" * 32)),
    "log": lambda p: p.entry["logId"].update(keyId=b64(b"0" * 32)),
    "checkpoint's name": lambda p: p.proof["checkpoint"].update(
        envelope=p.proof["checkpoint"]["envelope"].replace("ritornello", "refrain", 1)
    ),
    "checkpoint's signer": lambda p: p.proof["checkpoint"].update(
        envelope=p.proof["checkpoint"]["envelope"].replace("\u2014 log.rit", "\u2014 log.wit")
    ),
    "no time": lambda p: p.material.pop("timestampVerificationData"),
    "time": lambda p: p.stamps[0].update(signedTimestamp=flipped(p.stamps[0]["signedTimestamp"])),
    "time twice": lambda p: p.stamps.append(p.stamps[0]),
    "many times": lambda p: p.stamps.extend({"signedTimestamp": b64(b"%d" % i)} for i in range(9)),
    "unknown field": lambda p: p.whole.update(note="x"),
    "older bundle": lambda p: p.whole.update(
        mediaType="application/vnd.dev.sigstore.bundle+json;version=0.1"
    ),
    "no envelope": lambda p: p.whole.pop("dsseEnvelope"),
    "null": lambda p: p.whole.update(verificationMaterial=None),
}

SAID = {
    "payload": "DSSE: invalid signature",
    "payload type": "the payload type is 'application/json'",
    "no signature": "an envelope has 1 to",
    "signature": "the bundle does not hold",
    "two signatures": "more than one signature",
    "junk in base64": "the payload is not base64",
    "no certificate": "no signing certificate",
    "certificate": "the bundle does not hold",
    "no entry": "0 log entries, not one",
    "entry twice": "2 log entries, not one",
    "entry body": "the bundle does not hold",
    "entry kind": "the bundle does not hold",
    "no proof": "no inclusion proof with a checkpoint",
    "no checkpoint": "no inclusion proof with a checkpoint",
    "proof hash": "invalid log entry",
    "short proof hash": "not of 32 bytes",
    "too many proof hashes": "length <= 64",
    "proof index": "invalid log entry",
    "negative index": "no Sigstore bundle",
    "number with a zero": "no Sigstore bundle",
    "tree size": "its checkpoint for another",
    "root": "its checkpoint for another",
    "log": "none of the trusted root's",
    "checkpoint's name": "the checkpoint is of 'log.refrain.test'",
    "checkpoint's signer": "no signature line of log.ritornello.test",
    "no time": "no time that somebody else signed",
    "time": "the bundle does not hold",
    "time twice": "or one twice",
    "many times": "more than 4 time stamps",
    "unknown field": "unknown field `note`",
    "older bundle": "its media type is",
    "no envelope": "it holds no envelope",
    "null": "no Sigstore bundle",
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_refused_with_its_reason(signed, change):
    parts = Parts(signed.bundle)
    CHANGES[change](parts)

    assert SAID[change] in parts.refused(signed.root)


def test_the_log_entry_of_another_statement_does_not_do(signed):
    """CVE-2022-36056: an entry that is in the log, of something else."""
    parts, other = Parts(signed.bundle), Parts(signed.other.bundle)
    parts.material["tlogEntries"] = other.material["tlogEntries"]

    assert "inconsistent with other materials" in parts.refused(signed.root)


def test_the_time_of_another_signature_does_not_do(signed):
    parts, other = Parts(signed.bundle), Parts(signed.other.bundle)
    parts.material["timestampVerificationData"] = other.material["timestampVerificationData"]

    assert "not enough sources of verified time" in parts.refused(signed.root)


def test_a_time_of_an_authority_that_is_not_trusted_spoils_one_that_is(signed):
    """sigstore passes over it; then nobody could say which of the times were verified."""
    parts = Parts(signed.bundle)
    signature = base64.b64decode(parts.envelope["signatures"][0]["sig"])
    parts.stamps.append({"signedTimestamp": b64(TimeStampAuthority().stamp(signature))})

    assert "not enough sources of verified time" in parts.refused(signed.root)


def test_of_two_times_that_hold_the_earlier_counts(signed):
    parts = Parts(signed.bundle)
    signature = base64.b64decode(parts.envelope["signatures"][0]["sig"])
    authority, first = signed.sigstore.time_stamping, identify(signed.bundle, signed.root).time_us
    clock = authority.clock
    authority.clock = lambda: dt.datetime.fromtimestamp(first / 1e6 + 5, dt.UTC)
    parts.stamps.insert(0, {"signedTimestamp": b64(authority.stamp(signature))})
    authority.clock = clock

    fact = identify(json.dumps(parts.whole).encode(), signed.root)

    assert [time.time_us for time in fact.times] == [first + 5_000_000, first]
    assert fact.time_us == first


def test_a_checkpoint_that_the_logs_key_signed_under_another_name_is_refused(signed):
    """sigstore does not compare the name; the key of one log could answer for another."""
    parts, log = Parts(signed.bundle), signed.sigstore.log
    kept, log.leaves = log.leaves, log.leaves[: int(parts.proof["treeSize"])]
    parts.proof["checkpoint"]["envelope"] = log.checkpoint("log.refrain.test")
    log.leaves = kept

    assert "the checkpoint is of 'log.refrain.test'" in parts.refused(signed.root)


def test_the_number_outside_the_proof_is_nobodys_word_and_is_not_reported(signed):
    parts = Parts(signed.bundle)
    parts.entry["logIndex"] = "999999"

    fact = identify(json.dumps(parts.whole).encode(), signed.root)

    assert fact == identify(signed.bundle, signed.root)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"subject": "eve@ritornello.test"}, "SANs do not match"),
        ({"subject": SUBJECT.upper()}, "SANs do not match"),
        ({"issuer": "https://identities.refrain.test"}, "OIDCIssuer does not match"),
        ({"claims": {"build_trigger": "push"}}, "build_trigger is 'release', not 'push'"),
        ({"claims": {"source_repository_ref": "x"}}, "source_repository_ref is 'not known'"),
    ],
)
def test_somebody_else_is_not_accepted(signed, changed, said):
    wanted = {"subject": SUBJECT, "issuer": signed.identity.issuer} | changed

    with pytest.raises(KeylessError, match=said):
        verify(signed.bundle, signed.root, KeylessIdentity(**wanted))


def test_another_sigstore_of_the_same_names_is_another(signed):
    data = PrivateSigstore().root()
    root = pinned(data)

    with pytest.raises(KeylessError, match="none of the trusted root's"):
        identify(signed.bundle, root)


@pytest.mark.parametrize("part", ["certificateAuthorities", "ctlogs", "timestampAuthorities"])
def test_each_authority_must_be_the_roots(signed, part):
    mixed = json.loads(signed.root.data) | {part: json.loads(PrivateSigstore().root())[part]}
    data = json.dumps(mixed).encode()

    with pytest.raises(KeylessError, match="the bundle does not hold"):
        identify(signed.bundle, pinned(data))


@pytest.mark.parametrize("part", ["certificateAuthorities", "ctlogs", "timestampAuthorities"])
def test_a_root_without_one_of_its_authorities_accepts_nothing(signed, part):
    data = json.dumps(json.loads(signed.root.data) | {part: []}).encode()

    with pytest.raises(KeylessError):
        identify(signed.bundle, pinned(data))


def test_a_name_said_twice_is_refused(signed):
    doubled = signed.bundle[:-1] + b', "mediaType": "x"}'

    with pytest.raises(KeylessError, match="a name is repeated"):
        identify(doubled, signed.root)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 1000,
        b" " * (BUNDLE_SIZE_MAX + 1),
    ],
    ids=["empty", "cut", "null", "nothing", "no UTF-8", "lists", "objects", "long"],
)
def test_what_is_no_bundle_is_refused(signed, data):
    with pytest.raises(KeylessError):
        identify(data, signed.root)


def test_a_bundle_over_bytes_without_a_statement_is_said_to_be_one(signed):
    parts = Parts(signed.bundle)
    parts.whole["messageSignature"] = parts.whole.pop("dsseEnvelope")

    assert "it signs bytes without a statement" in parts.refused(signed.root)


@pytest.mark.full
def test_no_character_of_a_bundle_can_be_changed_for_another_meaning(signed):
    """What is accepted says the same; what is refused is refused by an error of ours."""
    wanted = identify(signed.bundle, signed.root)
    accepted = 0
    for offset in range(len(signed.bundle)):
        changed = bytearray(signed.bundle)
        changed[offset] ^= 1
        try:
            fact = identify(bytes(changed), signed.root)
        except AttestationError:
            continue
        accepted += 1

        assert fact == wanted, offset
    # The entry's number outside the proof, which is not reported, and in the time stamp the name
    # of the algorithm, which stands beside the signature and which nobody reads.
    assert accepted <= 12


@pytest.mark.full
def test_no_bundle_cut_short_is_accepted(signed):
    for size in range(0, len(signed.bundle), 7):
        with pytest.raises(AttestationError):
            identify(signed.bundle[:size], signed.root)
