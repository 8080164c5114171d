"""A signature counts under a named key, over exact bytes, and a bad one is never passed over."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from attestations.checkpoints import (
    VerifierKey,
    check_signature,
    checked_signatures,
    cosign_checkpoint,
    parse_vkey,
    sign_checkpoint,
)
from attestations.errors import KeyFormError, NoteError
from replay.errors import ProofError
from replay.tree import Checkpoint, NoteSignature, parse_checkpoint, parse_note

# The published example of https://c2sp.org/signed-note.
PUBLISHED_KEY = parse_vkey("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
PUBLISHED_NOTE = (
    "This is an example message.\n\n\u2014 example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2"
    "ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()
# The published example of https://c2sp.org/tlog-cosignature; its keys are not published.
COSIGNED_NOTE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\u2014 example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcy"
    "v2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "\u2014 witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b"
    "2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
).encode()
CHECKPOINT = Checkpoint("ritornello/run/01ABC", 7, bytes(range(32)))
TIME_S = 1_790_000_000


def pair(name="log.example", algorithm="ed25519", seed=1):
    """Return a signer and its public half; `Ed25519PrivateKey` is a `Signer` as it is."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return private, VerifierKey(name, private.public_key().public_bytes_raw(), algorithm)


def test_the_published_note_verifies_and_another_text_under_it_does_not():
    text, signatures = parse_note(PUBLISHED_NOTE)

    good = checked_signatures(text, signatures, [PUBLISHED_KEY])
    bad = checked_signatures(text.replace(b"an", b"no"), signatures, [PUBLISHED_KEY])

    assert [each.outcome for each in good] == ["good"]
    assert [(each.outcome, each.problem) for each in bad] == [
        ("bad", "the signature does not hold")
    ]


def test_the_published_cosigned_checkpoint_is_read_and_its_keys_are_unknown():
    checkpoint, signatures = parse_checkpoint(COSIGNED_NOTE)

    checked = checked_signatures(checkpoint.body(), signatures, [PUBLISHED_KEY])

    assert checkpoint.note(signatures) == COSIGNED_NOTE
    assert [(each.name, each.key_id, each.outcome) for each in checked] == [
        ("example.com/behind-the-sofa", "033de0ae", "unknown"),
        ("witness.example.com/w1", "8d66cf3f", "unknown"),
    ]


@pytest.mark.parametrize("origin", ["ritornello/run/01ABC", "ritornello/workspace/01ABC"])
def test_what_is_signed_verifies_after_it_was_written_and_read(origin):
    checkpoint = Checkpoint(origin, 7, bytes(range(32)))
    signer, key = pair()
    witness, witness_key = pair("w.example", "cosignature/v1", 2)

    note = checkpoint.note(
        (
            sign_checkpoint(checkpoint, key, signer),
            cosign_checkpoint(checkpoint, witness_key, witness, TIME_S),
        )
    )
    read, signatures = parse_checkpoint(note)
    checked = checked_signatures(read.body(), signatures, [key, witness_key])

    assert [(each.outcome, each.time_s) for each in checked] == [("good", None), ("good", TIME_S)]


def test_a_signature_of_one_origin_does_not_hold_for_another():
    signer, key = pair()
    signature = sign_checkpoint(CHECKPOINT, key, signer)
    other = Checkpoint("ritornello/run/01ABD", CHECKPOINT.size, CHECKPOINT.root)

    with pytest.raises(NoteError, match="does not hold"):
        check_signature(other.body(), signature, key)


def test_the_time_of_a_cosignature_cannot_be_changed():
    witness, key = pair("w.example", "cosignature/v1")
    made = cosign_checkpoint(CHECKPOINT, key, witness, TIME_S)
    later = (TIME_S + 5).to_bytes(8, "big") + made.signature[8:]

    with pytest.raises(NoteError, match="does not hold"):
        check_signature(CHECKPOINT.body(), NoteSignature(key.name, key.key_id, later), key)


def test_a_plain_signature_is_no_cosignature_and_a_cosignature_no_plain_one():
    private, plain = pair("both.example")
    witness = VerifierKey("both.example", plain.public_key, "cosignature/v1")
    signed = sign_checkpoint(CHECKPOINT, plain, private)
    cosigned = cosign_checkpoint(CHECKPOINT, witness, private, TIME_S)

    for made, key in ((signed, witness), (cosigned, plain)):
        borrowed = NoteSignature(key.name, key.key_id, made.signature)
        with pytest.raises(NoteError):
            check_signature(CHECKPOINT.body(), borrowed, key)


def test_a_name_with_the_key_of_another_is_bad_beside_a_good_one():
    signer, key = pair()
    thief, stolen = pair("other.example", seed=3)
    forged = NoteSignature(stolen.name, stolen.key_id, signer.sign(CHECKPOINT.body()))

    checked = checked_signatures(
        CHECKPOINT.body(), (sign_checkpoint(CHECKPOINT, key, signer), forged), [key, stolen]
    )

    assert [each.outcome for each in checked] == ["good", "bad"]
    assert thief.public_key() != signer.public_key()


@pytest.mark.parametrize("signature", [b"x", bytes(63), bytes(65), bytes(72), bytes(64)])
def test_a_signature_of_the_wrong_length_or_value_is_bad(signature):
    for algorithm in ("ed25519", "cosignature/v1"):
        _, key = pair(algorithm=algorithm)
        line = NoteSignature(key.name, key.key_id, signature)

        assert [each.outcome for each in checked_signatures(CHECKPOINT.body(), (line,), [key])] == [
            "bad"
        ]


def test_a_key_that_is_no_point_on_the_curve_makes_a_bad_signature_and_no_crash():
    key = VerifierKey("log.example", b"\xff" * 32)
    line = NoteSignature(key.name, key.key_id, bytes(64))

    checked = checked_signatures(CHECKPOINT.body(), (line,), [key])

    assert [each.outcome for each in checked] == ["bad"]


def test_a_time_that_the_format_cannot_hold_is_refused():
    witness, key = pair("w.example", "cosignature/v1")

    for time_s in (-1, 2**63):
        with pytest.raises(NoteError, match="out of range"):
            cosign_checkpoint(CHECKPOINT, key, witness, time_s)


def test_a_signer_with_another_key_is_found_before_its_signature_leaves():
    signer, _ = pair()
    _, other = pair(seed=2)

    with pytest.raises(NoteError, match="does not hold"):
        sign_checkpoint(CHECKPOINT, other, signer)


def test_a_key_of_the_other_algorithm_signs_nothing():
    signer, key = pair()
    _, witness = pair("w.example", "cosignature/v1")

    with pytest.raises(KeyFormError):
        sign_checkpoint(CHECKPOINT, witness, signer)
    with pytest.raises(KeyFormError):
        cosign_checkpoint(CHECKPOINT, key, signer, TIME_S)


@given(at=st.integers(0, 200), bit=st.integers(0, 7))
def test_no_flipped_bit_of_a_signed_note_is_good(at, bit):
    signer, key = pair()
    note = bytearray(CHECKPOINT.note((sign_checkpoint(CHECKPOINT, key, signer),)))
    note[at % len(note)] ^= 1 << bit

    try:
        checkpoint, signatures = parse_checkpoint(bytes(note))
    except ProofError:
        return
    checked = checked_signatures(checkpoint.body(), signatures, [key])

    assert "good" not in [each.outcome for each in checked]
