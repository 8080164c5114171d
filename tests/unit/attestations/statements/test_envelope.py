"""DSSE: what is not of the one form is refused, and keys are counted as keys."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given
from hypothesis import strategies as st

from attestations.errors import EnvelopeError
from attestations.keys.public import ALGORITHMS
from attestations.statements.envelope import (
    ENVELOPE_SIZE_MAX,
    STATEMENT_PAYLOAD,
    Envelope,
    Signature,
    read_envelope,
    read_lines,
    sign,
    verify,
)
from tests.support.signers import attestation_key

PAYLOAD = b'{"said":"?>?>"}'
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_envelope_is_verified_as_it_was_signed(algorithm):
    alice, bob = attestation_key("alice", algorithm), attestation_key("bob")
    line = sign(PAYLOAD, [alice, bob]).encode()

    read = read_envelope(line)

    assert (read.payload, read.encode()) == (PAYLOAD, line)
    both = sorted([alice.public, bob.public], key=lambda key: key.keyid)
    assert verify(read, [alice.public, bob.public], 2) == tuple(both)
    assert verify(read, [alice.public]) == (alice.public,)
    assert verify(read, [alice.public, alice.public], 2) == ()
    assert verify(read, [attestation_key().public]) == ()
    assert verify(read, []) == ()


def test_an_envelope_of_others_may_be_laid_out_otherwise_and_have_no_key_ids():
    key = attestation_key()
    wire = json.loads(sign(PAYLOAD, [key]).encode())
    del wire["signatures"][0]["keyid"]

    read = read_envelope(json.dumps(wire, indent=2).encode())

    assert verify(read, [attestation_key().public, key.public]) == (key.public,)


def test_one_key_twice_is_one_key():
    key = attestation_key()
    signed = sign(PAYLOAD, [key])
    again = Signature("f" * 64, signed.signatures[0].value)

    twice = Envelope(signed.payload_type, PAYLOAD, (*signed.signatures, again))

    assert verify(twice, [key.public, key.public], 2) == ()
    assert verify(twice, [key.public]) == (key.public,)


def test_a_key_id_proves_nothing_and_hides_nothing():
    alice, thief = attestation_key("alice"), attestation_key("thief")
    forged = Envelope(
        STATEMENT_PAYLOAD,
        PAYLOAD,
        (Signature(alice.public.keyid, sign(PAYLOAD, [thief]).signatures[0].value),),
    )

    assert verify(forged, [alice.public]) == ()
    assert verify(forged, [alice.public, thief.public]) == (thief.public,)


def test_a_signature_that_is_respelled_leaves_the_identity_alone():
    key = attestation_key("alice", "ecdsa-p256")
    signed = sign(PAYLOAD, [key])
    r, s = decode_dss_signature(signed.signatures[0].value)
    twin = Envelope(
        STATEMENT_PAYLOAD,
        PAYLOAD,
        (Signature("", encode_dss_signature(r, _P256_ORDER - s)),),
    )

    assert twin.encode() != signed.encode()
    assert verify(twin, [key.public]) == (key.public,)
    assert twin.identity == signed.identity


def _wire(**fields):
    wire = json.loads(sign(PAYLOAD, [attestation_key()]).encode())
    return json.dumps({**wire, **fields})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "no DSSE envelope"),
        ("[]", "no object"),
        ("{}", "missing required field"),
        (_wire(more=1), "unknown field"),
        (_wire()[:-1] + ', "payloadType": "x"}', "repeated"),
        (_wire()[:-1] + ', "payload": "e30="}', "repeated"),
        (_wire(payloadType="application/json"), "not 'application/vnd.in-toto"),
        (_wire(payloadType=f"{STATEMENT_PAYLOAD} "), "payload type"),
        (_wire(payloadType=f"{STATEMENT_PAYLOAD}; charset=utf-8"), "payload type"),
        (_wire(payload="YWJ="), "not canonical base64"),
        (_wire(payload="YWI"), "not base64"),
        (_wire(payload="Y W I ="), "not base64"),
        (_wire(payload="YWI=\n"), "not base64"),
        (_wire(payload=base64.urlsafe_b64encode(b"\xff\xef\xbe").decode()), "not base64"),
        (_wire(payload="\ud800"), "not base64"),
        (_wire(payload=1), "Expected `str`"),
        (_wire(signatures=[]), "1 to 16 signatures"),
        (_wire(signatures=[{"sig": "AAAA"}] * 17), "1 to 16 signatures"),
        (_wire(signatures=[{"sig": ""}]), "empty"),
        (_wire(signatures=[{"sig": "AAAA" * 1000}]), "longer than 1024"),
        (_wire(signatures=[{"keyid": "x"}]), "missing required field"),
        (_wire(signatures=[{"sig": "AAAA", "cert": ""}]), "unknown field"),
        (_wire(signatures={"sig": "AAAA"}), "Expected `array`"),
        ('{"payload": NaN}', "no JSON number"),
        ("[" * 100_000, "nested deeper"),
        ('{"a":' * 80 + "1" + "}" * 80, "nested deeper"),
        ('{"a": ' + "9" * 10_000 + "}", "no DSSE envelope"),
        ("\ufeff" + _wire(), "no DSSE envelope"),
    ],
)
def test_what_is_not_of_the_form_is_refused(data, said):
    with pytest.raises(EnvelopeError, match=said):
        read_envelope(data.encode())


def test_bounds_are_held_before_anything_is_read():
    with pytest.raises(EnvelopeError, match="longer than"):
        read_envelope(b" " * (ENVELOPE_SIZE_MAX + 1))
    with pytest.raises(EnvelopeError, match="257 envelopes"):
        read_lines(b"{}\n" * 257)
    with pytest.raises(EnvelopeError, match="0 envelopes"):
        read_lines(b"\n \n")
    assert read_lines(b"{}\n\n[]") == (b"{}", b"[]")


@given(st.data())
def test_no_changed_byte_of_an_envelope_verifies_as_something_else(data):
    key = attestation_key()
    line = sign(PAYLOAD, [key]).encode()
    place = data.draw(st.integers(0, len(line) - 2))
    byte = data.draw(st.integers(0, 255))
    changed = line[:place] + bytes((byte,)) + line[place + 1 :]
    try:
        read = read_envelope(changed)
    except EnvelopeError:
        return

    # A changed hint is no change of what is signed.
    assert verify(read, [key.public]) == () or read.payload == PAYLOAD


@given(st.binary(max_size=200))
def test_any_bytes_are_an_envelope_or_refused(data):
    with pytest.raises(EnvelopeError):
        read_envelope(data)
