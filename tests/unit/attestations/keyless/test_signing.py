"""Signed through a private Sigstore by the unpatched client, and read after it is gone."""

import datetime as dt
import hashlib
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from attestations.errors import (
    KeylessError,
    KeylessServiceError,
    NotInstalledError,
    StatementError,
)
from attestations.keyless import SignedTime, identify, verify
from attestations.keyless.library import one_line
from attestations.keyless.signing import SigstoreServices, sign
from tests.support.private_sigstore import PrivateSigstore
from tests.support.private_sigstore.signed import SUBJECT, statement


def test_a_statement_is_signed_as_whoever_the_token_names_and_verified_offline(signed, no_network):
    fact = verify(signed.bundle, signed.root, signed.identity)

    assert fact == identify(signed.bundle, signed.root)
    assert (fact.subject, fact.issuer) == (SUBJECT, signed.sigstore.identities.issuer)
    assert fact.claims == {"build_trigger": "release", "source_repository_identifier": "772247423"}
    assert fact.payload == statement()
    assert fact.payload_sha256 == hashlib.sha256(statement()).hexdigest()
    assert fact.is_about(hashlib.sha256(b"what is spoken of").hexdigest())
    assert not fact.is_about(hashlib.sha256(b"something else").hexdigest())
    assert fact.predicate_type == "https://ritornello.test/said/v1"
    assert (fact.log_origin, fact.log_index) == ("log.ritornello.test", 1)
    assert fact.root_sha256 == signed.root.digest


def test_the_time_is_the_authoritys(signed, no_network):
    (time,) = verify(signed.bundle, signed.root, signed.identity).times

    certificate = signed.sigstore.certificates.root
    assert time == SignedTime(source="time-stamp", time_us=time.time_us)
    assert certificate.not_valid_before_utc.timestamp() * 1e6 < time.time_us
    assert time.time_us <= dt.datetime.now(dt.UTC).timestamp() * 1e6


def test_signing_hands_out_what_a_reader_finds(signed, no_network):
    found = identify(signed.bundle, signed.root)

    made = signed.signature.fact
    assert (made.subject, made.payload, made.times) == (found.subject, found.payload, found.times)


@pytest.fixture
def sigstore():
    with PrivateSigstore() as sigstore:
        yield sigstore


def assert_refused(sigstore, token, error, said):
    services = SigstoreServices.private(sigstore.config())

    with pytest.raises(error) as caught:
        sign(statement(), token, services)

    assert said in caught.value.message
    assert not token or token not in caught.value.diagnostics()
    assert sigstore.log.leaves == []


def test_a_token_that_is_none_is_refused_before_anybody_is_asked(sigstore):
    assert_refused(sigstore, "", KeylessError, "1 to 65536 characters")
    assert_refused(sigstore, "x.y.z", KeylessError, "the identity token is refused")


def test_a_token_for_somebody_else_is_refused(sigstore):
    token = sigstore.token(audience="another-service")

    assert_refused(sigstore, token, KeylessError, "the identity token is refused")


def test_an_expired_token_is_refused(sigstore):
    assert_refused(sigstore, sigstore.token(lifetime_s=-30), KeylessError, "token is refused")


def test_a_forged_token_gets_no_certificate(sigstore):
    forged = sigstore.token(key=ec.generate_private_key(ec.SECP256R1()))

    assert_refused(sigstore, forged, KeylessServiceError, "Sigstore gave no signature")


def test_services_that_are_gone_give_no_signature(sigstore):
    services, token = SigstoreServices.private(sigstore.config()), sigstore.token()
    sigstore.stop()

    with pytest.raises(KeylessServiceError, match="Sigstore gave no signature"):
        sign(statement(), token, services)


def test_a_signature_that_nobody_time_stamped_is_not_handed_out(sigstore):
    sigstore.time_stamping.answer = lambda request: b"no time stamp"

    with pytest.raises(KeylessServiceError, match=r"must contain .* signed timestamp"):
        sign(statement(), sigstore.token(), SigstoreServices.private(sigstore.config()))


def test_a_signature_time_stamped_after_its_certificate_ended_is_not_handed_out(sigstore):
    sigstore.ahead["time_stamping"] = dt.timedelta(hours=1)

    with pytest.raises(KeylessServiceError, match="does not verify"):
        sign(statement(), sigstore.token(), SigstoreServices.private(sigstore.config()))


@pytest.mark.parametrize(
    "changed",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"subject": []},
        {"subject": [{"name": "x", "digest": {"sha512": "00" * 64}}]},
        {"predicate": []},
    ],
)
def test_what_is_no_statement_is_not_sent_to_anybody(sigstore, changed):
    with pytest.raises(StatementError):
        sign(statement(**changed), sigstore.token(), SigstoreServices.private(sigstore.config()))

    assert sigstore.log.leaves == []


@pytest.mark.parametrize("config", [b"", b"{}", b'{"trustedRoot": {}}', b"[1]", b"\xff"])
def test_a_trust_configuration_that_is_none_is_refused_with_its_file(config):
    with pytest.raises(KeylessError) as caught:
        SigstoreServices.private(config, "sigstore.json")

    assert caught.value.where == "sigstore.json"


def test_without_sigstore_the_extra_is_named(monkeypatch, signed):
    monkeypatch.setitem(sys.modules, "sigstore", None)

    with pytest.raises(NotInstalledError) as caught:
        verify(signed.bundle, signed.root, signed.identity)

    assert caught.value.hint == "pip install 'ritornello[sigstore]'"


def test_importing_the_room_loads_nothing_of_sigstore():
    heavy = ("sigstore", "sigstore_models", "rfc3161_client", "requests", "tuf", "pydantic")
    code = "import sys, attestations.keyless, attestations.keyless.signing\n"
    code += f"print([name for name in {heavy!r} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_what_an_error_repeats_is_bounded_and_printable():
    said = one_line(ValueError("a\x1b[31m\n" + "b" * 1000))

    assert said.startswith("a?[31m b")
    assert len(said) == 303
