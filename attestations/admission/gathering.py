"""Makes facts of what was verified: envelopes checked by trusted keys, put into this room's words.

The one invariant: only what a check called ``signed`` becomes a fact. What is malformed, signed by
nobody known or about something else is counted and left out, so an envelope that is added to a
collection can only speak for an artifact. Which keys are tried is decided by policies and by the
user's file of trusted keys, and never by what came with the artifact.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from attestations.admission.facts import (
    Artifact,
    Facts,
    KeySigner,
    Seen,
    StatementFact,
)
from attestations.admission.layers import TrustPolicy
from attestations.admission.policy import Revocation
from attestations.admission.policy_file import public_keys_of
from attestations.errors import PolicyError
from attestations.keys.public import PublicKey
from attestations.keys.trust import Trust
from attestations.statements.checking import StatementFact as Checked
from attestations.statements.checking import check_statement
from attestations.statements.predicates import (
    PolicyPredicate,
    PromptPredicate,
    ToolPredicate,
)
from attestations.statements.provenance import Provenance
from attestations.statements.statement import Digests, Subject

__all__ = [
    "Gathered",
    "Sights",
    "fact_of",
    "facts_of",
    "keys_of",
    "nobody_saw",
    "revocations_of",
]

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")

#: Checks an envelope of another sort (keyless) for an artifact; None if it is none of that sort.
OtherCheck = Callable[[bytes, Artifact], StatementFact | None]

#: Who saw, and when, that a key (id) had signed a statement (payload digest).
Sights = Callable[[str, str], tuple[Seen, ...]]


def nobody_saw(_keyid: str, _payload: str) -> tuple[Seen, ...]:
    """Return what is known of statements that stand in no log: nothing."""
    return ()


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """Facts, and what was left out.

    Attributes:
        facts: for the decision.
        left_out: for each envelope that says nothing here, why.
    """

    facts: Facts
    left_out: tuple[str, ...] = ()


def facts_of(
    artifact: Artifact,
    envelopes: Iterable[bytes],
    keys: Iterable[PublicKey],
    *,
    damage: str = "",
    seen: Sights = nobody_saw,
    other: OtherCheck = lambda _data, _artifact: None,
) -> Gathered:
    """Check envelopes for one artifact.

    Args:
        artifact: what they have to be about.
        envelopes: their bytes, hostile.
        keys: those that are tried.
        damage: what contradicts itself in the artifact; empty if nothing does.
        seen: when a key (id) had signed a statement (payload digest), as far as that was verified.
        other: checks envelopes that keys cannot.
    """
    trusted = tuple(keys)
    subject = Subject(digest=Digests(sha256=artifact.digest))
    found: list[StatementFact] = []
    left_out: list[str] = []
    for data in envelopes:
        fact = other(data, artifact)
        if fact is not None:
            found.append(fact)
            continue
        checked = check_statement(data, trusted, subject)
        if checked.verdict != "signed":
            left_out.append(f"{checked.verdict}: {checked.message}")
            continue
        # Each signer alone: that one was seen to have signed says nothing of when another did.
        for keyid in checked.signers:
            alone = msgspec.structs.replace(checked, signers=(keyid,))
            found.append(fact_of(alone, seen(keyid, checked.identity)))
    facts = Facts(artifact=artifact, statements=tuple(found), damage=damage)
    return Gathered(facts=facts, left_out=tuple(left_out))


def fact_of(checked: Checked, seen: tuple[Seen, ...] = ()) -> StatementFact:
    """Return a checked envelope in the words of this room.

    Raises:
        PolicyError: it was not found to be signed.
    """
    if checked.verdict != "signed" or checked.subject is None:
        raise PolicyError("an envelope that is not verified is no fact")
    said = checked.said
    issued = ""
    if isinstance(said, Provenance):
        issued = said.run_details.metadata.finished_on
    elif said is not None:
        issued = said.claimed_time
    version = ""
    if isinstance(said, ToolPredicate | PromptPredicate | PolicyPredicate):
        version = said.version
    return StatementFact(
        payload=checked.identity,
        predicate_type=checked.predicate_type,
        subjects=(checked.subject.digest.sha256,),
        signers=tuple(KeySigner(keyid=keyid) for keyid in checked.signers),
        issued_us=_time_us(issued),
        version=version,
        build_type=said.build_definition.build_type if isinstance(said, Provenance) else "",
        seen=seen,
    )


def keys_of(trust: TrustPolicy, known: Mapping[str, PublicKey]) -> tuple[PublicKey, ...]:
    """Return the keys that policies name, ascending key ids; a key that nobody has is left out.

    Args:
        trust: the policies.
        known: public keys from the user's own file, by key id.

    Raises:
        KeyFormError: a policy holds bytes that are no key.
    """
    found: dict[str, PublicKey] = {}
    for layer in trust.layers:
        for keyid, spki in public_keys_of(layer.policy).items():
            found[keyid] = PublicKey.from_spki(spki)
        for signer in layer.policy.signers.values():
            if signer.key is not None and signer.key in known:
                found[signer.key] = known[signer.key]
    return tuple(found[keyid] for keyid in sorted(found))


def revocations_of(trusted: Trust) -> tuple[Revocation, ...]:
    """Return the revocations of the user's file of trusted keys."""
    return tuple(
        Revocation(key=each.keyid, workspace=each.origin, size=each.size, reason=each.reason)
        for each in trusted.revoked
    )


def _time_us(text: str) -> int | None:
    """Return a claimed time in UTC, None for what is none."""
    if _TIME.fullmatch(text) is None:
        return None
    try:
        moment = datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond
