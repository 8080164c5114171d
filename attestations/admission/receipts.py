"""Receipts of replays as evidence: they count for another decision only where they are admitted.

The one invariant: this takes statements away and adds none. A receipt that the policies' own rules
about receipts deny says nothing for the bundle that it is about, whoever a rule about bundles
names; and one that they admit says nothing for another that lies beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from attestations.admission.decision import Decision
from attestations.admission.evaluation import evaluate
from attestations.admission.facts import Artifact, Facts, StatementFact
from attestations.admission.layers import TrustPolicy
from attestations.statements.predicates import REPLAY

__all__ = ["receipt_decider", "without_denied_receipts"]


def receipt_decider(
    trust: TrustPolicy, about: Facts, now_us: int
) -> Callable[[Sequence[StatementFact]], Decision]:
    """Return what decides whether one receipt counts among all that there are of a run.

    As a whole they have to be enough, wherever each lies and whoever signed which; then each
    counts that one of its signers makes one of those by itself.

    Args:
        trust: the policies.
        about: the run, as an artifact of kind ``receipt``, and what was verified about it.
        now_us: the time, in microseconds since the Unix epoch.
    """
    receipts = tuple(each for each in about.statements if each.predicate_type == REPLAY)
    about = msgspec.structs.replace(about, statements=receipts)
    together = evaluate(trust, about, now_us)
    single = _single(trust)

    def decided(receipt: Sequence[StatementFact]) -> Decision:
        """Decide about one, given as what was verified of each of its signers."""
        if together.judged == "deny":
            return together
        alone = [
            evaluate(single, msgspec.structs.replace(about, statements=tuple(each)), now_us)
            for each in ([[one] for one in receipt] or [[]])
        ]
        return next((each for each in alone if each.judged == "allow"), alone[0])

    return decided


def without_denied_receipts(trust: TrustPolicy, facts: Facts, now_us: int) -> Facts:
    """Return the facts for a decision, without receipts that no rule about receipts lets count.

    Where no policy has such a rule, the rule that asks for receipts decides alone.

    Args:
        trust: the policies.
        facts: what was verified about an artifact that is no receipt.
        now_us: the time, in microseconds since the Unix epoch.
    """
    ruled = any(rule.kind == "receipt" for each in trust.layers for rule in each.policy.rules)
    if not ruled or all(each.predicate_type != REPLAY for each in facts.statements):
        return facts
    artifact = Artifact(kind="receipt", digest=facts.artifact.digest)
    about = Facts(artifact=artifact, statements=facts.statements)
    decided = receipt_decider(trust, about, now_us)
    kept = (
        each
        for each in facts.statements
        if each.predicate_type != REPLAY or decided((each,)).judged == "allow"
    )
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
