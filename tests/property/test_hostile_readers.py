"""Whatever bytes a header, note, envelope, statement or proof is made of: our error, or a value.

Memory is bounded by the input's own length; nothing but the error of the room comes out, so no
recursion, no huge integer and no decoder's own exception reaches a caller.
"""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestations.checkpoints.keys import parse_vkey
from attestations.errors import AttestationError
from attestations.statements.envelope import read_envelope
from attestations.statements.statement import read_statement
from replay.bundle.proof import make_proof, proof_bytes, read_proof
from replay.errors import IntegrityError, ProofError
from replay.events.header import decode_header, encode_header
from replay.events.payload import decode_payload
from replay.tree import parse_checkpoint
from tests.support.bundle_forging import head_of, small_entries, stored

ENTRIES = small_entries()
HEADER = ENTRIES[2].raw
PROOF = proof_bytes(make_proof(stored(ENTRIES), 2, checkpoint=head_of(ENTRIES)))
NOTE = head_of(ENTRIES).body() + b"\n" + "— log.example AAECA3NpZ25hdHVyZQ==\n".encode()
ENVELOPE = (
    b'{"payload":"e30=","payloadType":"application/vnd.in-toto+json",'
    b'"signatures":[{"keyid":"","sig":"AAAA"}]}'
)
STATEMENT = (
    b'{"_type":"https://in-toto.io/Statement/v1","predicate":{},"predicateType":"x",'
    b'"subject":[{"name":"n","digest":{"sha256":"' + b"0" * 64 + b'"}}]}'
)
PAYLOAD = b'{"kind":"RunSealed","reason":"completed","events":6}'
VKEY = b"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

#: What attackers put into a place where something short belongs.
_PIECES = st.sampled_from(
    [
        b"9" * 5000,
        b"[" * 3000,
        b'{"a":' * 2000,
        b"1e400",
        b"-0",
        b"NaN",
        b"\\ud800",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\0",
        b"\r\n",
        b"\n\n",
        b"=",
        b"null",
        "\N{EM DASH} ".encode(),
    ]
)


@st.composite
def spoiled(draw, whole):
    """Bytes that were good once, or never."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=300))
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        stop = draw(st.integers(start, min(start + 20, len(data))))
        source = draw(st.integers(0, len(whole)))
        piece = st.binary(max_size=4) | _PIECES | st.just(whole[source : source + 30])
        data[start:stop] = draw(piece)
    return bytes(data)


def read_within_bounds(read, data, error):
    """Return what comes out, None for the one error that may; in memory that fits the input."""
    tracemalloc.start()
    try:
        found = read(data)
    except error:
        found = None
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < (1 << 20) + 60 * len(data)
    return found


@given(spoiled(HEADER))
def test_any_header_is_refused_or_read_within_bounds(data):
    found = read_within_bounds(decode_header, data, IntegrityError)

    assert found is None or encode_header(found) == data


@given(spoiled(NOTE))
def test_any_note_is_refused_or_read_within_bounds(data):
    found = read_within_bounds(parse_checkpoint, data, ProofError)

    assert found is None or found[0].note(found[1]) == data


@given(spoiled(PROOF))
def test_any_proof_is_refused_or_read_within_bounds(data):
    found = read_within_bounds(read_proof, data, ProofError)

    assert found is None or proof_bytes(found) == data
    assert found is None or found.raw in {entry.raw for entry in ENTRIES}


@given(spoiled(PAYLOAD))
def test_any_payload_is_refused_or_read_within_bounds(data):
    read_within_bounds(lambda raw: decode_payload("json", raw), data, IntegrityError)


@pytest.mark.parametrize(
    ("read", "whole"),
    [
        (read_envelope, ENVELOPE),
        (read_statement, STATEMENT),
        (lambda raw: parse_vkey(raw.decode("utf-8", "replace")), VKEY),
    ],
    ids=["envelope", "statement", "key"],
)
def test_what_others_sign_is_refused_or_read_within_bounds(read, whole):
    assert read(whole) is not None

    @given(spoiled(whole))
    def spoil(data):
        read_within_bounds(read, data, AttestationError)

    spoil()
