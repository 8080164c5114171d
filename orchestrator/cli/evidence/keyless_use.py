"""Signatures without a key, as `attest` asks for them: whose token, and which Sigstore.

The one invariant: nothing is published unasked. The public Sigstore is used only by the option that
names it; a token is read from a file or the environment, never from the command line.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from orchestrator.cli.terminal import inert
from replay.errors import UsageError

if TYPE_CHECKING:
    from attestations.keyless.signing import KeylessSignature, SigstoreServices

__all__ = [
    "TOKEN_VARIABLE",
    "IdentityTokenFile",
    "KeylessSigner",
    "PublicSigstore",
    "TrustConfigFile",
    "check_keyless",
    "signed_as",
]

TOKEN_VARIABLE: Final = "SIGSTORE_IDENTITY_TOKEN"  # noqa: S105 - its name
"""Where sigstore's own command looks for a token too."""

_TOKEN_SIZE_MAX: Final = 1 << 16

IdentityTokenFile = Annotated[
    Path | None,
    typer.Option(
        "--identity-token",
        metavar="FILE",
        help=f"With --keyless: the OpenID Connect token to sign as; else {TOKEN_VARIABLE}.",
    ),
]
TrustConfigFile = Annotated[
    Path | None,
    typer.Option("--trust-config", metavar="FILE", help="With --keyless: the Sigstore that signs."),
]
PublicSigstore = Annotated[
    bool,
    typer.Option(
        "--public-sigstore",
        help="With --keyless: sign by the public Sigstore, which publishes who you are.",
    ),
]


class KeylessSigner(msgspec.Struct, frozen=True, kw_only=True):
    """Who signs, by which Sigstore. Make it with :meth:`prepare`.

    Attributes:
        token: says who; a secret until it expires.
        services: which Sigstore.
    """

    token: str
    services: SigstoreServices

    @classmethod
    def prepare(cls, token_file: Path | None, config: Path | None) -> KeylessSigner:
        """Read the token and the configuration; without one, that of the public Sigstore.

        Raises:
            UsageError: there is no token.
            KeylessError: a file cannot be read, or is none of its kind.
            NotInstalledError: sigstore is not installed.
        """
        from attestations.keyless.root import read_bounded
        from attestations.keyless.signing import SigstoreServices

        if token_file is not None:
            data = read_bounded(token_file, "the identity token", _TOKEN_SIZE_MAX, from_pipe=True)
            token = data.decode("ascii", "replace").strip()
        else:
            token = os.environ.get(TOKEN_VARIABLE, "").strip()
        if not token:
            raise UsageError(
                "there is no identity token to sign as",
                hint=f"give --identity-token FILE, or set {TOKEN_VARIABLE}",
            )
        if config is None:
            return cls(token=token, services=SigstoreServices.public())
        trusted = read_bounded(config, "the trust configuration")
        return cls(token=token, services=SigstoreServices.private(trusted, str(config)))

    def sign(self, statements: Sequence[bytes]) -> tuple[KeylessSignature, ...]:
        """Sign each statement; errors as :func:`attestations.keyless.signing.sign`."""
        from attestations.keyless.signing import sign

        return tuple(sign(each, self.token, self.services) for each in statements)


def check_keyless(
    *,
    keyless: bool,
    otherwise_signed: bool,
    token_file: Path | None,
    config: Path | None,
    public: bool,
) -> None:
    """Refuse options that do not go together.

    Args:
        keyless: whether to sign without a key.
        otherwise_signed: whether a key is named, or the checkpoint is to be signed.
        token_file: where the token stands.
        config: which Sigstore.
        public: whether that is the public one.

    Raises:
        UsageError: they do not.
    """
    if not keyless:
        if token_file is not None or config is not None or public:
            raise UsageError("that is about signing without a key", hint="add --keyless")
        return
    if otherwise_signed:
        raise UsageError("--keyless signs statements, without a key", hint="leave out one of them")
    if public == (config is not None):
        raise UsageError(
            "which Sigstore signs has to be said",
            hint="--trust-config FILE for one of your own; --public-sigstore for the public one,"
            " whose log shows everybody, for ever, who signed what digest when",
        )


def signed_as(signatures: Sequence[KeylessSignature]) -> str:
    """Return a line that says as whom statements were signed."""
    fact = signatures[0].fact
    return (
        f"signed as {inert(fact.subject)} of {inert(fact.issuer)}, in log {inert(fact.log_origin)}"
    )
