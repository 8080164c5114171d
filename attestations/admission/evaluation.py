"""Decides whether an artifact may run: a pure function of policy, facts and the time.

The rules of this module, which the property tests hold:

1. Denied by default. What no rule allows, what no policy names, what has run out is denied.
2. Statements only speak for an artifact. One more verified statement never turns allow into deny:
   those that do not count are passed over, with the reason.
3. One signer fewer, or one revocation more, never turns deny into allow.
4. Order means nothing: not that of statements, signers, rules, revocations or layers.

It reads no clock, no file and no key.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attestations.admission.decision import Decision, Reason, ReasonCode, Verdict
from attestations.admission.facts import (
    TRUSTED_SIGHT,
    Facts,
    KeylessSigner,
    KeySigner,
    Seen,
    Signer,
    StatementFact,
    signer_name,
)
from attestations.admission.layers import Layer, TrustPolicy
from attestations.admission.policy import Revocation, Rule, version_key
from attestations.admission.policy_file import signer_of
from attestations.statements.provenance import PROVENANCE

__all__ = ["CLOCK_SKEW_US", "evaluate"]

_DAY_US: Final = 86_400_000_000
#: A statement may be issued so much later than this clock says; clocks differ.
CLOCK_SKEW_US: Final = 300_000_000
_FOR: Final[tuple[ReasonCode, ...]] = ("any", "met")


def evaluate(trust: TrustPolicy, facts: Facts, now_us: int) -> Decision:
    """Decide about one artifact.

    Args:
        trust: the policies.
        facts: what was verified about it.
        now_us: the time, in microseconds since the Unix epoch.

    Complexity: layers x rules of the kind x statements x signers x revocations.
    """
    denying = [*_damage(facts), *_revoked_artifact(trust, facts)]
    notes: list[Reason] = []
    for layer in trust.layers:
        for reason in _asked(layer, trust, facts, now_us):
            told = reason.code in _FOR or reason.code.startswith(("statement-", "signer-"))
            (notes if told else denying).append(reason)
    if not trust.layers:
        denying.append(Reason(code="no-policy", text="no policy says that it may run"))
    judged: Verdict = "deny" if denying else "allow"
    verdict = judged if trust.mode == "required" else ("deny" if facts.damage else "allow")
    denying.sort()
    return Decision(
        verdict=verdict,
        judged=judged,
        mode=trust.mode,
        artifact=facts.artifact,
        rule=_name(denying[0]) if denying else "",
        reasons=tuple(dict.fromkeys([*denying, *sorted(notes)])),
        policies=tuple(layer.digest for layer in trust.layers),
    )


def _name(reason: Reason) -> str:
    return f"{reason.policy}/{reason.rule}" if reason.rule else reason.policy or reason.code


def _damage(facts: Facts) -> Iterator[Reason]:
    if facts.damage:
        yield Reason(code="damaged", text=facts.damage)


def _revoked_artifact(trust: TrustPolicy, facts: Facts) -> Iterator[Reason]:
    for revocation in trust.revoked:
        if revocation.digest == facts.artifact.digest:
            why = f": {revocation.reason}" if revocation.reason else ""
            yield Reason(code="artifact-revoked", text=f"the artifact is revoked{why}")


def _asked(layer: Layer, trust: TrustPolicy, facts: Facts, now_us: int) -> Iterator[Reason]:
    """Yield what one policy says."""
    policy = layer.policy
    kind = facts.artifact.kind
    rules = [rule for rule in policy.rules if rule.kind == kind]
    if policy.expires is not None and now_us >= policy.expires.timestamp() * 1_000_000:
        text = f"the policy ran out on {policy.expires.isoformat()}"
        yield Reason(policy=policy.name, code="policy-expired", text=text)
    if not rules and policy.trust == "required":
        text = f"no rule is about a {kind}, so none may run"
        yield Reason(policy=policy.name, code="no-rule", text=text)
    for rule in rules:
        for code, text in _rule(rule, layer, trust, facts, now_us):
            yield Reason(policy=policy.name, rule=rule.name, code=code, text=text)


def _rule(
    rule: Rule, layer: Layer, trust: TrustPolicy, facts: Facts, now_us: int
) -> Iterator[tuple[ReasonCode, str]]:
    if rule.accept == "any":
        yield "any", f"any {rule.kind} may run"
        return
    named = [signer_of(layer.policy.signers[name]) for name in rule.signers]
    for predicate in rule.predicates:
        counted: dict[str, None] = {}
        for statement in facts.statements:
            if statement.predicate_type != predicate:
                continue
            found = _unusable(statement, rule, facts, now_us)
            if found is not None:
                yield found
                continue
            for signer in statement.signers:
                if not any(_is(signer, each) for each in named):
                    yield "signer-not-named", f"{signer_name(signer)} is no signer of this rule"
                elif _is_revoked(signer, statement, trust.revoked):
                    yield "signer-revoked", f"{signer_name(signer)} is revoked"
                else:
                    counted[signer_name(signer)] = None
        if len(counted) >= rule.threshold:
            yield "met", f"{predicate}: {', '.join(sorted(counted))}"
        else:
            need = f"{len(counted)} of {rule.threshold} signers said {predicate}"
            yield "too-few-signers", need


def _unusable(
    statement: StatementFact, rule: Rule, facts: Facts, now_us: int
) -> tuple[ReasonCode, str] | None:
    """Return why a statement does not count for a rule, None if it does."""
    who = f"statement {statement.payload[:16]}"
    if facts.artifact.digest not in statement.subjects:
        return "statement-of-other-subject", f"{who} is about something else"
    if statement.issued_us is not None and statement.issued_us > now_us + CLOCK_SKEW_US:
        return "statement-from-the-future", f"{who} says that it was made later than now"
    if rule.minimum_version is not None:
        here, least = version_key(statement.version), version_key(rule.minimum_version)
        if here is None or least is None or here < least:
            version = statement.version or "no version"
            return "statement-version-too-low", f"{who} is of {version}, not {rule.minimum_version}"
    builds = rule.build_types if statement.predicate_type == PROVENANCE else ()
    if builds and statement.build_type not in builds:
        built = statement.build_type[:200] or "no stated way"
        return "statement-of-other-build", f"{who} is of something built by {built}"
    if rule.seen and not any(seen.how in rule.seen for seen in statement.seen):
        return "statement-not-seen", f"{who} was not {' or '.join(sorted(rule.seen))}"
    if rule.maximum_age_days is not None:
        if statement.issued_us is None:
            return "statement-age-unknown", f"{who} does not say when it was made"
        age_us = now_us - _made_us(statement, statement.issued_us)
        if age_us > rule.maximum_age_days * _DAY_US:
            days = age_us // _DAY_US
            return "statement-too-old", f"{who} is {days} days old, not {rule.maximum_age_days}"
    return None


def _made_us(statement: StatementFact, issued_us: int) -> int:
    """Return when a statement was made: at its word, or before, if it was seen before that."""
    known = [
        seen.time_us
        for seen in statement.seen
        if seen.how in TRUSTED_SIGHT and seen.time_us is not None
    ]
    return min([issued_us, *known])


def _is(signer: Signer, named: Signer) -> bool:
    """Return whether somebody who signed is one whom a policy names."""
    if isinstance(signer, KeySigner) or isinstance(named, KeySigner):
        return signer == named
    same = signer.issuer == named.issuer and signer.identity == named.identity
    return same and all(signer.claims.get(name) == value for name, value in named.claims.items())


def _is_revoked(
    signer: Signer, statement: StatementFact, revocations: tuple[Revocation, ...]
) -> bool:
    return any(
        _is_of(revocation, signer) and not _was_before(statement, revocation)
        for revocation in revocations
    )


def _is_of(revocation: Revocation, signer: Signer) -> bool:
    if isinstance(signer, KeylessSigner):
        named = (revocation.issuer, revocation.identity)
        return named == (signer.issuer, signer.identity)
    return revocation.key == signer.keyid


def _was_before(statement: StatementFact, revocation: Revocation) -> bool:
    """Return whether somebody outside saw a statement before its signer was revoked."""
    return any(_saw_before(seen, revocation) for seen in statement.seen)


def _saw_before(seen: Seen, revocation: Revocation) -> bool:
    """Return whether a sight is from before: by a size of the log, or by a stamped time."""
    if seen.how not in TRUSTED_SIGHT:
        return False
    if revocation.size is not None and seen.size is not None:
        same = seen.workspace == revocation.workspace
        if same and seen.size <= revocation.size:
            return True
    if revocation.time is None or seen.time_us is None or seen.how != "timestamped":
        return False
    return seen.time_us < revocation.time.timestamp() * 1_000_000
