"""Signs checkpoints with a key that somebody else keeps.

The one invariant: no signature leaves this module that does not verify under the key whose name
stands in front of it. A log key signs heads of logs and nothing else: what is handed to the signer
always is the body of a checkpoint, or that body under the prefix of cosignatures.
"""

from __future__ import annotations

from typing import Protocol

from attestations.checkpoints.checking import check_signature, cosigned_message
from attestations.checkpoints.keys import VerifierKey
from attestations.errors import KeyFormError
from replay.tree import Checkpoint, NoteSignature

__all__ = ["Signer", "cosign_checkpoint", "sign_checkpoint"]


class Signer(Protocol):
    """Who has the private key: a file, a keyring, a device."""

    def sign(self, message: bytes, /) -> bytes:
        """Return the 64-byte Ed25519 signature of a message."""
        ...


def sign_checkpoint(checkpoint: Checkpoint, key: VerifierKey, signer: Signer) -> NoteSignature:
    """Sign the head of a log.

    Args:
        checkpoint: of a run or of a workspace.
        key: the public half, under the name that stands in the note.
        signer: the private half.

    Raises:
        KeyFormError: the key is one for cosignatures.
        NoteError: the signer's key is not the private half of ``key``.
    """
    if key.algorithm != "ed25519":
        raise KeyFormError(
            "a key for cosignatures does not sign a log's own head",
            where=f"key {key.name}",
            hint="use one of algorithm ed25519",
        )
    return _made(checkpoint, key, signer.sign(checkpoint.body()))


def cosign_checkpoint(
    checkpoint: Checkpoint, key: VerifierKey, signer: Signer, time_s: int
) -> NoteSignature:
    """Sign the head of somebody else's log, as its witness, at a time.

    A witness says by it that it has never seen a head of this log that contradicts this one.
    Whether that is so, the caller has made sure, and has kept the head, before this is called.

    Args:
        checkpoint: the head.
        key: the witness's public half.
        signer: its private half.
        time_s: when, in seconds since 1970.

    Raises:
        KeyFormError: the key is not one for cosignatures.
        NoteError: the signer's key is not the private half of ``key``, or the time out of range.
    """
    if key.algorithm != "cosignature/v1":
        raise KeyFormError(
            "a key for a log's own head makes no cosignature",
            where=f"key {key.name}",
            hint="use one of algorithm cosignature/v1",
        )
    signature = signer.sign(cosigned_message(checkpoint.body(), time_s))
    return _made(checkpoint, key, time_s.to_bytes(8, "big") + signature)


def _made(checkpoint: Checkpoint, key: VerifierKey, signature: bytes) -> NoteSignature:
    made = NoteSignature(key.name, key.key_id, signature)
    check_signature(checkpoint.body(), made, key)
    return made
