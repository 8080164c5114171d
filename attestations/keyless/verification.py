"""Checks a Sigstore bundle offline, under a root pinned by digest, for one expected identity.

The one invariant: a fact is returned only if sigstore, unpatched, accepts the bundle by each of its
times alone, and the payload it accepted is the payload that is reported. No network, cache or
update mechanism is asked: authorities and logs are those of the pinned root.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from attestations.errors import KeylessError
from attestations.keyless.bundle_form import BundleForm, TimedDocument, read_bundle_form
from attestations.keyless.certificate import key_sha256, read_identity
from attestations.keyless.facts import KeylessFact, KeylessIdentity, SignedTime
from attestations.keyless.library import refusing, require_sigstore
from attestations.keyless.root import PinnedRoot
from attestations.statements.envelope import STATEMENT_PAYLOAD
from attestations.statements.statement import read_statement

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.models import Bundle
    from sigstore.verify import Verifier
    from sigstore.verify.policy import VerificationPolicy

__all__ = ["identify", "verify"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def verify(bundle: bytes, root: PinnedRoot, identity: KeylessIdentity) -> KeylessFact:
    """Return what a bundle proves, if this identity signed it.

    Args:
        bundle: the bundle's JSON, hostile.
        root: whose certificates, logs and time stamps are believed.
        identity: the only signer that is accepted.

    Raises:
        KeylessError: the bundle is malformed, does not hold, or somebody else signed it.
        StatementError: what is signed is no in-toto statement with SHA-256 subjects.
        NotInstalledError: sigstore is not installed.

    Complexity: one verification (2 to 4 ms) for each time in the bundle, mostly one.
    """
    require_sigstore()
    from sigstore.verify import policy

    accepted = policy.AllOf(
        [
            policy.Identity(identity=identity.subject, issuer=identity.issuer),
            policy.OIDCIssuerV2(identity.issuer),
        ]
    )
    fact = _fact(bundle, root, accepted)
    # sigstore asks whether the name is among those of the certificate; the fact has the only one.
    if (fact.subject, fact.issuer) != (identity.subject, identity.issuer):
        raise KeylessError(f"the bundle is signed by {fact.subject} of {fact.issuer}")
    for name, value in sorted(identity.claims.items()):
        if fact.claims.get(name) != value:
            raise KeylessError(
                f"the certificate says {name} is {fact.claims.get(name, 'not known')!r},"
                f" not {value!r}"
            )
    return fact


def identify(bundle: bytes, root: PinnedRoot) -> KeylessFact:
    """Return what a bundle proves, whoever signed it.

    For a policy that decides about signers afterwards: anybody with a mail address can sign, so
    this fact alone is a reason for nothing.

    Raises:
        KeylessError: the bundle is malformed or does not hold.
        StatementError: what is signed is no in-toto statement with SHA-256 subjects.
        NotInstalledError: sigstore is not installed.
    """
    return _fact(bundle, root, _OneOwner())


class _OneOwner:
    """A policy for sigstore: the certificate names one owner and one issuer, of whatever name."""

    def verify(self, cert: Certificate) -> None:
        """Read the owner, which refuses a certificate without one."""
        read_identity(cert)


def _fact(data: bytes, root: PinnedRoot, policy: VerificationPolicy) -> KeylessFact:
    require_sigstore()
    from sigstore.verify import Verifier

    form = read_bundle_form(data, root.log_hosts)
    trusted = root.trusted()
    with refusing("sigstore refuses the trusted root"):
        verifier = Verifier(trusted_root=trusted)
    held = [_hold(timed, form, verifier, policy) for timed in form.timed]
    times = tuple(time for time, _ in held)
    with refusing("the signing certificate is refused"):
        certificate = held[0][1].signing_certificate
        owner, key = read_identity(certificate), key_sha256(certificate)
    statement = read_statement(form.payload)
    return KeylessFact(
        subject=owner.subject,
        issuer=owner.issuer,
        claims=owner.claims,
        time_us=min(time.time_us for time in times),
        times=times,
        payload=form.payload,
        payload_sha256=sha256(form.payload).hexdigest(),
        predicate_type=statement.predicate_type,
        subjects=tuple(each.digest.sha256 for each in statement.subject),
        key_sha256=key,
        log_origin=form.log_origin,
        log_index=form.log_index,
        log_root_sha256=form.log_root.hex(),
        root_sha256=root.digest,
    )


def _hold(
    timed: TimedDocument, form: BundleForm, verifier: Verifier, policy: VerificationPolicy
) -> tuple[SignedTime, Bundle]:
    """Have sigstore verify the bundle by one of its times, and say which time that is."""
    from sigstore.models import Bundle

    with refusing("the bundle does not hold"):
        bundle = Bundle.from_json(timed.document)
        payload_type, payload = verifier.verify_dsse(bundle, policy)
        time_us = timed.log_time_us if timed.log_time_us is not None else _stamped_us(bundle)
    if payload_type != STATEMENT_PAYLOAD or payload != form.payload:
        raise KeylessError("sigstore verified another payload than the one that was read")
    return SignedTime(source=timed.source, time_us=time_us), bundle


def _stamped_us(bundle: Bundle) -> int:
    """Return the time of the bundle's one time stamp, which was verified."""
    stamps = bundle.verification_material.timestamp_verification_data
    if stamps is None:
        raise KeylessError("the time stamp is empty")
    (stamp,) = stamps.rfc3161_timestamps
    return (stamp.tst_info.gen_time - _EPOCH) // _MICROSECOND
