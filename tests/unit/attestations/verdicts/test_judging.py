"""Verdicts follow from facts: the worst is the value, anchors add up, nothing is improved."""

import itertools
from dataclasses import replace

import pytest

from attestations.verdicts import (
    AnchorFact,
    Facts,
    Finding,
    SignatureFact,
    WitnessFact,
    judge,
)

PLAIN = Facts(sealed=True)
PROBLEM = Finding("header", "not canonical", 3)
GAP = Finding("not-captured", "mmap: data.bin", 9)


def values(facts):
    found = judge(facts)
    return (
        found.integrity.value,
        found.completeness.value,
        found.authenticity.value,
        found.anchoring.value,
    )


def witness(name, outcome="good", key=None):
    return WitnessFact(name, key or name, outcome, 5 if outcome == "good" else None)


def test_a_newcomers_run_is_ok_sealed_unsigned_and_not_anchored():
    assert values(PLAIN) == ("ok", "sealed", "unsigned", "none")


def test_a_problem_fails_integrity_and_nothing_else():
    found = judge(replace(PLAIN, problems=(PROBLEM,)))

    assert found.integrity.value == "failed"
    assert found.integrity.findings == (PROBLEM,)
    assert found.completeness.value == "sealed"


def test_problems_that_are_only_counted_fail_integrity_too():
    assert judge(replace(PLAIN, omitted=1)).integrity.value == "failed"


@pytest.mark.parametrize(
    ("changes", "states"),
    [
        ({}, ("sealed",)),
        ({"sealed": False}, ("open",)),
        ({"gaps": (GAP,)}, ("gaps",)),
        ({"missing": True}, ("gaps",)),
        ({"gaps": (GAP,), "sealed": False}, ("gaps", "open")),
        ({"truncated": True, "sealed": False}, ("truncated", "open")),
        ({"truncated": True, "gaps": (GAP,)}, ("truncated", "gaps")),
    ],
)
def test_completeness_has_the_worst_as_its_value_and_keeps_the_rest(changes, states):
    found = judge(replace(PLAIN, **changes)).completeness

    assert found.states == states
    assert found.value == states[0]
    assert (GAP in found.findings) == ("gaps" in changes)


def signature(outcome):
    return SignatureFact("log.example", outcome)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((), "unsigned"),
        (("unknown",), "untrusted"),
        (("good",), "signed"),
        (("good", "unknown"), "signed"),
        (("good", "bad"), "failed"),
        (("bad",), "failed"),
        (("unknown", "bad"), "failed"),
    ],
)
def test_a_bad_signature_outweighs_good_ones_in_any_order(outcomes, expected):
    for order in itertools.permutations(outcomes):
        facts = replace(PLAIN, signatures=tuple(signature(each) for each in order))

        assert judge(facts).authenticity.value == expected


PIN = AnchorFact("pin", "holds", "as in run.note")
SEEN = AnchorFact("memory", "holds", "as seen before")
TIME = AnchorFact("time-stamp", "holds", "2026-11-21T14:40:00Z")
FORK = AnchorFact("memory", "conflict", "another root")
NOTHING = AnchorFact("time-stamp", "none", "over other bytes")


@pytest.mark.parametrize(
    ("anchors", "states"),
    [
        ((), ("none",)),
        ((NOTHING,), ("none",)),
        ((SEEN,), ("pinned",)),
        ((PIN, TIME), ("timestamped", "pinned")),
        ((PIN, TIME, FORK), ("conflict", "timestamped", "pinned")),
    ],
)
def test_anchors_add_up_and_a_conflict_outweighs_them(anchors, states):
    for order in itertools.permutations(anchors):
        assert judge(replace(PLAIN, anchors=order)).anchoring.states == states


def test_witnesses_are_counted_by_key_up_to_the_threshold():
    two = (witness("w1"), witness("w2"), witness("w3", "absent"))
    twice = (witness("w1", key="k"), witness("w2", key="k"))

    assert judge(replace(PLAIN, witnesses=two, threshold=2)).anchoring.value == "witnessed"
    assert judge(replace(PLAIN, witnesses=two, threshold=3)).anchoring.value == "none"
    assert judge(replace(PLAIN, witnesses=twice, threshold=2)).anchoring.value == "none"
    assert judge(replace(PLAIN, witnesses=two, threshold=0)).anchoring.value == "none"


def test_a_bad_cosignature_fails_authenticity_and_witnesses_nothing():
    facts = replace(PLAIN, witnesses=(witness("w1"), witness("w2", "bad")), threshold=1)

    assert values(facts) == ("ok", "sealed", "failed", "none")
