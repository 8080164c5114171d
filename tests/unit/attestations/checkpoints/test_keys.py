"""Keys that verify notes have one text form, and an id that nobody can borrow."""

import pytest

from attestations.checkpoints import VerifierKey, parse_vkey
from attestations.errors import KeyFormError

# The published example of https://c2sp.org/signed-note.
PUBLISHED = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
KEY = parse_vkey(PUBLISHED)


def test_the_published_key_is_read_and_written_as_it_stands():
    assert (KEY.name, KEY.algorithm, KEY.key_id.hex()) == ("example.com/foo", "ed25519", "530d903a")
    assert KEY.text() == PUBLISHED


def test_the_same_bytes_as_a_witness_have_another_id():
    witness = VerifierKey(KEY.name, KEY.public_key, "cosignature/v1")

    assert witness.key_id != KEY.key_id
    assert parse_vkey(witness.text()) == witness


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "three pieces"),
        ("example.com/foo", "three pieces"),
        (PUBLISHED.replace("example.com/foo", "example.org/foo"), "id is not the one"),
        (PUBLISHED.replace("530d903a", "530D903A"), "lower-case"),
        (PUBLISHED.replace("530d903a", "530d903"), "eight"),
        (PUBLISHED + "=", "not canonical"),
        (PUBLISHED + "\n", "not base64"),
        (PUBLISHED.replace("AekyeR", "Aeky_R"), "not base64"),
        (PUBLISHED[:-3] + "kö=", "not base64"),
        (PUBLISHED.replace("example.com/foo", "example com"), "printable ASCII"),
        ("+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "printable ASCII"),
        (PUBLISHED.replace("+Aeky", "+A+eky"), "not base64"),
        ("a+00000000+", "algorithm"),
        ("a+00000000+Aw==", "algorithm"),
        ("a+00000000+AQ==", "0 bytes long"),
        ("a+00000000+AR==", "not canonical"),
        ("a+" + "0" * 600, "three pieces"),
    ],
)
def test_a_key_in_another_spelling_is_refused(text, said):
    with pytest.raises(KeyFormError, match=said):
        parse_vkey(text)


def test_a_key_of_an_unknown_algorithm_cannot_be_made():
    with pytest.raises(KeyFormError, match="no algorithm"):
        VerifierKey("a", bytes(32), "rsa")
