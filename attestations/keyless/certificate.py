"""Who a signing certificate was given to, read out of its extensions.

The one invariant: one certificate, one owner. A certificate with two names, or whose two spellings
of the issuer differ, names nobody.

Source: https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from attestations.errors import KeylessError
from attestations.keyless.facts import CLAIM_NAMES, KeylessIdentity

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["key_sha256", "read_identity"]

_ARC: Final = "1.3.6.1.4.1.57264.1."
_ISSUER_RAW: Final = _ARC + "1"
_ISSUER: Final = _ARC + "8"
_OTHER_NAME: Final = _ARC + "7"


def read_identity(certificate: Certificate) -> KeylessIdentity:
    """Return the owner that a certificate names, with all claims that are known here.

    Raises:
        KeylessError: it names none, or more than one.
        ValueError: an extension cannot be decoded.
    """
    from cryptography import x509
    from cryptography.hazmat import asn1

    extensions = {each.oid.dotted_string: each.value for each in certificate.extensions}

    def text(oid: str) -> str:
        value = extensions.get(oid)
        if not isinstance(value, x509.UnrecognizedExtension):
            return ""
        return asn1.decode_der(str, value.value)

    names: list[str] = []
    for value in extensions.values():
        if isinstance(value, x509.SubjectAlternativeName):
            names += [_name(each) for each in value]
    if len(names) != 1 or not names[0]:
        raise KeylessError(f"the signing certificate names {len(names)} owners, not one")
    issuer = text(_ISSUER)
    raw = extensions.get(_ISSUER_RAW)
    if isinstance(raw, x509.UnrecognizedExtension) and raw.value != issuer.encode():
        raise KeylessError("the signing certificate names two issuers")
    claims = {name: text(f"{_ARC}{number}") for number, name in sorted(CLAIM_NAMES.items())}
    return KeylessIdentity(
        subject=names[0],
        issuer=issuer,
        claims={name: value for name, value in claims.items() if value},
    )


def key_sha256(certificate: Certificate) -> str:
    """Return the hex SHA-256 of a certificate's public key, as DER SubjectPublicKeyInfo."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = certificate.public_key()
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _name(name: object) -> str:
    """Return the text of an alternative name of a kind that Fulcio gives; else nothing."""
    from cryptography import x509
    from cryptography.hazmat import asn1

    if isinstance(name, x509.RFC822Name | x509.UniformResourceIdentifier):
        return name.value
    if isinstance(name, x509.OtherName) and name.type_id.dotted_string == _OTHER_NAME:
        return asn1.decode_der(str, name.value)
    return ""
