"""`verify --layout`: a file came out of a release chain, and who answers for that is named."""

from __future__ import annotations

import json

import pytest

from attestations.keys.trust import Revocation, Trust, TrustedKey, write_trust
from attestations.statements.envelope import sign
from tests.unit.attestations.statements.test_release import (
    BUNDLE,
    OWNER,
    RECORDER,
    _layout,
    _links,
)


@pytest.fixture
def released(place, monkeypatch):
    """A file with the evidence of its chain, which one owner signed."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place.path / "config"))
    (place.path / "run").write_bytes(BUNDLE)
    envelope = sign(json.dumps(_layout()).encode(), [OWNER]).encode()
    (place.path / "release.layout").write_bytes(envelope)
    for number, link in enumerate(_links()):
        (place.path / f"{number}.link").write_bytes(link)
    for key in (OWNER, RECORDER):
        place.write(f"{key.name}.pub", key.public.pem().decode())

    def verified(*, keys=("owner",), links=range(4), file="run"):
        words = [word for n in links for word in ("--link", f"{n}.link")]
        words += [word for key in keys for word in ("--key", f"{key}.pub")]
        return place.look("verify", file, "--layout", "release.layout", *words, "--json")

    place.verified = verified
    return place


def test_a_file_that_went_through_the_chain_is_found_to_be_that(released):
    found = released.verified()

    assert found.code == 0, found.err
    assert found.report["subject"] == "release"
    assert found.report["owners"] == [OWNER.public.keyid]
    assert [each["name"] for each in found.report["steps"]] == ["review", "package", "record"]


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"links": range(3)}, 3, "keys did it"),
        ({"keys": ()}, 2, "has to be named"),
        ({"keys": ("recorder",)}, 3, "too few trusted owners"),
        ({"keys": ("owner", "recorder")}, 3, "too few trusted owners"),
        ({"file": "other"}, 3, "not what came out"),
        ({"file": "nosuch"}, 4, "no such file"),
    ],
)
def test_what_did_not_is_refused(released, changed, code, said):
    released.write("other", "another file")

    found = released.verified(**changed)

    assert (found.code, said in found.err, found.out) == (code, True, "")


def test_a_layout_of_an_owner_whose_key_is_revoked_is_refused(released):
    ended = Revocation(keyid=OWNER.public.keyid, origin="w", reason="lost", size=1)
    trust = Trust(keys=(TrustedKey.of("owner", "attestation", OWNER.public),), revoked=(ended,))
    write_trust(released.path / "config" / "ritornello" / "trust.json", trust)

    assert released.verified().code == 3


@pytest.mark.parametrize(
    "words",
    [
        ["--layout", "release.layout"],
        ["run", "--link", "0.link"],
        ["run", "--layout", "release.layout", "--require", "authenticity=signed"],
    ],
)
def test_a_chain_is_of_one_file(released, words):
    found = released.look("verify", *words)

    assert (found.code, "of one file" in found.err) == (2, True)
