"""Has the head of a run cosigned by a witness, with a log key's signature that the witness knows.

The one invariant: nothing is written here. What comes back are lines that were verified, for
whoever asked to put them where `verify` looks.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from attestations.checkpoints import VerifierKey, check_signature, sign_checkpoint
from attestations.witness import request_cosignature
from orchestrator.cli.evidence.anchoring import note_key
from orchestrator.cli.evidence.heads import Head
from orchestrator.cli.evidence.kept_signatures import with_more
from orchestrator.cli.key_verbs.key_use import log_key
from replay.errors import UsageError
from replay.tree import NoteSignature, consistency_proof

__all__ = ["Cosigned", "cosigned", "witness_named"]


class Cosigned(msgspec.Struct, frozen=True, kw_only=True):
    """What a witness said.

    Attributes:
        signatures: lines that the note did not have: the log key's, the witness's.
        time_s: when the witness cosigned, by its clock, in seconds since 1970.
        before: whether it had done so already, and was not asked.
    """

    signatures: tuple[NoteSignature, ...]
    time_s: int
    before: bool


def witness_named(text: str) -> VerifierKey:
    """Return a witness's key as it was named.

    Raises:
        UsageError: it is none for cosignatures.
        KeyFormError: it is no key.
    """
    key = note_key(text)
    if key.algorithm != "cosignature/v1":
        raise UsageError(
            "this key makes no cosignatures", where=key.name, hint="name the witness's"
        )
    return key


def cosigned(
    head: Head, url: str, witness: VerifierKey, sign: str, passphrase_file: Path | None
) -> Cosigned:
    """Have a head cosigned; while the log is open, since a proof is made from its records.

    Args:
        head: of the run.
        url: the witness's address.
        witness: its key.
        sign: the log key that signs the head first; empty if one has.
        passphrase_file: where its passphrase stands.

    Raises:
        UsageError: nobody signed the head.
        NoteError: a line of the witness's stands in the note, and does not hold.
        WitnessServiceError: the witness gave no cosignature.
        WitnessConflictError: it has another version of this log.
        KeyFileError: the log key cannot be used.
    """
    now = head.checkpoint
    own: tuple[NoteSignature, ...] = ()
    if sign:
        signer = log_key(sign, passphrase_file)
        key = VerifierKey(signer.name, signer.public_bytes)
        own = (sign_checkpoint(now, key, signer),)
    there = {(each.name, each.key_id): each for each in head.signatures}
    before = there.get((witness.name, witness.key_id))
    more = tuple(each for each in own if (each.name, each.key_id) not in there)
    if before is not None:
        time_s = check_signature(now.body(), before, witness)
        assert time_s is not None, "a cosignature has a time"
        return Cosigned(signatures=more, time_s=time_s, before=True)
    lines = with_more(head.signatures, own)
    if not lines:
        raise UsageError(
            "nobody has signed this head, and a witness cosigns only what its log's key signed",
            hint="add --sign KEY; `ritornello keys new NAME --log` makes one",
        )

    def proof_from(size: int) -> tuple[bytes, ...]:
        # Nothing is to be proved from the size 0, or from this one.
        return () if size in {0, now.size} else consistency_proof(size, head.leaves())

    made = request_cosignature(url, now, lines, proof_from, witness)
    time_s = check_signature(now.body(), made, witness)
    assert time_s is not None, "a cosignature has a time"
    return Cosigned(signatures=(*more, made), time_s=time_s, before=False)
