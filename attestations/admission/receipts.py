"""Receipts of replays as evidence: they count for another decision only where they are admitted.

The one invariant: this takes statements away and adds none. A receipt that the policies' own rules
about receipts deny says nothing for the bundle that it is about, whoever a rule about bundles
names.
"""

from __future__ import annotations

import msgspec

from attestations.admission.evaluation import evaluate
from attestations.admission.facts import Artifact, Facts
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
    if evaluate(trust, about, now_us).judged == "allow":
        return facts
    rest = tuple(each for each in facts.statements if each.predicate_type != REPLAY)
    return msgspec.structs.replace(facts, statements=rest)
