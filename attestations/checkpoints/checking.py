"""Which signatures under a note hold, for the keys that the caller named.

The one invariant: name and key id only select the key; a bad signature under a selected key is
never passed over in favour of another, as C2SP demands. A signature of a key that nobody named says
nothing, and is reported as that.

Source: https://c2sp.org/signed-note and https://c2sp.org/tlog-cosignature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from attestations.checkpoints.keys import VerifierKey
from attestations.errors import NoteError
from replay.tree import NoteSignature

__all__ = ["CheckedSignature", "check_signature", "checked_signatures", "cosigned_message"]

SIGNATURE_SIZE_BYTES: Final = 64
_TIME_SIZE_BYTES: Final = 8
_TIME_S_MAX: Final = 2**63 - 1
_HINT: Final = "fetch the note again from where it was published; do not repair it by hand"


@dataclass(frozen=True, slots=True)
class CheckedSignature:
    """What became of one signature line.

    Args:
        name: the name in front of it, a claim unless the outcome is ``good``.
        key_id: 8 hexadecimal digits.
        outcome: ``good``; ``bad`` under a key that was named; ``unknown`` if no such key was.
        time_s: the time that a good cosignature states, in seconds since 1970.
        problem: why it is bad; empty otherwise.
    """

    name: str
    key_id: str
    outcome: Literal["good", "bad", "unknown"]
    time_s: int | None = None
    problem: str = ""


def checked_signatures(
    text: bytes, signatures: Sequence[NoteSignature], keys: Sequence[VerifierKey]
) -> tuple[CheckedSignature, ...]:
    """Check every signature of a note.

    Args:
        text: what was signed, with its final newline; of a checkpoint, its body.
        signatures: the signature lines, in order.
        keys: the keys that count.

    Raises:
        NoteError: two different keys were named that cannot be told apart by name and key id.
    """
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise NoteError("two keys have the same name and the same key id", where=key.name)
    return tuple(
        _checked(text, signature, known.get((signature.name, signature.key_id)))
        for signature in signatures
    )


def check_signature(text: bytes, signature: NoteSignature, key: VerifierKey) -> int | None:
    """Check one signature under its key.

    Returns:
        The time that a cosignature states, in seconds since 1970; None for a plain signature.

    Raises:
        NoteError: the line names another key, or the signature does not hold.
    """
    if (signature.name, signature.key_id) != (key.name, key.key_id):
        raise _refused("the signature line names another key", key)
    if key.algorithm == "ed25519":
        _verify(key, signature.signature, text)
        return None
    if len(signature.signature) != _TIME_SIZE_BYTES + SIGNATURE_SIZE_BYTES:
        raise _refused("a cosignature is not a time and 64 bytes", key)
    time_s = int.from_bytes(signature.signature[:_TIME_SIZE_BYTES], "big")
    _verify(key, signature.signature[_TIME_SIZE_BYTES:], cosigned_message(text, time_s))
    return time_s


def cosigned_message(text: bytes, time_s: int) -> bytes:
    """Return what a cosignature of a note's text at a time is made of.

    Raises:
        NoteError: the time is not one that the format can hold.
    """
    if not 0 <= time_s <= _TIME_S_MAX:
        raise NoteError("a cosignature's time is out of range", hint=_HINT)
    return b"cosignature/v1\ntime %d\n%b" % (time_s, text)


def _checked(text: bytes, signature: NoteSignature, key: VerifierKey | None) -> CheckedSignature:
    name, key_id = signature.name, signature.key_id.hex()
    if key is None:
        return CheckedSignature(name, key_id, "unknown")
    try:
        time_s = check_signature(text, signature, key)
    except NoteError as error:
        return CheckedSignature(name, key_id, "bad", problem=error.message)
    return CheckedSignature(name, key_id, "good", time_s)


def _verify(key: VerifierKey, signature: bytes, message: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if len(signature) != SIGNATURE_SIZE_BYTES:
        raise _refused(f"a signature is {len(signature)} bytes long, not 64", key)
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, message)
    except (InvalidSignature, ValueError):  # a value that is no point on the curve
        raise _refused("the signature does not hold", key) from None


def _refused(message: str, key: VerifierKey) -> NoteError:
    return NoteError(message, where=f"key {key.name}+{key.key_id.hex()}", hint=_HINT)
