"""What is said to a witness and what it says, as bytes.

The one invariant: a submission has one spelling. What is read is what `Submission.encode` writes,
so a witness and whoever asks it cannot read two different things in the same bytes.

Source: https://c2sp.org/tlog-witness, `add-checkpoint`.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final

from attestations.errors import NoteError
from replay.errors import ProofError
from replay.tree import HASH_SIZE_BYTES, Checkpoint, NoteSignature, parse_checkpoint
from replay.tree.note import MAX_NOTE_SIZE_BYTES

__all__ = [
    "ADD_CHECKPOINT",
    "PROOF_MAX",
    "SIZE_TYPE",
    "SUBMISSION_SIZE_MAX",
    "Submission",
    "parse_cosignatures",
    "parse_size",
    "parse_submission",
]

ADD_CHECKPOINT: Final = "/add-checkpoint"
"""The path below a witness's address."""

SIZE_TYPE: Final = "text/x.tlog.size"
"""The media type of an answer that says which size the witness has."""

PROOF_MAX: Final = 63
"""Most lines of a consistency proof."""

SUBMISSION_SIZE_MAX: Final = MAX_NOTE_SIZE_BYTES + 4096
"""Longest submission: the longest note, and a proof with room to spare."""

_NUMBER: Final = rb"0|[1-9][0-9]{0,18}"
_OLD: Final = re.compile(rb"old (" + _NUMBER + rb")")
_SIZE: Final = re.compile(rb"(" + _NUMBER + rb")\n")


@dataclass(frozen=True, slots=True)
class Submission:
    """A head for a witness, and a proof that it continues the one that the witness has.

    Args:
        old_size: leaves of the head that the witness has; 0 if it has none.
        proof: RFC 6962 consistency proof from that size, each element 32 bytes.
        checkpoint: the head.
        signatures: signature lines of its note.
    """

    old_size: int
    proof: tuple[bytes, ...]
    checkpoint: Checkpoint
    signatures: tuple[NoteSignature, ...]

    def encode(self) -> bytes:
        """Return the body of the request."""
        lines = b"".join(b64encode(each) + b"\n" for each in self.proof)
        return b"old %d\n%b\n%b" % (self.old_size, lines, self.checkpoint.note(self.signatures))


def parse_submission(body: bytes) -> Submission:
    """Read the body of a request; its signatures and its proof are not verified.

    Raises:
        NoteError: it is not byte for byte what `Submission.encode` writes.
    """
    if len(body) > SUBMISSION_SIZE_MAX:
        raise NoteError(f"the submission is longer than {SUBMISSION_SIZE_MAX} bytes")
    head, blank, note = body.partition(b"\n\n")
    if not blank:
        raise NoteError("the submission has no blank line before its checkpoint")
    first, *lines = head.split(b"\n")
    old = _OLD.fullmatch(first)
    if old is None:
        raise NoteError("the first line is not `old` and a decimal number in its shortest form")
    if len(lines) > PROOF_MAX:
        raise NoteError(f"the consistency proof has more than {PROOF_MAX} lines")
    try:
        checkpoint, signatures = parse_checkpoint(note)
    except ProofError as error:
        raise NoteError(error.message) from None
    return Submission(int(old[1]), tuple(map(_hash, lines)), checkpoint, signatures)


def parse_size(body: bytes) -> int:
    """Read the size that a witness says it has.

    Raises:
        NoteError: it is no number on a line of its own.
    """
    found = _SIZE.fullmatch(body)
    if found is None:
        raise NoteError("the size is not a decimal number in its shortest form on one line")
    return int(found[1])


def parse_cosignatures(checkpoint: Checkpoint, lines: bytes) -> tuple[NoteSignature, ...]:
    """Read signature lines that are about a head; they are not verified.

    Args:
        checkpoint: the head.
        lines: one line or more, each with its newline.

    Raises:
        NoteError: they are no signature lines.
    """
    try:
        found, signatures = parse_checkpoint(checkpoint.body() + b"\n" + lines)
    except ProofError as error:
        raise NoteError(error.message) from None
    if found != checkpoint:  # lines that make another note of it
        raise NoteError("these are no signature lines")
    return signatures


def _hash(line: bytes) -> bytes:
    try:
        decoded = b64decode(line, validate=True)
    except binascii.Error:
        raise NoteError("a line of the consistency proof is not base64") from None
    if len(decoded) != HASH_SIZE_BYTES or b64encode(decoded) != line:
        raise NoteError("a line of the consistency proof is not one hash in canonical base64")
    return decoded
