"""Whom somebody trusts, how keys hand over, and what counts of a key that was revoked."""

from __future__ import annotations

import contextlib
import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestations.errors import KeyFormError, TrustFileError
from attestations.keys.changes import check_rotation, rotate
from attestations.keys.revocation import Place, Sighting, still_counts
from attestations.keys.trust import (
    Revocation,
    Trust,
    TrustedKey,
    read_trust,
    update_trust,
    write_trust,
)
from tests.support.signers import attestation_key, log_key

LOG = "ritornello/workspace/01"


def _trusted(key):
    return TrustedKey.of(key.name, key.role, key.public)


def test_the_file_of_trusted_keys_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "config" / "trust.json"
    alice, log = attestation_key("alice"), log_key("log")
    trust = Trust().with_key(_trusted(alice)).with_key(_trusted(log))
    trust = trust.with_revocation(
        Revocation(keyid=log.public.keyid, origin=LOG, reason="lost", size=7)
    )

    write_trust(path, trust)

    assert read_trust(path) == trust
    assert [key.public() for key in trust.of_role("log")] == [log.public]
    assert sorted(each.name for each in path.parent.iterdir()) == ["trust.json"]
    assert read_trust(tmp_path / "none.json") == Trust()


def test_of_changes_at_once_none_is_lost(tmp_path):
    """Each reads what the one before wrote: a revocation that was lost would let a key count."""
    path = tmp_path / "config" / "trust.json"
    both = threading.Barrier(2)

    def revoke(number):
        one = Revocation(keyid=f"{number:064x}", origin=LOG, reason="lost", size=number)

        def change(trust):
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(0.2)  # where nobody is kept out, both have read the same by now
            return trust.with_revocation(one)

        assert update_trust(path, change)

    threads = [threading.Thread(target=revoke, args=(number,)) for number in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sorted(each.size for each in read_trust(path).revoked) == [0, 1]
    assert not update_trust(path, lambda trust: trust)


def test_more_than_is_read_again_is_not_written(tmp_path):
    path = tmp_path / "trust.json"
    many = tuple(
        Revocation(keyid="0" * 64, origin=LOG, reason="lost", size=size) for size in range(1025)
    )
    write_trust(path, Trust(revoked=many[:-1]))

    with pytest.raises(TrustFileError, match="1024 entries already"):
        update_trust(path, lambda trust: trust.with_revocation(many[-1]))

    assert len(read_trust(path).revoked) == 1024


def test_one_key_is_trusted_for_one_use_and_one_name():
    alice = attestation_key("alice")
    trust = Trust().with_key(_trusted(alice))

    assert trust.with_key(_trusted(alice)) is trust
    with pytest.raises(TrustFileError, match="trusted as a key for attestation"):
        trust.with_key(TrustedKey.of("other", "log", alice.public))
    with pytest.raises(TrustFileError, match="another key of this name"):
        trust.with_key(_trusted(attestation_key("alice")))


def test_a_file_of_trusted_keys_that_is_not_of_its_form_trusts_nobody(tmp_path):
    path = tmp_path / "trust.json"
    key = _trusted(attestation_key("alice"))
    other = msgspec.structs.replace(key, keyid="0" * 64)
    good = msgspec.json.encode(Trust(keys=(key,)))
    for data in (
        b"",
        b"{}x",
        good.replace(b"trust/1", b"trust/2"),
        good.replace(b'"keys"', b'"more":1,"keys"'),
        msgspec.json.encode(Trust(keys=(other,))),
        msgspec.json.encode(Trust(keys=(key, key))),
        good.replace(b'"spki":"', b'"spki":"AAAA'),
        b"[" * 100_000,
    ):
        path.write_bytes(data)
        with pytest.raises(TrustFileError):
            read_trust(path)


@pytest.mark.parametrize("make", [attestation_key, log_key])
def test_a_change_of_keys_holds_with_both_signatures_in_its_own_log(make):
    old, new = make("old"), make("new")

    change = rotate(LOG, 3, old, new)

    assert check_rotation(change, LOG, 3) == (old.public, new.public)
    assert check_rotation(change, LOG, 9) == (old.public, new.public)
    thief = make("thief")
    forged = rotate(LOG, 3, thief, new)
    for wrong, origin, seq in (
        (change, LOG + "2", 3),
        (change, LOG, 2),
        (msgspec.structs.replace(change, old_signature=change.new_signature), LOG, 3),
        (msgspec.structs.replace(change, old_signature=forged.old_signature), LOG, 3),
        (msgspec.structs.replace(change, new=forged.old), LOG, 3),
        (msgspec.structs.replace(change, role="other"), LOG, 3),
        (msgspec.structs.replace(change, new="?"), LOG, 3),
        (msgspec.structs.replace(change, new=change.old), LOG, 3),
    ):
        with pytest.raises(KeyFormError) as caught:
            check_rotation(wrong, origin, seq)
        assert caught.value.code == "key-form"


def test_keys_hand_over_to_their_own_kind():
    with pytest.raises(KeyFormError, match="of its kind"):
        rotate(LOG, 3, attestation_key(), log_key())
    key = log_key()
    with pytest.raises(KeyFormError, match="to itself"):
        rotate(LOG, 3, key, key)


def test_what_a_revoked_key_signed_counts_only_where_somebody_saw_it_before():
    revoked = Revocation(keyid="a" * 64, origin=LOG, reason="compromised", size=10)
    signed = Place(origin=LOG, size=5)

    def counts(signed, *sightings):
        return still_counts("a" * 64, signed, [revoked], sightings)

    assert not counts(signed)
    assert not counts(None, Sighting(by="pinned", origin=LOG, size=10))
    assert counts(signed, Sighting(by="pinned", origin=LOG, size=5))
    assert counts(signed, Sighting(by="witnessed", origin=LOG, size=10))
    assert not counts(signed, Sighting(by="timestamped", origin=LOG, size=11))
    assert not counts(signed, Sighting(by="timestamped", origin=LOG, size=4))
    assert not counts(signed, Sighting(by="pinned", origin=LOG + "2", size=7))
    assert not counts(Place(origin="other", size=5), Sighting(by="pinned", origin=LOG, size=7))
    assert still_counts("b" * 64, None, [revoked], [])


_SIZES = st.integers(0, 8)
_KEYS = st.sampled_from(["a" * 64, "b" * 64])
_ORIGINS = st.sampled_from([LOG, LOG + "2"])
_REVOCATIONS = st.lists(
    st.builds(Revocation, keyid=_KEYS, origin=_ORIGINS, size=_SIZES, reason=st.just("lost"))
)
_SIGHTINGS = st.lists(st.builds(Sighting, by=st.just("pinned"), origin=_ORIGINS, size=_SIZES))


@given(_KEYS, st.builds(Place, origin=_ORIGINS, size=_SIZES), _REVOCATIONS, _SIGHTINGS, st.data())
def test_a_revocation_only_takes_away_and_a_sighting_only_gives_back(
    keyid, signed, revocations, sightings, data
):
    fewer = data.draw(st.lists(st.sampled_from(revocations))) if revocations else []
    more = [*sightings, *data.draw(_SIGHTINGS)]

    if still_counts(keyid, signed, revocations, sightings):
        assert still_counts(keyid, signed, fewer, sightings)
        assert still_counts(keyid, signed, revocations, more)
