"""Whether a witness cosigns a head, in the order of checks that the protocol names.

The one invariant: there is no way to a cosignature but through `_follow`, which compares with the
last head and keeps the new one under the lock. Killed between the two, the witness has a head that
it did not cosign: it is asked again for the same one, and cosigns that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from attestations.checkpoints import (
    Signer,
    VerifierKey,
    checked_signatures,
    cosign_checkpoint,
)
from attestations.errors import KeyFormError, NoteError, StateError
from attestations.witness.protocol import SIZE_TYPE, Submission, parse_submission
from attestations.witness.state import WitnessState
from replay.errors import ProofError
from replay.tree import EMPTY_ROOT, Checkpoint, NoteSignature, verify_consistency

__all__ = ["Answer", "Witness"]

_TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a witness answers.

    Args:
        status: of HTTP.
        body: signature lines, a size, or what is wrong.
        media_type: of the body.
        about: the head that it is about, if one could be read.
    """

    status: int
    body: bytes
    media_type: str = _TEXT
    about: Checkpoint | None = None


class Witness:
    """Answers submissions; any number of threads may ask it.

    Args:
        state: what it has cosigned.
        key: its public key, for cosignatures.
        signer: the private half.
        log_keys: whose heads it cosigns. Each may sign the log that is called as the key is, and
            those whose origin begins with one of `prefixes`.
        prefixes: origins of logs that do not have the names of their keys.
        clock: the time in seconds since 1970.

    Raises:
        KeyFormError: a key is for the other use.
    """

    def __init__(
        self,
        *,
        state: WitnessState,
        key: VerifierKey,
        signer: Signer,
        log_keys: Sequence[VerifierKey],
        prefixes: tuple[str, ...],
        clock: Callable[[], float],
    ) -> None:
        if key.algorithm != "cosignature/v1":
            raise KeyFormError("a witness has a key for cosignatures", where=key.name)
        for each in log_keys:
            if each.algorithm != "ed25519":
                raise KeyFormError("this key makes cosignatures, no log's head", where=each.name)
        checked_signatures(b"", (), log_keys)  # no two that cannot be told apart
        self._state = state
        self._key = key
        self._signer = signer
        self._log_keys = tuple(log_keys)
        self._prefixes = prefixes
        self._clock = clock

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer a submission.

        Args:
            body: of the request.
        """
        try:
            asked = parse_submission(body)
        except NoteError as error:
            return _refusal(400, error.message)
        now = asked.checkpoint
        keys = [each for each in self._log_keys if self._may_sign(each, now.origin)]
        if not keys:
            return _refusal(404, "this witness knows no log of that origin", now)
        checked = checked_signatures(now.body(), asked.signatures, keys)
        known = {(each.name, each.key_id): None for each in checked if each.outcome == "good"}
        if not known or any(each.outcome == "bad" for each in checked):
            return _refusal(403, "no key that may sign this log's head has signed it", now)
        if asked.old_size > now.size:
            return _refusal(400, "the old size is larger than that of the checkpoint", now)
        # Of lines under unknown keys anything could be kept here.
        kept = [each for each in asked.signatures if (each.name, each.key_id.hex()) in known]
        try:
            refused = self._follow(asked, kept)
        except StateError as error:
            return _refusal(503, error.message, now)
        except OSError as error:
            return _refusal(503, f"the state cannot be kept: {error.strerror}", now)
        if refused is not None:
            return refused
        line = cosign_checkpoint(now, self._key, self._signer, int(self._clock())).line()
        return Answer(200, line, about=now)

    def _follow(self, asked: Submission, signatures: Sequence[NoteSignature]) -> Answer | None:
        """Put the head in the place of the last one if it continues it, else say why not.

        Raises:
            StateError: the state is damaged, gone, or held for too long.
            OSError: the disk refuses; nothing has changed.
        """
        now = asked.checkpoint
        with self._state.held():
            last = self._state.last(now.origin) or Checkpoint(now.origin, 0, EMPTY_ROOT)
            fork = now.size == last.size and now.root != last.root
            if asked.old_size != last.size or fork:
                return Answer(409, b"%d\n" % last.size, SIZE_TYPE, about=now)
            try:
                verify_consistency(
                    first_size=last.size,
                    first_root=last.root,
                    second_size=now.size,
                    second_root=now.root,
                    proof=asked.proof,
                )
            except ProofError as error:
                return _refusal(422, error.message, now)
            if now != last:
                self._state.keep(now.origin, now.note(signatures))
        return None

    def _may_sign(self, key: VerifierKey, origin: str) -> bool:
        return origin == key.name or origin.startswith(self._prefixes)


def _refusal(status: int, message: str, about: Checkpoint | None = None) -> Answer:
    return Answer(status, message.encode() + b"\n", about=about)
