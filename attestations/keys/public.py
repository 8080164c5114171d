"""Public keys: two algorithms, one spelling each, named by the digest of that spelling.

The one invariant: two keys are the same key if and only if their SPKI bytes are equal. What is read
is encoded again and compared, so a key has no second spelling, and a threshold that counts keys by
`keyid` counts keys. Names and hints never stand for a key.

Verification uses `cryptography` and nothing above it; it is imported when a key is first used.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal

from attestations.errors import KeyFormError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

__all__ = ["ALGORITHMS", "KeyAlgorithm", "PublicKey", "public_key_of", "read_public_pem"]

#: The signature algorithms of this version.
KeyAlgorithm = Literal["ed25519", "ecdsa-p256"]
ALGORITHMS: Final[tuple[KeyAlgorithm, ...]] = ("ed25519", "ecdsa-p256")

_PEM_SIZE_MAX: Final = 16 << 10
#: What stands before the 32 bytes of an Ed25519 key in its SPKI (RFC 8410).
_ED25519_START: Final = bytes.fromhex("302a300506032b6570032100")
_SPKI_SIZE_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One public key. Make it with :meth:`from_spki` or :func:`read_public_pem`.

    Attributes:
        algorithm: what it verifies: Ed25519, or ECDSA on P-256 with SHA-256.
        spki: its DER SubjectPublicKeyInfo.
    """

    algorithm: KeyAlgorithm
    spki: bytes

    @property
    def keyid(self) -> str:
        """The key's name: the hex SHA-256 of its SPKI bytes."""
        return sha256(self.spki).hexdigest()

    @classmethod
    def from_spki(cls, spki: bytes) -> PublicKey:
        """Read a key from DER.

        Raises:
            KeyFormError: it is not a key of these algorithms in its one encoding.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        if len(spki) > _SPKI_SIZE_MAX:
            raise KeyFormError("a public key is longer than any that is known")
        try:
            found = public_key_of(load_der_public_key(spki))
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyFormError("the bytes are no public key") from error
        if found.spki != spki:
            raise KeyFormError("a public key is not in its canonical encoding")
        return found

    @classmethod
    def from_raw(cls, raw: bytes) -> PublicKey:
        """Return an Ed25519 key of its 32 bytes, as note keys have them."""
        return cls("ed25519", _ED25519_START + raw)

    def raw(self) -> bytes:
        """Return the 32 bytes of an Ed25519 key, as note keys have them.

        Raises:
            KeyFormError: it is of another algorithm.
        """
        if self.algorithm != "ed25519":
            raise KeyFormError("only an Ed25519 key signs notes", where=self.keyid)
        return self.spki[-32:]

    def pem(self) -> bytes:
        """Return the key as PEM."""
        from base64 import b64encode

        text = b64encode(self.spki)
        lines = [text[n : n + 64] for n in range(0, len(text), 64)]
        body = b"\n".join(lines)
        return b"-----BEGIN PUBLIC KEY-----\n" + body + b"\n-----END PUBLIC KEY-----\n"

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Return whether the key made this signature over these bytes.

        An ECDSA signature can be changed into another one that holds as well, so the bytes of a
        signature name nothing.
        """
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        key = load_der_public_key(self.spki)
        try:
            if isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, data)
            elif isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, data, ec.ECDSA(SHA256()))
            else:
                return False
        except InvalidSignature:
            return False
        return True


def public_key_of(key: PublicKeyTypes) -> PublicKey:
    """Return a key that `cryptography` holds as one of ours.

    Raises:
        KeyFormError: its algorithm or curve is another one.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    algorithm: KeyAlgorithm
    if isinstance(key, ed25519.Ed25519PublicKey):
        algorithm = "ed25519"
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        algorithm = "ecdsa-p256"
    else:
        raise KeyFormError("the key is neither Ed25519 nor ECDSA on P-256")
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(algorithm, spki)


def read_public_pem(data: bytes, where: str = "") -> PublicKey:
    """Read a key from PEM; text around it, as our own files have, says nothing and is passed over.

    Args:
        data: the bytes of a file.
        where: its name, for the error.

    Raises:
        KeyFormError: they hold no public key of these algorithms, or a private one.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if len(data) > _PEM_SIZE_MAX:
        raise KeyFormError("the file is too long for a public key", where=where)
    if b"PRIVATE KEY-----" in data:
        raise KeyFormError(
            "this is a private key where the public one belongs",
            where=where,
            hint="give the file that ends in .pub, and keep this one to yourself",
        )
    try:
        return public_key_of(load_pem_public_key(data))
    except KeyFormError as error:
        raise KeyFormError(error.message, where=where) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFormError("the file holds no public key in PEM", where=where) from error
