"""Private keys: for statements, for checkpoints, for cosignatures; none of them does two.

The one invariant: a key signs what its role is for and refuses the rest, by what it is asked to
sign and not by who asks. What the roles sign cannot be mistaken for one another either: a
statement's message begins with `DSSEv1 `, a change of keys with its own words, a checkpoint with
an origin, in which there is no space, and a cosignature with its own words on two lines.

Signing goes through securesystemslib's signer; nothing here prints or compares a private key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from attestations.errors import KeyFileError, KeyFormError
from attestations.keys.public import KeyAlgorithm, PublicKey, public_key_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]  # no __all__

__all__ = [
    "CHANGE_START",
    "AttestationKey",
    "KeyRole",
    "LogKey",
    "WitnessKey",
    "generate",
    "key_of",
]

#: What a key is for.
KeyRole = Literal["attestation", "log", "witness"]

CHANGE_START: Final = b"ritornello key change v1\n"
"""How the text begins with which a key hands over to another."""

_STATEMENT_START: Final = b"DSSEv1 "
#: No checkpoint begins so: the line after its origin is a number.
_COSIGNATURE_START: Final = b"cosignature/v1\ntime "


class _Key:
    """What all have: a name, a public key, and the signer."""

    role: KeyRole

    def __init__(self, name: str, public: PublicKey, signer: CryptoSigner) -> None:
        self.name = name
        self.public = public
        self._signer = signer

    def __repr__(self) -> str:
        return f"<{self.role} key {self.name} {self.public.keyid}>"

    def sign_change(self, text: bytes) -> bytes:
        """Sign that a key hands over to another; see :mod:`attestations.keys.changes`.

        Raises:
            KeyFormError: it is another text.
        """
        if not text.startswith(CHANGE_START):
            raise KeyFormError("this is no change of keys", where=self.name)
        return self._sign(text)

    def _sign(self, data: bytes) -> bytes:
        return bytes.fromhex(self._signer.sign(data).signature)


class AttestationKey(_Key):
    """Signs statements, and no checkpoint. Make it with :func:`key_of` or :func:`generate`."""

    role: KeyRole = "attestation"

    def sign_statement(self, message: bytes) -> bytes:
        """Sign the pre-authentication encoding of a payload.

        Raises:
            KeyFormError: it is no such encoding.
        """
        if not message.startswith(_STATEMENT_START):
            raise KeyFormError("an attestation key signs statements only", where=self.name)
        return self._sign(message)


class LogKey(_Key):
    """Signs checkpoints of logs, and no statement. Always Ed25519."""

    role: KeyRole = "log"

    @property
    def public_bytes(self) -> bytes:
        """The 32 bytes of the public key, as note keys have them."""
        return self.public.raw()

    def sign(self, text: bytes) -> bytes:
        """Sign a note's text; 64 bytes.

        Raises:
            KeyFormError: it is a statement, a change of keys or a cosignature.
        """
        if text.startswith((_STATEMENT_START, CHANGE_START, _COSIGNATURE_START)):
            raise KeyFormError("a log key signs checkpoints only", where=self.name)
        return self._sign(text)


class WitnessKey(_Key):
    """Cosigns checkpoints of others' logs, and signs nothing else. Always Ed25519."""

    role: KeyRole = "witness"

    @property
    def public_bytes(self) -> bytes:
        """The 32 bytes of the public key, as note keys have them."""
        return self.public.raw()

    def sign(self, text: bytes) -> bytes:
        """Sign a note's text with its time; 64 bytes.

        Raises:
            KeyFormError: it is no text of a cosignature.
        """
        if not text.startswith(_COSIGNATURE_START):
            raise KeyFormError("a witness's key cosigns checkpoints only", where=self.name)
        return self._sign(text)

    def sign_change(self, text: bytes) -> bytes:
        """Refuse: who relies on a witness names its key, and names another one then.

        Raises:
            KeyFormError: always.
        """
        raise KeyFormError("a witness's key hands over to none", where=self.name)


def generate(algorithm: KeyAlgorithm) -> PrivateKeyTypes:
    """Make a private key from the system's entropy."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if algorithm == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def key_of(
    role: KeyRole, name: str, private: PrivateKeyTypes
) -> AttestationKey | LogKey | WitnessKey:
    """Give a private key its role.

    Raises:
        KeyFormError: it is of no algorithm that is known, or not Ed25519 and for notes.
    """
    from securesystemslib.signer import (  # type: ignore[attr-defined]  # it has no __all__
        CryptoSigner,
        SSlibKey,
    )

    public = public_key_of(private.public_key())
    if role != "attestation" and public.algorithm != "ed25519":
        hint = f"make one: `keys new --{role}`"
        raise KeyFileError(f"a {role} key is Ed25519", where=name, hint=hint)
    signer = CryptoSigner(private, SSlibKey.from_crypto(private.public_key(), keyid=public.keyid))
    if role == "log":
        return LogKey(name, public, signer)
    if role == "witness":
        return WitnessKey(name, public, signer)
    return AttestationKey(name, public, signer)
