"""Asks a witness to cosign a head, and believes of its answer what verifies.

The one invariant: a cosignature is taken only if it holds under the key that the caller named, over
the head that was sent. That the witness has another version is its word; it is told as a conflict
and never as an outage, so that asking again is not what comes to mind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from attestations.checkpoints import VerifierKey, check_signature
from attestations.errors import NoteError, WitnessConflictError, WitnessServiceError
from attestations.witness.protocol import (
    ADD_CHECKPOINT,
    SIZE_TYPE,
    Submission,
    parse_cosignatures,
    parse_size,
)
from replay.tree import Checkpoint, NoteSignature

__all__ = ["request_cosignature"]

_ANSWER_SIZE_MAX: Final = 64 * 1024
_TIMEOUT_S: Final = 30.0
_SHOWN_MAX: Final = 200
_AGAIN: Final = "try again, or another witness"
_WHICH: Final = (
    "find out which is the true one; the witness cosigns no other than it has, and neither should"
    " you"
)
#: What each refusal means, as the protocol has it.
_REFUSED: Final = {
    400: "cannot read what it was sent",
    403: "trusts no key that signed this head; its keeper names log keys with --log-key",
    404: "knows no log of this origin",
}


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    media_type: str
    body: bytes


def request_cosignature(
    url: str,
    checkpoint: Checkpoint,
    signatures: Sequence[NoteSignature],
    proof_from: Callable[[int], tuple[bytes, ...]],
    key: VerifierKey,
) -> NoteSignature:
    """Have a witness cosign a head.

    The witness learns origin, size, root and signatures, and the roots of parts of the tree.

    Args:
        url: its address; the path of the protocol is added.
        checkpoint: the head, computed from records that hold.
        signatures: the lines of its note; one of them by a key that the witness trusts.
        proof_from: proves that the head continues the one of so many leaves.
        key: the witness's, for cosignatures.

    Raises:
        WitnessServiceError: it could not be reached, refused, or gave no cosignature that holds.
        WitnessConflictError: it has another version of this log, or a longer one.
    """
    if not url.startswith(("http://", "https://")):
        raise WitnessServiceError("the address of a witness begins with http", where=url)
    size = 0
    for again in (True, False):
        proof = proof_from(size)
        asked = Submission(size, proof, checkpoint, tuple(signatures))
        reply = _post(url, asked.encode())
        if reply.status != 409 or not again:
            break
        size = _its_size(reply, checkpoint, 0, url)
    if reply.status == 200:
        return _cosignature(reply.body, checkpoint, key, url)
    if reply.status == 409:
        now = _its_size(reply, checkpoint, size, url)
        raise WitnessServiceError(
            f"somebody else moved the witness on, from {size} records to {now}",
            where=url,
            hint="try again",
        )
    if reply.status == 422 and size:
        raise WitnessConflictError(
            f"the witness has cosigned {size} records of this log that are not the first {size}"
            " here",
            where=url,
            hint=_WHICH,
        )
    said = reply.body[:_SHOWN_MAX].decode("utf-8", "replace").strip()
    why = _REFUSED.get(reply.status, "does not answer as a witness does")
    raise WitnessServiceError(
        f"the witness {why}: {reply.status} {said}".rstrip(), where=url, hint=_AGAIN
    )


def _its_size(reply: _Reply, checkpoint: Checkpoint, sent: int, url: str) -> int:
    """Return which size the witness has, of a conflict that can be settled.

    Raises:
        WitnessConflictError: it cannot: the log at hand is another, or shorter.
        WitnessServiceError: the answer does not say.
    """
    try:
        size = parse_size(reply.body) if reply.media_type == SIZE_TYPE else None
    except NoteError:
        size = None
    if size is None and sent < checkpoint.size:
        raise WitnessServiceError(
            "the witness does not say which size it has", where=url, hint=_AGAIN
        )
    if size is None or size == sent:
        # The protocol asks for no size where the witness has another root of the same one.
        if sent != checkpoint.size:
            raise WitnessServiceError(
                "the witness contradicts itself about its size", where=url, hint=_AGAIN
            )
        raise WitnessConflictError(
            f"the witness has cosigned another version of this log, of {sent} records too",
            where=url,
            hint=_WHICH,
        )
    if size > checkpoint.size:
        raise WitnessConflictError(
            f"the witness has cosigned {size} records of this log, here are {checkpoint.size}: it"
            " is an old copy, or records are gone",
            where=url,
            hint=_WHICH,
        )
    return size


def _cosignature(lines: bytes, checkpoint: Checkpoint, key: VerifierKey, url: str) -> NoteSignature:
    """Return the cosignature of the witness that was named; those of others are passed over.

    Raises:
        WitnessServiceError: there is none, or it does not hold.
    """
    try:
        for each in parse_cosignatures(checkpoint, lines):
            if (each.name, each.key_id) == (key.name, key.key_id):
                check_signature(checkpoint.body(), each, key)
                return each
    except NoteError as error:
        raise WitnessServiceError(
            f"the witness's answer is no cosignature: {error.message}", where=url, hint=_AGAIN
        ) from None
    raise WitnessServiceError(
        f"the witness did not cosign with {key.name}+{key.key_id.hex()}",
        where=url,
        hint="it is another witness, or its key is another",
    )


def _post(url: str, body: bytes) -> _Reply:
    import http.client
    import urllib.error
    import urllib.request

    try:
        query = urllib.request.Request(  # noqa: S310 - the scheme was looked at above
            url.rstrip("/") + ADD_CHECKPOINT,
            data=body,
            headers={"Content-Type": "text/plain; charset=utf-8"},
            method="POST",
        )
        with urllib.request.urlopen(query, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            found = _Reply(
                answer.status,
                answer.headers.get_content_type(),
                answer.read(_ANSWER_SIZE_MAX + 1),
            )
    except urllib.error.HTTPError as error:
        with error:
            found = _Reply(
                error.code, error.headers.get_content_type(), error.read(_ANSWER_SIZE_MAX + 1)
            )
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise WitnessServiceError(
            f"the witness did not answer: {str(reason)[:_SHOWN_MAX]}", where=url, hint=_AGAIN
        ) from None
    if len(found.body) > _ANSWER_SIZE_MAX:
        raise WitnessServiceError("the witness's answer is too long", where=url, hint=_AGAIN)
    return found
