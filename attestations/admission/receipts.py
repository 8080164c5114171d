"""Receipts of replays as evidence: they count for another decision only where they are admitted.

The one invariant: this takes statements away and adds none. A receipt that the policies' own rules
about receipts deny says nothing for the bundle that it is about, whoever a rule about bundles
names; and one that they admit says nothing for another that lies beside it.
"""

from __future__ import annotations

import msgspec

from attestations.admission.evaluation import evaluate
from attestations.admission.facts import Artifact, Facts, StatementFact
from attestations.admission.layers import TrustPolicy
from attestations.statements.predicates import REPLAY

__all__ = ["without_denied_receipts"]


def without_denied_receipts(trust: TrustPolicy, facts: Facts, now_us: int) -> Facts:
    """Return the facts for a decision, without receipts that no rule about receipts lets count.

    Where no policy has such a rule, the rule that asks for receipts decides alone.

    Args:
        trust: the policies.
        facts: what was verified about an artifact that is no receipt.
        now_us: the time, in microseconds since the Unix epoch.
    """
    ruled = any(rule.kind == "receipt" for each in trust.layers for rule in each.policy.rules)
    receipts = tuple(each for each in facts.statements if each.predicate_type == REPLAY)
    if not ruled or not receipts:
        return facts
    artifact = Artifact(kind="receipt", digest=facts.artifact.digest)
    about = Facts(artifact=artifact, statements=receipts)
    # Enough of them as a whole, and then each that is one of those by itself.
    enough = evaluate(trust, about, now_us).judged == "allow"
    single = _single(trust)

    def counts(each: StatementFact) -> bool:
        alone = msgspec.structs.replace(about, statements=(each,))
        return enough and evaluate(single, alone, now_us).judged == "allow"

    kept = (each for each in facts.statements if each.predicate_type != REPLAY or counts(each))
    return msgspec.structs.replace(facts, statements=tuple(kept))


def _single(trust: TrustPolicy) -> TrustPolicy:
    """Return the same policies where one signer is enough for a receipt."""
    layers = []
    for layer in trust.layers:
        rules = tuple(
            msgspec.structs.replace(rule, threshold=1) if rule.kind == "receipt" else rule
            for rule in layer.policy.rules
        )
        policy = msgspec.structs.replace(layer.policy, rules=rules)
        layers.append(msgspec.structs.replace(layer, policy=policy))
    return msgspec.structs.replace(trust, layers=tuple(layers))
