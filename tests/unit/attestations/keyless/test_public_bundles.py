"""What others signed through the public Sigstore, read offline under a root pinned by digest."""

import hashlib
import json
from pathlib import Path

import pytest

from attestations.errors import KeylessError
from attestations.keyless import (
    KeylessIdentity,
    PinnedRoot,
    SignedTime,
    identify,
    parse_pinned_file,
    verify,
)

DATA = Path(__file__).parents[3] / "data" / "keyless"
ROOT = DATA / "trusted_root.json"
ROOT_SHA256 = "6494e21ea73fa7ee769f85f57d5a3e6a08725eae1e38c755fc3517c9e6bc0b66"
PROVENANCE = DATA / "pypi_attestations-0.0.19.tar.gz.slsa.sigstore.json"
PUBLISHED = DATA / "pypi_attestation_models-0.0.4a2.tar.gz.sigstore.json"
STAGING = DATA / "rfc8785-0.1.2-py3-none-any.whl.staging.sigstore.json"
GITHUB = "https://token.actions.githubusercontent.com"
REPOSITORY = "https://github.com/trailofbits/pypi-attestations"
WORKFLOW = f"{REPOSITORY}/.github/workflows/release.yml@refs/tags/v0.0.19"
RELEASED_SHA256 = "9bb1add04b1b4e182be6b0b80931593f7a291eb49d69b4fd728a5d4cbcdc4bd3"


@pytest.fixture(scope="module")
def root():
    return PinnedRoot.read(*parse_pinned_file(f"{ROOT}@sha256:{ROOT_SHA256}"))


def test_a_real_provenance_holds_for_the_workflow_that_signed_it(root, no_network):
    claims = {
        "runner_environment": "github-hosted",
        "source_repository_identifier": "772247423",
        "source_repository_ref": "refs/tags/v0.0.19",
        "source_repository_uri": REPOSITORY,
    }
    identity = KeylessIdentity(subject=WORKFLOW, issuer=GITHUB, claims=claims)

    fact = verify(PROVENANCE.read_bytes(), root, identity)

    assert fact.is_about(RELEASED_SHA256)
    assert fact.predicate_type == "https://slsa.dev/provenance/v1"
    assert fact.times == (SignedTime(source="log", time_us=1733354026000000),)
    assert fact.log_origin == "rekor.sigstore.dev - 1193050959916656506"
    assert fact.claims.items() >= claims.items()


def test_an_older_one_holds_years_after_its_ten_minute_certificate_ended(root, no_network):
    fact = identify(PUBLISHED.read_bytes(), root)

    assert fact.predicate_type.endswith("/attestations/publish/v1")
    assert fact.time_us == 1718048845000000
    assert fact.claims["source_repository_ref"] == "refs/tags/v0.0.4a2"


def test_one_of_another_sigstore_does_not_hold(root, no_network):
    with pytest.raises(KeylessError, match="none of the trusted root's"):
        identify(STAGING.read_bytes(), root)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"subject": WORKFLOW.replace("v0.0.19", "v0.0.20")}, "SANs do not match"),
        ({"subject": WORKFLOW.replace("trailofbits", "trailofb1ts")}, "SANs do not match"),
        ({"subject": WORKFLOW.upper()}, "SANs do not match"),
        ({"issuer": "https://accounts.google.com"}, "OIDCIssuer does not match"),
        ({"issuer": GITHUB + "/"}, "OIDCIssuer does not match"),
        ({"claims": {"source_repository_identifier": "1"}}, "not '1'"),
        ({"claims": {"source_repository_visibility": "private"}}, "not 'private'"),
    ],
)
def test_somebody_else_is_not_accepted(root, no_network, changed, said):
    identity = KeylessIdentity(**({"subject": WORKFLOW, "issuer": GITHUB} | changed))

    with pytest.raises(KeylessError, match=said):
        verify(PROVENANCE.read_bytes(), root, identity)


def altered(change):
    bundle = json.loads(PROVENANCE.read_bytes())
    change(bundle["verificationMaterial"]["tlogEntries"][0])
    return json.dumps(bundle).encode()


def test_the_logs_time_and_promise_cannot_be_changed_or_taken_away(root, no_network):
    later = altered(lambda entry: entry.update(integratedTime="1733354031"))
    renumbered = altered(lambda entry: entry.update(logIndex="1"))
    unpromised = altered(lambda entry: entry.pop("inclusionPromise"))

    with pytest.raises(KeylessError, match="SET: invalid inclusion promise"):
        identify(later, root)
    with pytest.raises(KeylessError, match="SET: invalid inclusion promise"):
        identify(renumbered, root)
    with pytest.raises(KeylessError, match="no time that somebody else signed"):
        identify(unpromised, root)


def test_the_log_entry_of_another_statement_does_not_do(root, no_network):
    """CVE-2022-36056: an entry that is in the log, of something else."""
    bundle, other = (json.loads(path.read_bytes()) for path in (PROVENANCE, PUBLISHED))
    material = bundle["verificationMaterial"]
    material["tlogEntries"] = other["verificationMaterial"]["tlogEntries"]

    with pytest.raises(KeylessError, match="the bundle does not hold"):
        identify(json.dumps(bundle).encode(), root)


def test_a_root_with_another_digest_is_not_looked_at(tmp_path):
    edited = ROOT.read_bytes().replace(
        b"https://fulcio.sigstore.dev", b"https://fulcio.sigstore.dew"
    )
    (tmp_path / "root.json").write_bytes(edited)

    with pytest.raises(KeylessError, match=f"not the pinned {ROOT_SHA256}") as caught:
        PinnedRoot.read(tmp_path / "root.json", ROOT_SHA256)

    assert caught.value.where == str(tmp_path / "root.json")


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b'{"tlogs": []}', b"[]", b'{"tlogs": [], "tlogs": []}', b"\xff", b"[" * 9999],
)
def test_what_is_no_root_is_refused_although_its_digest_fits(data):
    with pytest.raises(KeylessError):
        PinnedRoot.of(data, hashlib.sha256(data).hexdigest(), "root.json").trusted()


@pytest.mark.parametrize(
    "text", ["", "root.json", "root.json@", "root.json@sha256:12", "@" + "0" * 64]
)
def test_a_root_is_never_named_without_its_digest(text):
    with pytest.raises(KeylessError, match="with the SHA-256 it must have"):
        parse_pinned_file(text)


def test_a_root_that_is_not_there_is_said(tmp_path):
    with pytest.raises(KeylessError, match="cannot be read: No such file") as caught:
        PinnedRoot.read(tmp_path / "none.json", "0" * 64)

    assert caught.value.where == str(tmp_path / "none.json")


@pytest.mark.parametrize(
    "fields",
    [
        {"subject": "", "issuer": GITHUB},
        {"subject": WORKFLOW, "issuer": ""},
        {"subject": "x" * 2049, "issuer": GITHUB},
        {"subject": WORKFLOW, "issuer": GITHUB, "claims": {"repository": "x"}},
    ],
)
def test_an_identity_that_accepts_anybody_cannot_be_made(fields):
    with pytest.raises(KeylessError):
        KeylessIdentity(**fields)
