"""What is required is checked as a whole, and a word that means nothing is refused."""

import pytest

from attestations.errors import RequirementError
from attestations.verdicts import (
    DEFAULT_REQUIREMENTS,
    AnchorFact,
    Facts,
    Finding,
    SignatureFact,
    judge,
    parse_requirements,
)

GAP = (Finding("not-captured", "mmap", 3),)
GOOD = (SignatureFact("log.example", "good"),)
BAD = (SignatureFact("log.example", "bad"),)
PIN = (AnchorFact("pin", "holds", ""),)
TIME = (AnchorFact("time-stamp", "holds", ""),)
FORK = (AnchorFact("pin", "conflict", ""),)


def outcome(words, **facts):
    return parse_requirements(words).check(judge(Facts(**{"sealed": True, **facts})))


def test_without_words_the_defaults_are_required():
    assert parse_requirements([]) == DEFAULT_REQUIREMENTS
    assert parse_requirements([]).words() == ("integrity=ok", "completeness=sealed")


def test_words_add_to_the_defaults_and_replace_what_they_name():
    words = parse_requirements(["anchoring=pinned|witnessed", "completeness=sealed|gaps"]).words()

    assert words == ("integrity=ok", "completeness=sealed|gaps", "anchoring=pinned|witnessed")


@pytest.mark.parametrize(
    ("words", "facts", "expected"),
    [
        ([], {}, "held"),
        ([], {"sealed": False}, "absent"),
        ([], {"gaps": GAP}, "absent"),
        ([], {"problems": GAP}, "failed"),
        ([], {"truncated": True}, "failed"),
        ([], {"signatures": BAD}, "failed"),
        ([], {"anchors": FORK}, "failed"),
        (["authenticity=unsigned"], {"anchors": FORK}, "failed"),
        (["completeness=sealed|gaps"], {"gaps": GAP}, "held"),
        # Who accepts gaps does not accept a run without a seal because it has gaps as well.
        (["completeness=sealed|gaps"], {"gaps": GAP, "sealed": False}, "absent"),
        (["completeness=sealed|open"], {"gaps": GAP, "sealed": False}, "absent"),
        (["completeness=sealed|open|gaps"], {"gaps": GAP, "sealed": False}, "held"),
        (["authenticity=signed"], {}, "absent"),
        (["integrity=ok,authenticity=signed"], {"signatures": GOOD}, "held"),
        # Anchors add up: a time stamp does not hide the pin.
        (["anchoring=pinned"], {"anchors": PIN + TIME}, "held"),
        (["anchoring=witnessed|timestamped"], {"anchors": PIN}, "absent"),
    ],
)
def test_what_is_required_holds_is_absent_or_fails(words, facts, expected):
    assert outcome(words, **facts).outcome == expected


def test_what_is_not_met_is_named():
    found = outcome(["authenticity=signed", "anchoring=pinned|witnessed"], sealed=False)

    assert found.unmet == (
        "completeness=sealed",
        "authenticity=signed",
        "anchoring=pinned|witnessed",
    )


def test_an_open_run_can_be_accepted_beside_what_is_required_anyway():
    wanted = DEFAULT_REQUIREMENTS.accepting("completeness", "open")

    assert wanted.words() == ("integrity=ok", "completeness=sealed|open")
    assert wanted.accepting("completeness", "open") == wanted
    assert wanted.check(judge(Facts(sealed=False))).outcome == "held"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("", "VERDICT=VALUE"),
        ("integrity", "VERDICT=VALUE"),
        ("integrity=", "cannot be required"),
        ("integrity=OK", "cannot be required"),
        ("integrity=failed", "cannot be required"),
        ("completeness=truncated", "cannot be required"),
        ("anchoring=conflict", "cannot be required"),
        ("anchoring=none|conflict", "cannot be required"),
        ("integrity =ok", "VERDICT=VALUE"),
        ("trust=signed", "VERDICT=VALUE"),
        ("integrity=ok,,authenticity=signed", "VERDICT=VALUE"),
        ("integrity=ok,integrity=ok", "twice"),
    ],
)
def test_a_word_that_means_nothing_is_refused(word, said):
    with pytest.raises(RequirementError, match=said):
        parse_requirements([word])
