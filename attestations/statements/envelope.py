"""DSSE envelopes, read strictly: one payload type, one spelling of base64, keys counted as keys.

The one invariant: a payload that :func:`verify` hands out was signed, as exactly these bytes under
exactly this type, by as many *different* keys as were asked for. Nothing looks into a payload
before. What identifies an envelope is the digest of its payload: signatures can be respelled by
anybody, so neither they nor the file name anything.

Narrower than DSSE on purpose: standard base64 with padding only, no other fields, no field twice.
The `keyid` of a signature says which key to try first and nothing else.

Source: https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

import msgspec

from attestations.errors import EnvelopeError
from attestations.keys.public import PublicKey
from attestations.statements.strict_json import check_json

__all__ = [
    "ENVELOPE_SIZE_MAX",
    "LINES_MAX",
    "SIGNATURES_MAX",
    "STATEMENT_PAYLOAD",
    "Envelope",
    "Signature",
    "StatementSigner",
    "pae",
    "read_envelope",
    "read_lines",
    "sign",
    "verify",
]

STATEMENT_PAYLOAD: Final = "application/vnd.in-toto+json"
"""The payload type of in-toto statements."""

ENVELOPE_SIZE_MAX: Final = 2 << 20
"""Longest envelope in bytes."""

SIGNATURES_MAX: Final = 16
"""Most signatures in one envelope."""

LINES_MAX: Final = 256
"""Most envelopes in one file of lines."""

_SIGNATURE_SIZE_MAX: Final = 1024


class StatementSigner(Protocol):
    """A key that signs statements."""

    @property
    def public(self) -> PublicKey:
        """The key that verifies."""

    def sign_statement(self, message: bytes) -> bytes:
        """Sign the pre-authentication encoding of a payload."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature: a claim, until a key that is trusted verifies it.

    Attributes:
        keyid: which key made it, as whoever wrote the envelope says; empty if they did not.
        value: its bytes.
    """

    keyid: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope as it was read; nothing in it is verified.

    Attributes:
        payload_type: the type it was read for.
        payload: the exact bytes that are signed under it.
        signatures: at least one.
    """

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    @property
    def identity(self) -> str:
        """The hex SHA-256 of the payload: what the envelope is called."""
        return sha256(self.payload).hexdigest()

    def encode(self) -> bytes:
        """Return the envelope as one line of JSON, with its newline."""
        wire = _Wire(
            payload=b64encode(self.payload).decode(),
            payload_type=self.payload_type,
            signatures=tuple(
                _WireSignature(keyid=each.keyid, sig=b64encode(each.value).decode())
                for each in self.signatures
            ),
        )
        return msgspec.json.encode(wire) + b"\n"


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return what is signed: type and payload, each with its length, so that neither can shift."""
    name = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def sign(
    payload: bytes, signers: Sequence[StatementSigner], payload_type: str = STATEMENT_PAYLOAD
) -> Envelope:
    """Return an envelope of the payload with a signature of each signer, in order of key id."""
    assert signers, "an envelope has a signature"
    message = pae(payload_type, payload)
    made = {each.public.keyid: each.sign_statement(message) for each in signers}
    return Envelope(
        payload_type, payload, tuple(Signature(keyid, made[keyid]) for keyid in sorted(made))
    )


def read_envelope(data: bytes, payload_type: str = STATEMENT_PAYLOAD) -> Envelope:
    """Read an envelope of one payload type.

    Args:
        data: its JSON, as it was found.
        payload_type: the only type that is accepted.

    Raises:
        EnvelopeError: it is too long, of another type, or not in the strict form.
    """
    if len(data) > ENVELOPE_SIZE_MAX:
        raise EnvelopeError(f"the envelope is longer than {ENVELOPE_SIZE_MAX} bytes")
    try:
        wire = msgspec.convert(check_json(data), _Wire)
    except (ValueError, msgspec.ValidationError) as error:
        raise EnvelopeError(f"no DSSE envelope: {error}") from None
    if wire.payload_type != payload_type:
        raise EnvelopeError(
            f"the payload type is {wire.payload_type[:80]!r}, not {payload_type!r}",
            hint="what is signed for one use is not accepted for another",
        )
    if not 1 <= len(wire.signatures) <= SIGNATURES_MAX:
        raise EnvelopeError(f"an envelope has 1 to {SIGNATURES_MAX} signatures")
    signatures = tuple(
        Signature(each.keyid, _base64(each.sig, "a signature")) for each in wire.signatures
    )
    if any(not 0 < len(each.value) <= _SIGNATURE_SIZE_MAX for each in signatures):
        raise EnvelopeError(f"a signature is empty or longer than {_SIGNATURE_SIZE_MAX} bytes")
    return Envelope(payload_type, _base64(wire.payload, "the payload"), signatures)


def read_lines(data: bytes) -> tuple[bytes, ...]:
    """Split a file of envelopes, one on each line, without looking into one.

    Raises:
        EnvelopeError: it holds none, too many, or one that is too long.
    """
    lines = tuple(line for line in data.split(b"\n") if line.strip())
    if not 1 <= len(lines) <= LINES_MAX:
        raise EnvelopeError(f"the file holds {len(lines)} envelopes, not 1 to {LINES_MAX}")
    if max(map(len, lines)) > ENVELOPE_SIZE_MAX:
        raise EnvelopeError(f"an envelope is longer than {ENVELOPE_SIZE_MAX} bytes")
    return lines


def verify(
    envelope: Envelope, keys: Iterable[PublicKey], threshold: int = 1
) -> tuple[PublicKey, ...]:
    """Return the different trusted keys that signed the payload.

    Args:
        envelope: what was read.
        keys: the keys that are trusted for this use; one given twice is one key.
        threshold: how many of them must have signed, at least 1.

    Returns:
        Those that did, in order of key id: `threshold` or more of them, or none at all.

    Complexity: at most one verification for each pair of signature and key.
    """
    if threshold < 1:
        raise ValueError("a threshold is at least 1")
    message = pae(envelope.payload_type, envelope.payload)
    trusted = {key.keyid: key for key in keys}
    found: dict[str, PublicKey] = {}
    for signature in envelope.signatures:
        # The hint is tried first; a wrong or absent one costs time and changes nothing.
        tried = sorted(trusted.values(), key=lambda key: (key.keyid != signature.keyid, key.keyid))
        for key in tried:
            if key.keyid not in found and key.verifies(signature.value, message):
                found[key.keyid] = key
                break
    if len(found) < threshold:
        return ()
    return tuple(found[keyid] for keyid in sorted(found))


class _WireSignature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signature as it stands in the JSON."""

    keyid: str = ""
    sig: str


class _Wire(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """An envelope as it stands in the JSON."""

    payload: str
    payload_type: str
    signatures: tuple[_WireSignature, ...]


def _base64(text: str, what: str) -> bytes:
    """Decode standard base64 and refuse every spelling but the one that encoding gives."""
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EnvelopeError(f"{what} is not base64") from error
    if b64encode(data) != text.encode():
        raise EnvelopeError(f"{what} is not canonical base64")
    return data
