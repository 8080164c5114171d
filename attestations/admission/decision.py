"""What was decided about an artifact, with every reason: a value that can be shown and recorded."""

from __future__ import annotations

from typing import Literal

import msgspec

from attestations.admission.facts import Artifact
from attestations.admission.policy import Mode

__all__ = ["Decision", "Reason", "ReasonCode", "Verdict"]

Verdict = Literal["allow", "deny"]

#: ``met`` and ``any`` speak for the artifact, ``statement-*`` and ``signer-*`` say why a statement
#: did not count, and all others deny.
ReasonCode = Literal[
    "any",
    "artifact-revoked",
    "damaged",
    "met",
    "no-policy",
    "no-rule",
    "policy-expired",
    "signer-not-named",
    "signer-revoked",
    "statement-age-unknown",
    "statement-from-the-future",
    "statement-not-seen",
    "statement-of-other-build",
    "statement-of-other-subject",
    "statement-too-old",
    "statement-version-too-low",
    "too-few-signers",
]


class Reason(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, order=True):
    """One reason.

    Attributes:
        policy: name of the policy; empty where no policy is meant.
        rule: name of the rule; empty where no rule is meant.
        code: what was found.
        text: the same as a sentence, with names.
    """

    policy: str = ""
    rule: str = ""
    code: ReasonCode
    text: str


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether an artifact may run.

    Attributes:
        verdict: ``deny`` means that nothing of it runs.
        judged: what the policies say; differs from the verdict where they only look on.
        mode: whether the policies decide.
        artifact: what was asked about.
        rule: ``policy/rule`` that decided, the first by name that denies; empty if none does.
        reasons: all of them, sorted.
        policies: SHA-256 of each policy that was asked, ascending.
    """

    verdict: Verdict
    judged: Verdict
    mode: Mode
    artifact: Artifact
    rule: str
    reasons: tuple[Reason, ...]
    policies: tuple[str, ...]
