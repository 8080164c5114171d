"""Who signed a statement without a key, and when: closed values, all of it verified.

The one invariant: nothing stands in a :class:`KeylessFact` that is not under a signature which was
verified under the pinned root. The number that a bundle gives its log entry outside the proof is
not, so it is not here.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from attestations.errors import KeylessError
from attestations.statements.statement import Sha256

__all__ = ["CLAIM_NAMES", "KeylessFact", "KeylessIdentity", "SignedTime", "TimeSource"]

#: ``time-stamp``: an RFC 3161 authority. ``log``: the time that a Rekor v1 log promised.
TimeSource = Literal["log", "time-stamp"]

CLAIM_NAMES: Final[dict[int, str]] = {
    9: "build_signer_uri",
    10: "build_signer_digest",
    11: "runner_environment",
    12: "source_repository_uri",
    13: "source_repository_digest",
    14: "source_repository_ref",
    15: "source_repository_identifier",
    16: "source_repository_owner_uri",
    17: "source_repository_owner_identifier",
    18: "build_config_uri",
    19: "build_config_digest",
    20: "build_trigger",
    21: "run_invocation_uri",
    22: "source_repository_visibility",
}
"""What else a certificate can say of its owner, by the last number of the extension's object id.

Source: https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md.
"""

_TEXT_SIZE_MAX: Final = 2048


class KeylessIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Whose signature is accepted: everything said here has to hold, letter for letter.

    There is no pattern and no "anybody": a subject without the provider that vouched for it can be
    had from any other provider.

    Attributes:
        subject: the certificate's subject alternative name, whole: an address or a URI.
        issuer: URL of the identity provider.
        claims: further claims that must be as given, by a name of :data:`CLAIM_NAMES`.
    """

    subject: str
    issuer: str
    claims: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what would accept more than one identity, or can never match.

        Raises:
            KeylessError: the subject or issuer is empty or too long, or a claim is not known.
        """
        for what, text in (("subject", self.subject), ("issuer", self.issuer)):
            if not 0 < len(text) <= _TEXT_SIZE_MAX:
                raise KeylessError(
                    f"the {what} of an identity is 1 to {_TEXT_SIZE_MAX} characters",
                    hint="name the whole subject and the provider's URL; there is no wildcard",
                )
        for name in self.claims:
            if name not in CLAIM_NAMES.values():
                known = ", ".join(sorted(CLAIM_NAMES.values()))
                raise KeylessError(
                    f"no certificate claim is called {name!r}", hint=f"one of {known}"
                )


class SignedTime(msgspec.Struct, frozen=True, kw_only=True):
    """A time that somebody other than the signer signed.

    Attributes:
        source: who.
        time_us: the signature existed no later than this, in microseconds since the Unix epoch.
    """

    source: TimeSource
    time_us: int


class KeylessFact(msgspec.Struct, frozen=True, kw_only=True):
    """A statement, who signed it, and since when it exists.

    Attributes:
        subject: the certificate's one subject alternative name.
        issuer: URL of the identity provider that vouched for it.
        claims: what else the certificate says, by name.
        time_us: the earliest of `times`: the signature existed no later than this.
        times: every time in the bundle; the bundle holds by each of them alone.
        payload: the exact bytes that are signed: an in-toto statement.
        payload_sha256: hex SHA-256 of them, which names the statement.
        predicate_type: URI of what the statement says.
        subjects: SHA-256 of everything it speaks of, in its order.
        key_sha256: hex SHA-256 of the certificate's public key, as DER SubjectPublicKeyInfo; its
            private half was thrown away when the signature was made.
        log_origin: which log the signature stands in, by the name in its signed checkpoint.
        log_index: where it stands in that log's tree, from 0.
        log_root_sha256: hex root of the tree under which that was proved.
        root_sha256: digest of the pinned trusted root.
    """

    subject: str
    issuer: str
    claims: dict[str, str]
    time_us: int
    times: tuple[SignedTime, ...]
    payload: bytes
    payload_sha256: Sha256
    predicate_type: str
    subjects: tuple[Sha256, ...]
    key_sha256: Sha256
    log_origin: str
    log_index: int
    log_root_sha256: Sha256
    root_sha256: Sha256

    def is_about(self, digest: str) -> bool:
        """Whether the statement speaks of the bytes with this hex SHA-256."""
        return digest in self.subjects
