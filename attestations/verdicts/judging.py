"""Concludes the four verdicts from the facts.

The one invariant: of several things that are true at once the worst is the value, and all of them
are its states, so that who accepts one of them does not accept another unseen. For anchors it is
the other way round: each one that holds stands by itself, and a conflict outweighs them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar

from attestations.verdicts.facts import Facts, Finding

__all__ = ["Anchoring", "Authenticity", "Completeness", "Integrity", "Verdict", "Verdicts", "judge"]

Integrity = Literal["ok", "failed"]
Completeness = Literal["sealed", "open", "truncated", "gaps"]
Authenticity = Literal["signed", "unsigned", "untrusted", "failed"]
Anchoring = Literal["none", "pinned", "timestamped", "witnessed", "conflict"]

V = TypeVar("V", bound=str)

_UNREAD: Final = "its records cannot be relied on as they are, so what is missing is not known"
#: Of a log whose records do not hold nothing is compared with anything: the verdict is what it is
#: where there is nothing, and this says that nobody looked.
_NOT_CHECKED: Final = "not-checked"


@dataclass(frozen=True, slots=True)
class Verdict(Generic[V]):
    """One verdict.

    Args:
        value: the one word for it.
        states: all that is true, the value first; at least that one.
        findings: what it rests on, in the order in which it was found.
    """

    value: V
    states: tuple[V, ...]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """The four verdicts on one log.

    Args:
        integrity: whether its bytes are what its root and its commitments say.
        completeness: whether it came to its end, and what it does not hold by its own account.
        authenticity: whether somebody whom the verifier trusts stands for it.
        anchoring: what is known of its head outside of whoever keeps it.
    """

    integrity: Verdict[Integrity]
    completeness: Verdict[Completeness]
    authenticity: Verdict[Authenticity]
    anchoring: Verdict[Anchoring]


def judge(facts: Facts) -> Verdicts:
    """Conclude the verdicts; the same facts give the same verdicts."""
    return Verdicts(
        integrity=_integrity(facts),
        completeness=_completeness(facts),
        authenticity=_authenticity(facts),
        anchoring=_anchoring(facts),
    )


def _does_not_hold(facts: Facts) -> bool:
    return bool(facts.problems or facts.omitted)


def _integrity(facts: Facts) -> Verdict[Integrity]:
    value: Integrity = "failed" if _does_not_hold(facts) else "ok"
    return Verdict(value, (value,), facts.problems)


def _completeness(facts: Facts) -> Verdict[Completeness]:
    states: list[Completeness] = []
    findings: list[Finding] = []
    if facts.truncated:
        states.append("truncated")
        findings.append(Finding("truncated", "its head knows of more records than are there"))
    elif facts.unread:
        # It may have all its records, and a seal: what cannot be read is not said to be absent.
        states.append("gaps")
        findings.append(Finding("unread", _UNREAD))
    if facts.missing:
        findings.append(Finding("missing", "records or parts are not there, and nothing says why"))
    findings.extend(facts.gaps)
    if (facts.missing or facts.gaps) and "gaps" not in states:
        states.append("gaps")
    if not facts.sealed and not facts.unread:
        states.append("open")
        findings.append(Finding("open", "it has no seal: what came after may be missing"))
    if not states:
        states.append("sealed")
    return Verdict(states[0], tuple(states), tuple(findings))


def _authenticity(facts: Facts) -> Verdict[Authenticity]:
    findings: list[Finding] = []
    outcomes: list[str] = []
    for each in facts.signatures:
        said = {
            "good": f"{each.signer} signed the {each.over}",
            "bad": f"a signature of {each.signer} over the {each.over} does not hold",
            "other": f"{each.signer} signed this {each.over}, but it is about something else",
            "unknown": f"{each.signer} is said to have signed the {each.over}; its key is not"
            " trusted here",
        }[each.outcome]
        findings.append(Finding(each.outcome, f"{said}: {each.message}" if each.message else said))
        outcomes.append(each.outcome)
    for witness in facts.witnesses:
        if witness.outcome == "bad":
            findings.append(Finding("bad", f"the cosignature of {witness.name} does not hold"))
            outcomes.append("bad")
    value: Authenticity = "unsigned"
    if "bad" in outcomes or "other" in outcomes:
        value = "failed"
    elif "good" in outcomes:
        value = "signed"
    elif outcomes:
        value = "untrusted"
    if value == "unsigned" and _does_not_hold(facts):
        findings.append(
            Finding(_NOT_CHECKED, "its records do not hold, so no signature was looked for")
        )
    return Verdict(value, (value,), tuple(findings))


def _anchoring(facts: Facts) -> Verdict[Anchoring]:
    states: list[Anchoring] = []
    findings: list[Finding] = []
    holding = {each.kind for each in facts.anchors if each.outcome == "holds"}
    if any(each.outcome == "conflict" for each in facts.anchors):
        states.append("conflict")
    cosigned = [each for each in facts.witnesses if each.outcome == "good"]
    # By key: one witness under two names is one witness.
    enough = len({each.public_key for each in cosigned}) >= facts.threshold > 0
    if enough and not any(each.outcome == "bad" for each in facts.witnesses):
        states.append("witnessed")
    if "time-stamp" in holding:
        states.append("timestamped")
    if holding & {"pin", "memory"}:
        states.append("pinned")
    if not states:
        states.append("none")
    findings.extend(
        Finding(
            f"{each.kind}-{each.outcome}" if each.outcome != "holds" else each.kind, each.message
        )
        for each in facts.anchors
    )
    for witness in facts.witnesses:
        when = f" at {witness.time_s} s since 1970, by its own clock" if witness.time_s else ""
        said = {"good": f"cosigned{when}", "bad": "has a bad cosignature", "absent": "did not"}
        findings.append(Finding("witness", f"{witness.name} {said[witness.outcome]}"))
    if not facts.anchors and not facts.witnesses and _does_not_hold(facts):
        message = "its records do not hold, so its head was compared with none"
        findings.append(Finding(_NOT_CHECKED, message))
    return Verdict(states[0], tuple(states), tuple(findings))
