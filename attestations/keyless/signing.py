"""Signs a statement through the services of a Sigstore: a certificate, a log, and a time stamp.

The one invariant: a bundle is handed out only after it was verified as any reader will verify it.
Which Sigstore is asked is never a default. The public one prints the signer's address and the
statement's digest in a log that everybody can read and nobody can delete from.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from attestations.errors import KeylessError, KeylessServiceError
from attestations.keyless.facts import KeylessFact
from attestations.keyless.library import refusing, require_sigstore
from attestations.keyless.root import ROOT_SIZE_MAX, PinnedRoot
from attestations.keyless.verification import identify
from attestations.statements.statement import read_statement
from attestations.statements.strict_json import check_json

if TYPE_CHECKING:
    from sigstore.models import ClientTrustConfig

__all__ = ["KeylessSignature", "SigstoreServices", "sign"]

_TOKEN_SIZE_MAX: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class SigstoreServices:
    """Which Sigstore signs, and what its signatures are checked against.

    Attributes:
        root: its trusted root; the file that readers pin holds `root.data`, or says the same.
    """

    root: PinnedRoot
    _config: ClientTrustConfig

    @classmethod
    def private(cls, config: bytes, where: str = "") -> SigstoreServices:
        """Use the Sigstore that a client trust configuration describes.

        Args:
            config: its JSON (`application/vnd.dev.sigstore.clienttrustconfig.v0.1+json`).
            where: the file it is from, for errors.

        Raises:
            KeylessError: it is malformed.
            NotInstalledError: sigstore is not installed.
        """
        require_sigstore()
        from sigstore.models import ClientTrustConfig

        if len(config) > ROOT_SIZE_MAX:
            raise KeylessError(
                f"the trust configuration is over {ROOT_SIZE_MAX} bytes", where=where
            )
        with refusing("no trust configuration of Sigstore", where=where):
            root = msgspec.json.encode(check_json(config)["trustedRoot"])
            made = ClientTrustConfig.from_json(config.decode())
        return cls(PinnedRoot.of(root, sha256(root).hexdigest(), where), made)

    @classmethod
    def public(cls) -> SigstoreServices:
        """Use the public Sigstore, by the configuration that its signed updates name today.

        Asks the network. Whoever signs with it publishes who they are and what they signed.

        Raises:
            KeylessServiceError: the updates could not be had, or are not signed as they must be.
            NotInstalledError: sigstore is not installed.
        """
        require_sigstore()
        from sigstore.models import ClientTrustConfig

        with refusing("the public Sigstore gives no configuration", kind=KeylessServiceError):
            config = ClientTrustConfig.production()
            # No public name leads from a configuration to the bytes of its root.
            root = config.trusted_root._inner.to_json().encode()
        return cls(PinnedRoot.of(root, sha256(root).hexdigest()), config)


@dataclass(frozen=True, slots=True)
class KeylessSignature:
    """A statement that was signed, and as what.

    Attributes:
        bundle: the Sigstore bundle's JSON, to be written as it is.
        fact: what a reader finds in it.
    """

    bundle: bytes
    fact: KeylessFact


def sign(statement: bytes, token: str, services: SigstoreServices) -> KeylessSignature:
    """Sign a statement as whoever an identity token names.

    Args:
        statement: exact bytes of an in-toto statement v1; they are what is signed.
        token: an OpenID Connect token for the audience `sigstore`. It is a secret until it
            expires, and is sent to the certificate authority only.
        services: which Sigstore.

    Raises:
        KeylessError: the token is not one for Sigstore, or has expired.
        KeylessServiceError: a service refused, or what it gave does not verify.
        StatementError: the bytes are no in-toto statement with SHA-256 subjects.
    """
    read_statement(statement)
    from sigstore.dsse import Statement
    from sigstore.oidc import IdentityToken
    from sigstore.sign import SigningContext

    text = token.strip()
    if not 0 < len(text) <= _TOKEN_SIZE_MAX:
        raise KeylessError(f"an identity token is 1 to {_TOKEN_SIZE_MAX} characters")
    with refusing("the identity token is refused", hint="get a fresh one, audience `sigstore`"):
        identity = IdentityToken(text)
    with refusing("the statement is refused"):
        signed = Statement(statement)
    with refusing("Sigstore gave no signature", kind=KeylessServiceError):
        context = SigningContext.from_trust_config(services._config)
        with context.signer(identity) as signer:
            bundle = signer.sign_dsse(signed).to_json().encode()
    try:
        fact = identify(bundle, services.root)
    except KeylessError as error:
        raise KeylessServiceError(
            f"what Sigstore gave does not verify: {error.message}", hint=error.hint
        ) from error
    if fact.payload != statement:
        raise KeylessServiceError("Sigstore signed other bytes than it was given")
    return KeylessSignature(bundle, fact)
