"""Signed notes over the heads of logs: keys as text, signatures, cosignatures with their time.

The one invariant: a signature counts only under a key that the caller named, over the exact bytes
of the note's text. What is signed is the body of a checkpoint (origin, size, root), of a run's
tree or of the workspace's. The room holds no private key: whoever has one lends its `sign`.
"""

from attestations.checkpoints.checking import (
    CheckedSignature,
    check_signature,
    checked_signatures,
)
from attestations.checkpoints.keys import VerifierKey, parse_vkey
from attestations.checkpoints.signing import Signer, cosign_checkpoint, sign_checkpoint

__all__ = [
    "CheckedSignature",
    "Signer",
    "VerifierKey",
    "check_signature",
    "checked_signatures",
    "cosign_checkpoint",
    "parse_vkey",
    "sign_checkpoint",
]
