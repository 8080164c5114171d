"""Hashes recomputed by hand from the words of the format: another reader must reach the same."""

from __future__ import annotations

import struct

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from replay.events.digest import (
    Committer,
    content_hash,
    derive,
    one_part_commitment,
    part_commitment,
    payload_commitment,
    payload_commitment_of,
)


@given(st.binary(max_size=200))
def test_an_event_is_named_by_the_blake3_of_its_header(raw):
    assert content_hash(raw) == blake3(raw).hexdigest()


@given(st.binary(min_size=16, max_size=16) | st.just(b""), st.binary(max_size=300))
def test_a_part_is_committed_to_by_salt_and_data(salt, data):
    by_hand = blake3(salt + data, derive_key_context="ritornello part v1").digest()

    assert part_commitment(salt, data) == by_hand


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.binary(min_size=32, max_size=32))))
def test_a_payload_is_committed_to_by_the_list_of_its_parts(listed):
    encoded = b"".join(struct.pack("<Q", size) + commitment for size, commitment in listed)
    by_hand = blake3(encoded, derive_key_context="ritornello payload v1").hexdigest()

    assert payload_commitment(listed) == by_hand
    assert payload_commitment_of(encoded) == by_hand


def test_the_three_uses_never_give_one_hash():
    data = bytes(40)

    assert (
        len(
            {
                content_hash(data),
                part_commitment(b"", data).hex(),
                payload_commitment_of(data),
                derive("another context", data).hex(),
            }
        )
        == 4
    )


def test_known_values_are_frozen():
    """Golden values: a change here is a change of the format."""
    assert content_hash(b"") == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert (
        part_commitment(bytes(16), b"part").hex()
        == "149d6eef3fefef37c0d0193d95e96568db0363a775896164f28c2e67470dcaf8"
    )
    assert (
        payload_commitment([(4, bytes(32))])
        == "f22e2e206273a902f453980259f2ae2b824bed696201a1a1349b9e9886840afc"
    )


def test_hashing_leaves_no_trace_in_the_next_hash():
    first = part_commitment(b"", b"one")
    part_commitment(b"", b"two")

    assert part_commitment(b"", b"one") == first


def test_derived_material_is_framed():
    assert derive("context", b"ab", b"c") != derive("context", b"a", b"bc")
    assert derive("context", b"ab") != derive("other", b"ab")


@given(st.lists(st.tuples(st.sampled_from([b"", bytes(16), b"\1" * 16]), st.binary(max_size=5000))))
def test_a_committer_commits_as_the_functions_do_whatever_came_before(parts):
    committer = Committer()

    for salt, data in parts:
        commitment = part_commitment(salt, data)
        listed = len(data).to_bytes(8, "little") + commitment
        assert committer.part(salt, data) == commitment
        assert committer.payload(listed) == payload_commitment_of(listed)
        assert committer.one(salt, data) == one_part_commitment(salt, data)
        assert one_part_commitment(salt, data) == (listed, payload_commitment_of(listed))


def test_a_commitment_that_was_interrupted_leaves_nothing_to_the_next():
    committer = Committer()
    with pytest.raises(TypeError):
        committer.part(b"", "no bytes")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        committer.payload(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        committer.one(b"", "no bytes")  # type: ignore[arg-type]

    assert committer.part(b"", b"x") == part_commitment(b"", b"x")
    assert committer.payload(b"x") == payload_commitment_of(b"x")
    assert committer.one(b"", b"x") == one_part_commitment(b"", b"x")
