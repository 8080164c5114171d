"""What an envelope is worth: a closed fact, from its bytes, the trusted keys, and the subject.

The one invariant: hostile bytes make a fact that says so, never an error and never a weaker check.
Nothing of a payload is looked at before enough trusted keys are known to have signed it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from attestations.errors import EnvelopeError, StatementError
from attestations.keys.public import PublicKey
from attestations.statements.envelope import read_envelope, verify
from attestations.statements.predicates import Predicate, read_predicate
from attestations.statements.provenance import PROVENANCE, Provenance, read_provenance
from attestations.statements.statement import Statement, Subject, read_statement

__all__ = ["StatementFact", "StatementReason", "StatementVerdict", "check_statement"]

#: ``signed``: by trusted keys, about this subject. ``untrusted``: no key that is trusted signed it.
#: ``failed``: it is malformed, altered, or about something else.
StatementVerdict = Literal["signed", "untrusted", "failed"]

#: ``form``: no envelope as it is accepted. ``signature``: it names a trusted key that did not sign
#: these bytes. ``keys``: too few trusted keys signed. ``statement``: what they signed is no
#: statement, or contradicts itself. ``subject``: it is about something else. ``predicate``: it
#: says something else than was asked for.
StatementReason = Literal["", "form", "signature", "keys", "statement", "subject", "predicate"]


class StatementFact(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one envelope.

    Attributes:
        verdict: the answer.
        reason: why it is not ``signed``; empty if it is.
        message: the same for a person.
        identity: hex SHA-256 of the payload; empty if there is none.
        signers: key ids of the trusted keys that signed, ascending.
        predicate_type: URI of what is said; empty unless it was verified.
        subject: what it is about; None unless it was verified.
        said: the predicate, if its type is known here.
    """

    verdict: StatementVerdict
    reason: StatementReason = ""
    message: str = ""
    identity: str = ""
    signers: tuple[str, ...] = ()
    predicate_type: str = ""
    subject: Subject | None = None
    said: Predicate | Provenance | None = None

    @property
    def claimed_time(self) -> str:
        """When its signers say they made it (RFC 3339, UTC); empty if they do not say."""
        return getattr(self.said, "claimed_time", "")

    @property
    def version(self) -> str:
        """The version of the tool, prompt or policy that it speaks of; empty if it has none."""
        return getattr(self.said, "version", "")


def check_statement(
    envelope: bytes,
    keys: Iterable[PublicKey],
    subject: Subject,
    *,
    predicate_types: frozenset[str] = frozenset(),
    threshold: int = 1,
) -> StatementFact:
    """Say what an envelope is worth for one subject.

    Args:
        envelope: its bytes, hostile.
        keys: the keys trusted for what it says.
        subject: what it has to be about: the digest of exact bytes; a name only if one is given.
        predicate_types: URIs of which it has to be one; empty for any.
        threshold: how many different trusted keys must have signed.
    """
    trusted = tuple(keys)
    try:
        read = read_envelope(envelope)
    except EnvelopeError as error:
        return StatementFact(verdict="failed", reason="form", message=error.message)
    signers = verify(read, trusted, threshold)
    if not signers:
        hinted = {each.keyid for each in read.signatures} & {key.keyid for key in trusted}
        partly = verify(read, trusted) if hinted else ()
        if hinted - {key.keyid for key in partly}:
            return StatementFact(
                verdict="failed",
                reason="signature",
                message="it names a trusted key that did not sign these bytes",
                identity=read.identity,
            )
        return StatementFact(
            verdict="untrusted",
            reason="keys",
            message=f"{len(partly)} of {threshold} trusted keys signed it",
            identity=read.identity,
        )
    fact = StatementFact(
        verdict="signed", identity=read.identity, signers=tuple(key.keyid for key in signers)
    )
    try:
        statement = read_statement(read.payload)
        said = _said(statement)
    except StatementError as error:
        return _failed(fact, "statement", error.message)
    about = _about(statement, subject)
    if about is None:
        return _failed(fact, "subject", _about_what(statement, subject))
    if predicate_types and statement.predicate_type not in predicate_types:
        return _failed(fact, "predicate", f"it says {statement.predicate_type}")
    return msgspec.structs.replace(
        fact, predicate_type=statement.predicate_type, subject=about, said=said
    )


def _said(statement: Statement) -> Predicate | Provenance | None:
    if statement.predicate_type == PROVENANCE:
        return read_provenance(statement)
    return read_predicate(statement)


def _about(statement: Statement, subject: Subject) -> Subject | None:
    """Return the statement's subject that is the one asked for."""
    for each in statement.subject:
        if each.digest == subject.digest and (not subject.name or each.name == subject.name):
            return each
    return None


def _about_what(statement: Statement, subject: Subject) -> str:
    """Say what a statement is about instead."""
    named = ", ".join(each.name[:120] for each in statement.subject[:3])
    if subject.name and any(each.name == subject.name for each in statement.subject):
        return f"it is about {subject.name}, but other bytes: of a run, another head or another one"
    return f"it is about {named}" + (f", not about {subject.name}" if subject.name else "")


def _failed(fact: StatementFact, reason: StatementReason, message: str) -> StatementFact:
    return msgspec.structs.replace(fact, verdict="failed", reason=reason, message=message)
