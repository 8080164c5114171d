"""Each bound of the decider, at the last value that counts and at the first that does not."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from attestations.admission.evaluation import CLOCK_SKEW_US, evaluate
from attestations.admission.facts import (
    Artifact,
    Facts,
    KeylessSigner,
    KeySigner,
    Seen,
    StatementFact,
)
from attestations.admission.layers import Layer, merge, with_revocations
from attestations.admission.policy import Policy, Revocation, Rule, TrustedSigner
from attestations.admission.policy_file import check_policy
from attestations.statements.provenance import PROVENANCE

DAY_US = 86_400_000_000
NOW_US = 20_000 * DAY_US
MINE, KEY = "1" * 64, "a" * 64
MOMENT = datetime.fromtimestamp((NOW_US - DAY_US) / 1e6, UTC)
STAMPED_US = NOW_US - DAY_US
SAID = StatementFact(
    payload="3" * 64,
    predicate_type=PROVENANCE,
    subjects=(MINE,),
    signers=(KeySigner(keyid=KEY),),
    issued_us=NOW_US,
    version="1.4",
    build_type="local",
)
BY_SIZE = Revocation(key=KEY, workspace="w", size=4)
BY_TIME = Revocation(key=KEY, time=MOMENT)
CI = KeylessSigner(issuer="i", identity="x")


def decided(said=SAID, *, revoked=(), now_us=NOW_US, expires=None, trust="required", **asked):
    """What a policy of one rule decides about a bundle of which one thing is said."""
    fields = {"predicates": (PROVENANCE,), "signers": ("anna",), **asked}
    policy = Policy(
        schema="ritornello/policy/1",
        name="mine",
        trust=trust,
        expires=expires,
        signers={
            "anna": TrustedSigner(key=KEY),
            "ci": TrustedSigner(issuer="i", identity="x"),
        },
        rules=(Rule(name="bundles", kind="bundle", **fields),),
    )
    check_policy(policy)
    layer = Layer(policy=policy, digest="4" * 64, source="pinned")
    known = Facts(artifact=Artifact(kind="bundle", digest=MINE), statements=(said,))
    return evaluate(with_revocations(merge([layer]), revoked), known, now_us)


def seen(*sights):
    return msgspec.structs.replace(SAID, seen=sights)


def pinned(size, *, how="pinned", workspace="w"):
    return seen(Seen(how=how, workspace=workspace, size=size))


def stamped(time_us, *, how="timestamped"):
    return seen(Seen(how=how, time_us=time_us))


def issued(time_us, *sights):
    return msgspec.structs.replace(SAID, issued_us=time_us, seen=sights)


@pytest.mark.parametrize(
    ("said", "revocation", "verdict"),
    [
        (pinned(4), BY_SIZE, "allow"),
        (pinned(5), BY_SIZE, "deny"),
        (pinned(4, how="witnessed"), BY_SIZE, "allow"),
        (pinned(4, how="claimed"), BY_SIZE, "deny"),
        (pinned(4, workspace="v"), BY_SIZE, "deny"),
        (pinned(4), Revocation(key=KEY), "deny"),
        (stamped(0), BY_SIZE, "deny"),
        (stamped(STAMPED_US - 1), BY_TIME, "allow"),
        (stamped(STAMPED_US), BY_TIME, "deny"),
        (stamped(STAMPED_US - 1, how="pinned"), BY_TIME, "deny"),
        (stamped(STAMPED_US - 1, how="claimed"), BY_TIME, "deny"),
        (pinned(0), BY_TIME, "deny"),
        (pinned(0), Revocation(key="b" * 64), "allow"),
    ],
)
def test_a_revoked_signer_counts_only_for_what_was_seen_before(said, revocation, verdict):
    assert decided(said, revoked=[revocation]).verdict == verdict


def test_of_two_revocations_each_has_to_be_later():
    later = msgspec.structs.replace(BY_SIZE, size=9)

    assert decided(pinned(4), revoked=[BY_SIZE, later]).verdict == "allow"
    assert decided(pinned(5), revoked=[BY_SIZE, later]).verdict == "deny"
    assert decided(pinned(5), revoked=[later, BY_SIZE]).verdict == "deny"


def test_a_keyless_signer_is_revoked_by_issuer_and_identity():
    said = msgspec.structs.replace(SAID, signers=(CI,))

    def after(issuer, identity):
        revoked = [Revocation(issuer=issuer, identity=identity)]
        return decided(said, revoked=revoked, signers=("ci",)).verdict

    assert (after("i", "x"), after("j", "x"), after("i", "y")) == ("deny", "allow", "allow")
    other = msgspec.structs.replace(SAID, signers=(msgspec.structs.replace(CI, issuer="j"),))
    assert decided(other, signers=("ci",)).verdict == "deny"


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (issued(NOW_US - 30 * DAY_US), "allow"),
        (issued(NOW_US - 30 * DAY_US - 1), "deny"),
        (issued(None), "deny"),
        (issued(NOW_US, Seen(how="timestamped", time_us=NOW_US - 31 * DAY_US)), "deny"),
        (issued(NOW_US, Seen(how="claimed", time_us=NOW_US - 31 * DAY_US)), "allow"),
        (issued(NOW_US - 31 * DAY_US, Seen(how="timestamped", time_us=NOW_US)), "deny"),
    ],
)
def test_a_statement_is_as_old_as_it_says_or_older_where_somebody_saw_it(said, verdict):
    assert decided(said, maximum_age_days=30).verdict == verdict


def test_with_a_clock_that_was_set_back_nothing_is_younger_than_it_is():
    """What a clock calls the future does not count, so turning it back gives no second youth."""
    old = issued(NOW_US - 31 * DAY_US)
    codes = {each.code for each in decided(old, now_us=NOW_US - 32 * DAY_US).reasons}

    assert decided(old, maximum_age_days=30).verdict == "deny"
    assert "statement-from-the-future" in codes
    assert decided(issued(NOW_US + CLOCK_SKEW_US)).verdict == "allow"
    assert decided(issued(NOW_US + CLOCK_SKEW_US + 1)).verdict == "deny"


def test_a_policy_ends_at_the_moment_that_it_names():
    assert decided(expires=MOMENT, now_us=STAMPED_US - 1, said=issued(0)).verdict == "allow"
    assert decided(expires=MOMENT, now_us=STAMPED_US, said=issued(0)).verdict == "deny"


@pytest.mark.parametrize(
    ("asked", "verdict"),
    [
        ({"minimum_version": "1.4"}, "allow"),
        ({"minimum_version": "1.4.0.0"}, "allow"),
        ({"minimum_version": "1.4.1"}, "deny"),
        ({"minimum_version": "1.10"}, "deny"),
        ({"build_types": ("local", "other")}, "allow"),
        ({"build_types": ("other",)}, "deny"),
        ({"seen": ("pinned", "witnessed")}, "allow"),
        ({"seen": ("timestamped",)}, "deny"),
        ({"signers": ("anna", "ci"), "threshold": 2}, "deny"),
        ({"predicates": (PROVENANCE, "review")}, "deny"),
    ],
)
def test_what_a_rule_asks_for_has_to_be_there(asked, verdict):
    assert decided(pinned(4), **asked).verdict == verdict


def test_only_provenance_is_asked_for_a_way_to_build():
    said = msgspec.structs.replace(SAID, predicate_type="review", build_type="")
    decision = decided(said, predicates=(PROVENANCE, "review"), build_types=("local",))

    assert "statement-of-other-build" not in {each.code for each in decision.reasons}
    assert [each.code for each in decision.reasons] == ["too-few-signers", "met"]
