"""Envelopes about one run: those in its bundle and those that came beside it, as facts.

The one invariant: what is asked is about one checkpoint, origin and all, so evidence of another run
is found to be about something else whatever it says.
"""

from __future__ import annotations

from collections.abc import Iterable

from attestations.errors import EnvelopeError
from attestations.keys.public import PublicKey
from attestations.statements.checking import StatementFact, check_statement
from attestations.statements.envelope import read_lines
from attestations.statements.predicates import REPLAY
from attestations.statements.statement import Subject
from replay.tree import Checkpoint

__all__ = ["check_envelopes", "check_receipts", "subject_of"]


def subject_of(checkpoint: Checkpoint) -> Subject:
    """Return the subject of all that is said about a run: its checkpoint's three lines."""
    return Subject.of(checkpoint.origin, checkpoint.body())


def check_envelopes(
    envelopes: Iterable[bytes], keys: Iterable[PublicKey], checkpoint: Checkpoint
) -> tuple[StatementFact, ...]:
    """Say what each envelope is worth for a run, such as those that lie in its bundle."""
    trusted, subject = tuple(keys), subject_of(checkpoint)
    return tuple(check_statement(each, trusted, subject) for each in envelopes)


def check_receipts(
    data: bytes, keys: Iterable[PublicKey], checkpoint: Checkpoint
) -> tuple[StatementFact, ...]:
    """Say what a file of receipts is worth: each line has to be a verified replay of this run.

    Args:
        data: the file, one envelope on each line; hostile.
        keys: the keys trusted for statements.
        checkpoint: of the run at hand, verified by the caller.

    Returns:
        A fact for each line, in order; one that failed if the file is none of envelopes.
    """
    trusted, subject = tuple(keys), subject_of(checkpoint)
    try:
        lines = read_lines(data)
    except EnvelopeError as error:
        return (StatementFact(verdict="failed", reason="form", message=error.message),)
    wanted = frozenset({REPLAY})
    return tuple(check_statement(each, trusted, subject, predicate_types=wanted) for each in lines)
