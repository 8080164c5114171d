"""Laws of admission, each with a wrong decider that it catches."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from attestations.admission import evaluation, layers
from attestations.admission.evaluation import evaluate
from attestations.admission.facts import (
    Artifact,
    Facts,
    KeylessSigner,
    KeySigner,
    Seen,
    StatementFact,
    signer_name,
)
from attestations.admission.layers import Layer, merge, with_revocations
from attestations.admission.policy import Policy, Revocation, Rule, TrustedSigner, version_key
from attestations.admission.policy_file import check_policy
from attestations.admission.receipts import without_denied_receipts
from attestations.statements.predicates import REPLAY

DAY_US = 86_400_000_000
NOW_US = 1_000 * DAY_US
MINE, OTHER = "1" * 64, "2" * 64
KEYS = ["a" * 64, "b" * 64, "c" * 64]
NAMED = {
    **{f"key{n}": TrustedSigner(key=key) for n, key in enumerate(KEYS)},
    "again": TrustedSigner(key=KEYS[0]),  # two names of one key
    "ci": TrustedSigner(issuer="i", identity="x", claims={"repository": "7"}),
}
SIGNERS = [
    *(KeySigner(keyid=key) for key in KEYS),
    KeySigner(keyid="d" * 64),
    KeylessSigner(issuer="i", identity="x", claims={"repository": "7"}),
    KeylessSigner(issuer="i", identity="x", claims={"repository": "8"}),
]
GOOD = StatementFact(
    payload="3" * 64,
    predicate_type="run",
    subjects=(MINE,),
    signers=(),
    issued_us=NOW_US - DAY_US,
    version="1.4.2",
    seen=(Seen(how="timestamped", time_us=NOW_US),),
)
#: In what one statement differs from one that is good for every rule here.
FLAWS = [
    {},
    {},
    {},
    {"predicate_type": "review"},
    {"subjects": (OTHER, MINE)},
    {"subjects": (OTHER,)},
    {"issued_us": None},
    {"issued_us": NOW_US - 40 * DAY_US},
    {"issued_us": NOW_US + DAY_US},
    *({"version": version} for version in ("", "1", "1.0", "2")),
    {"seen": ()},
    *({"seen": (Seen(how=how, workspace="w", size=4),)} for how in ("pinned", "claimed")),
    {"seen": (Seen(how="witnessed", workspace="v", size=4),)},
    {"seen": (Seen(how="timestamped", time_us=NOW_US - 40 * DAY_US),)},
]


GROUPS = [*((each,) for each in SIGNERS), *itertools.pairwise(SIGNERS), (SIGNERS[5],)]


_SEEN = (*GOOD.seen, Seen(how="pinned"))
WHOLE = tuple(
    msgspec.structs.replace(
        GOOD, signers=(*SIGNERS[:3], SIGNERS[4]), predicate_type=predicate, seen=_SEEN
    )
    for predicate in ("run", "review")
)


@st.composite
def statement_facts(draw):
    signers = draw(st.sampled_from(GROUPS))
    flaw = draw(st.sampled_from(FLAWS))
    return msgspec.structs.replace(GOOD, signers=signers, **flaw)


statements = statement_facts()
facts = st.builds(
    Facts,
    artifact=st.just(Artifact(kind="bundle", digest=MINE)),
    statements=st.lists(statements, min_size=1, max_size=3).flatmap(
        lambda found: st.sampled_from([tuple(found), tuple(found), (*found, *WHOLE)])
    ),
    damage=st.sampled_from(["", "", "", "", "", "", "a byte differs"]),
)
#: Before and after the time stamps of statements.
MOMENTS = [
    datetime.fromtimestamp((NOW_US - 30 * DAY_US + add) / 1e6, UTC) for add in (0, 40 * DAY_US)
]
revocations = st.sampled_from(
    [
        Revocation(digest=MINE),
        Revocation(digest=OTHER),
        Revocation(issuer="i", identity="x"),
        *(Revocation(key=key) for key in KEYS),
        *(Revocation(key=key, workspace="w", size=size) for key in KEYS for size in (3, 4)),
        Revocation(key=KEYS[0], workspace="w", size=3, time=MOMENTS[0]),
        Revocation(key=KEYS[1], time=MOMENTS[1]),
        Revocation(issuer="i", identity="x", time=MOMENTS[1]),
    ]
)


NO_RULE = Policy(schema="ritornello/policy/1", name="p")
ANY = Rule(name="any", kind="bundle", accept="any")


@st.composite
def rules(draw, name):
    signers = draw(st.lists(st.sampled_from(sorted(NAMED)), min_size=1, max_size=3, unique=True))
    return Rule(
        name=name,
        kind="bundle",
        predicates=draw(st.sampled_from([("run",), ("run",), ("review", "run")])),
        signers=tuple(signers),
        threshold=draw(st.integers(1, min(2, len({NAMED[each].key for each in signers})))),
        **draw(st.sampled_from(CONDITIONS)),
    )


CONDITIONS = [
    {},
    {},
    {"minimum_version": "1.4"},
    {"maximum_age_days": 30},
    {"seen": ("timestamped",)},
    {"seen": ("pinned", "witnessed")},
]


@st.composite
def policies(draw):
    """Return a policy with a rule, mostly; what it lacks is drawn rarely."""
    asked = [draw(rules("r0"))]
    rare = draw(st.integers(0, 15))
    if rare < 4:
        asked = [[], [ANY], [ANY, *asked], [*asked, draw(rules("r1"))]][rare]
    policy = msgspec.structs.replace(
        NO_RULE,
        trust=draw(st.sampled_from(["required", "required", "required", "observe", None])),
        expires=datetime.fromtimestamp(NOW_US / 1e6, UTC) if rare == 4 else None,
        signers=NAMED,
        rules=tuple(asked),
        revocations=tuple(draw(st.lists(revocations, max_size=1))),
    )
    check_policy(policy)
    return policy


def layer(policy, number, source="pinned"):
    return Layer(policy=policy, digest=f"{number:064x}", source=source)


@st.composite
def likely(draw):
    """Return policies and facts for them; about as many are allowed as denied."""
    found = draw(st.sampled_from([1, 1, 1, 2, 2, 0]))
    return merge(layer(draw(policies()), n) for n in range(found)), draw(facts)


def _allowed(decision):
    return decision.judged == "allow"


# --- the laws; each takes what a search found and fails if the law does not hold -----------------


def one_statement_more(data):
    """Adding a verified statement never turns allow into deny."""
    trust, known = data.draw(likely())
    before = evaluate(trust, known, NOW_US)
    assume(_allowed(before))
    more = msgspec.structs.replace(known, statements=(*known.statements, data.draw(statements)))

    assert _allowed(evaluate(trust, more, NOW_US))


def one_signer_fewer(data):
    """Removing a signer never turns deny into allow."""
    trust, known = data.draw(likely())
    assume(not _allowed(evaluate(trust, known, NOW_US)))
    gone = data.draw(st.sampled_from(sorted(NAMED)))
    fewer = msgspec.structs.replace(
        trust, layers=tuple(_without(each, gone) for each in trust.layers)
    )

    assert not _allowed(evaluate(fewer, known, NOW_US))


def _without(each, gone):
    changed = tuple(
        msgspec.structs.replace(rule, signers=tuple(s for s in rule.signers if s != gone))
        for rule in each.policy.rules
    )
    return msgspec.structs.replace(each, policy=msgspec.structs.replace(each.policy, rules=changed))


def one_revocation_more(data):
    """Adding a revocation never turns deny into allow."""
    trust, known = data.draw(likely())
    assume(not _allowed(evaluate(trust, known, NOW_US)))

    assert not _allowed(evaluate(with_revocations(trust, [data.draw(revocations)]), known, NOW_US))


def another_order(data):
    """Nothing depends on an order, the reasons neither."""
    trust, known = data.draw(likely())
    mixed = [_mixed(each, data) for each in trust.layers]
    revoked = data.draw(st.lists(revocations, max_size=3))
    other = msgspec.structs.replace(
        known,
        statements=tuple(
            msgspec.structs.replace(
                each,
                signers=tuple(data.draw(st.permutations(each.signers))),
                seen=tuple(data.draw(st.permutations(each.seen))),
                subjects=each.subjects[::-1],
            )
            for each in data.draw(st.permutations(known.statements))
        ),
    )

    again = layers.merge(data.draw(st.permutations(mixed)), data.draw(st.permutations(revoked)))
    assert evaluate(layers.merge(trust.layers, revoked), known, NOW_US) == evaluate(
        again, other, NOW_US
    )


def _mixed(each, data):
    policy = msgspec.structs.replace(
        each.policy,
        rules=tuple(
            msgspec.structs.replace(
                rule,
                signers=tuple(data.draw(st.permutations(rule.signers))),
                predicates=rule.predicates[::-1],
            )
            for rule in data.draw(st.permutations(each.policy.rules))
        ),
        signers=dict(data.draw(st.permutations(list(NAMED.items())))),
    )
    return msgspec.structs.replace(each, policy=policy)


def a_project_only_tightens(data):
    """A project's file allows nothing that was denied, and does not turn trust off."""
    trust, known = data.draw(likely())
    project = layer(data.draw(policies()), 99, "project")
    root = evaluate(trust, known, NOW_US)
    both = evaluate(layers.merge([*trust.layers, project]), known, NOW_US)

    assert not (root.verdict == "deny" and both.verdict == "allow")
    assert not (root.mode == "required" and both.mode == "observe")
    # What was judged by looking on may be allowed by a project that alone decides, but never
    # against a policy that says no.
    if trust.layers and trust.mode == "required":
        assert not (root.judged == "deny" and both.judged == "allow")


def the_model_agrees(data):
    """The plain reading of the policy's page comes to the same."""
    trust, known = data.draw(likely())

    assert _allowed(evaluate(trust, known, NOW_US)) == model(trust, known)


def a_sight_more(data):
    """One more trusted sight of a statement never turns allow into deny, but by showing its age."""
    trust, known = data.draw(likely())
    trust = with_revocations(trust, [data.draw(revocations)])
    assume(_allowed(evaluate(trust, known, NOW_US)))
    how = data.draw(st.sampled_from(["pinned", "witnessed", "timestamped"]))
    sight = Seen(how=how, workspace="w", size=data.draw(st.integers(0, 9)))
    more = msgspec.structs.replace(
        known,
        statements=tuple(
            msgspec.structs.replace(each, seen=(*each.seen, sight)) for each in known.statements
        ),
    )

    assert _allowed(evaluate(trust, more, NOW_US))


def a_claim_changes_nothing(data):
    """What a signer says about when it signed counts for nothing."""
    trust, known = data.draw(likely())
    trust = with_revocations(trust, [data.draw(revocations)])
    claim = Seen(how="claimed", time_us=0, workspace="w", size=1)
    more = msgspec.structs.replace(
        known,
        statements=tuple(
            msgspec.structs.replace(each, seen=(*each.seen, claim)) for each in known.statements
        ),
    )

    assert evaluate(trust, known, NOW_US) == evaluate(trust, more, NOW_US)


LAWS = [
    a_claim_changes_nothing,
    a_sight_more,
    one_statement_more,
    one_signer_fewer,
    one_revocation_more,
    another_order,
    a_project_only_tightens,
    the_model_agrees,
]


def model(trust, known):
    """Decide by the words of the reference page, written for shortness alone."""
    revoked = [r for each in trust.layers for r in each.policy.revocations] + [*trust.revocations]
    if known.damage or not trust.layers or any(r.digest == MINE for r in revoked):
        return False

    def counts(statement, signer, rule):
        real = [s for s in statement.seen if s.how != "claimed"]
        entries = [NAMED[name] for name in rule.signers]
        named = any(
            entry.key == signer.keyid
            if isinstance(signer, KeySigner)
            else entry.issuer == signer.issuer
            and entry.identity == signer.identity
            and entry.claims.items() <= signer.claims.items()
            for entry in entries
        )
        gone = any(
            (r.key == signer.keyid if isinstance(signer, KeySigner) else r.issuer == signer.issuer)
            and not any(
                (
                    r.size is not None
                    and s.workspace == r.workspace
                    and s.size is not None
                    and s.size <= r.size
                )
                or (
                    r.time is not None
                    and s.how == "timestamped"
                    and s.time_us is not None
                    and s.time_us < r.time.timestamp() * 1e6
                )
                for s in real
            )
            for r in revoked
            if not r.digest
        )
        least = rule.minimum_version or ""
        made = [s.time_us for s in real if s.time_us is not None] + [statement.issued_us]
        return (
            named
            and not gone
            and MINE in statement.subjects
            and (statement.issued_us or 0) <= NOW_US
            and (version_key(statement.version) or ()) >= (version_key(least) or ())
            and (not rule.seen or bool({s.how for s in statement.seen} & {*rule.seen}))
            and (
                rule.maximum_age_days is None
                or (
                    statement.issued_us is not None
                    and min(made) >= NOW_US - rule.maximum_age_days * DAY_US
                )
            )
        )

    for each in trust.layers:
        asked = [rule for rule in each.policy.rules if rule.kind == known.artifact.kind]
        if each.policy.expires or (not asked and each.policy.trust == "required"):
            return False
        for rule in asked:
            for predicate in rule.predicates:
                who = {
                    signer_name(signer)
                    for s in known.statements
                    if s.predicate_type == predicate
                    for signer in s.signers
                    if counts(s, signer, rule)
                }
                if len(who) < rule.threshold:
                    return False
    return True


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_holds(law):
    _search(law, 40)


def _search(law, examples):
    @settings(
        max_examples=examples,
        derandomize=True,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def search(data):
        law(data)

    search()


# --- deciders that are wrong in one place --------------------------------------------------------


def _all_must_count(rule, layer_, trust, known, now_us):
    """One bad statement spoils the others."""
    for code, text in RULE(rule, layer_, trust, known, now_us):
        yield ("too-few-signers" if code.startswith("statement-") else code), text


def _no_signer_is_any(rule, layer_, trust, known, now_us):
    """A rule without signers asks for none."""
    if rule.signers:
        yield from RULE(rule, layer_, trust, known, now_us)
    else:
        yield "any", ""


def _statements_counted(rule, layer_, trust, known, now_us):
    """Counts statements, so that one key may sign twice."""
    for code, text in RULE(rule, layer_, trust, known, now_us):
        enough = len(known.statements) >= rule.threshold and code == "too-few-signers"
        yield ("met" if enough and not text.startswith("0") else code), text


def _spoiled_until_revoked(rule, layer_, trust, known, now_us):
    """A signer who is not named spoils the rest, unless somebody is revoked."""
    for code, text in RULE(rule, layer_, trust, known, now_us):
        spoils = code == "signer-not-named" and not trust.revoked
        yield ("too-few-signers" if spoils else code), text


def _first_statement_only(rule, layer_, trust, known, now_us):
    """Looks at the first statement of a type."""
    first = {s.predicate_type: s for s in reversed(known.statements)}
    known = msgspec.structs.replace(known, statements=tuple(first.values()))
    return RULE(rule, layer_, trust, known, now_us)


def _last_layer_wins(found, revocations=()):
    """A project's file stands in the place of the user's."""
    found = list(found)
    own = [each for each in found if each.source == "project"]
    return MERGE(own or found, revocations)


def _signers_joined(found, revocations=()):
    """A project's rule adds its signers to the user's of the same name."""
    found = list(found)
    joined = {}
    for each in found:
        for rule in each.policy.rules:
            joined.setdefault(rule.name, {}).update(dict.fromkeys(rule.signers))
    return MERGE([_with_signers(each, joined) for each in found], revocations)


def _with_signers(each, joined):
    changed = tuple(
        msgspec.structs.replace(rule, signers=tuple(joined[rule.name]))
        for rule in each.policy.rules
    )
    return msgspec.structs.replace(each, policy=msgspec.structs.replace(each.policy, rules=changed))


def _claims_ignored(signer, named):
    """Compares a keyless identity without the claims asked for."""
    if isinstance(signer, KeySigner) or isinstance(named, KeySigner):
        return signer == named
    return signer.identity == named.identity


def _claimed_is_seen(statement, revocation):
    """Believes what the signer says about when it signed."""
    return revocation.size is not None and any(
        seen.workspace == revocation.workspace and (seen.size or 99) <= revocation.size
        for seen in statement.seen
    )


def _any_time_is_stamped(seen, revocation):
    """Takes the time that any sight states for one that a clock stamped."""
    return SAW(seen, revocation) or (revocation.time is not None and seen.how == "claimed")


SAW = evaluation._saw_before
RULE, MERGE = evaluation._rule, layers.merge


@pytest.mark.full
@pytest.mark.parametrize(
    ("law", "room", "name", "mutant"),
    [
        (one_statement_more, evaluation, "_rule", _all_must_count),
        (one_statement_more, evaluation, "_rule", _spoiled_until_revoked),
        (one_signer_fewer, evaluation, "_rule", _no_signer_is_any),
        (one_revocation_more, evaluation, "_rule", _spoiled_until_revoked),
        (another_order, evaluation, "_rule", _first_statement_only),
        (a_project_only_tightens, layers, "merge", _last_layer_wins),
        (a_project_only_tightens, layers, "merge", _signers_joined),
        (the_model_agrees, evaluation, "_rule", _statements_counted),
        (the_model_agrees, evaluation, "_is", _claims_ignored),
        (a_claim_changes_nothing, evaluation, "_was_before", _claimed_is_seen),
        (a_claim_changes_nothing, evaluation, "_saw_before", _any_time_is_stamped),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_the_law_catches_a_wrong_decider(monkeypatch, law, room, name, mutant):
    monkeypatch.setattr(room, name, mutant)

    with pytest.raises((AssertionError, ExceptionGroup)):
        _search(law, 500)


@given(likely())
def test_looking_on_refuses_damage_and_nothing_else(found):
    trust, known = found
    decision = evaluate(trust, known, NOW_US)

    if decision.mode == "observe":
        assert (decision.verdict == "deny") == bool(known.damage)
    else:
        assert decision.verdict == decision.judged
    assert (decision.rule != "") == (decision.judged == "deny")


@st.composite
def about_receipts(draw):
    """Return a policy that asks of a bundle for receipts, and of those for signers, and facts."""
    asked = {"predicates": (REPLAY,), "signers": tuple(NAMED)[:3]}
    policy = msgspec.structs.replace(
        NO_RULE,
        trust="required",
        signers=NAMED,
        rules=(
            Rule(name="bundles", kind="bundle", threshold=draw(st.integers(1, 2)), **asked),
            Rule(name="receipts", kind="receipt", threshold=draw(st.integers(1, 2)), **asked),
        ),
    )
    said = draw(st.lists(statements, max_size=4))
    receipts = tuple(msgspec.structs.replace(each, predicate_type=REPLAY) for each in said)
    known = Facts(artifact=Artifact(kind="bundle", digest=MINE), statements=receipts)
    return merge([layer(policy, 1)]), known


@given(about_receipts(), statements)
def test_receipts_that_are_not_admitted_only_take_away_and_one_more_never_does(found, added):
    trust, known = found
    more = msgspec.structs.replace(known, statements=(*known.statements, added))

    def allowed(facts):
        left = without_denied_receipts(trust, facts, NOW_US)
        assert {*map(id, left.statements)} <= {*map(id, facts.statements)}
        return _allowed(evaluate(trust, left, NOW_US))

    assert not allowed(known) or _allowed(evaluate(trust, known, NOW_US))
    assert not allowed(known) or allowed(more)


def test_a_receipt_that_is_admitted_says_nothing_for_one_that_is_not():
    """One signer is believed about receipts; the rule about bundles asks for another's."""
    asked = {"predicates": (REPLAY,)}
    policy = msgspec.structs.replace(
        NO_RULE,
        trust="required",
        signers=NAMED,
        rules=(
            Rule(name="bundles", kind="bundle", signers=("key1",), **asked),
            Rule(name="receipts", kind="receipt", signers=("key0",), **asked),
        ),
    )
    trust = merge([Layer(policy=policy, digest="4" * 64, source="pinned")])
    good, other = (
        msgspec.structs.replace(GOOD, predicate_type=REPLAY, signers=(signer,))
        for signer in SIGNERS[:2]
    )
    about = Facts(artifact=Artifact(kind="bundle", digest=MINE), statements=(good, other))

    left = without_denied_receipts(trust, about, NOW_US)

    assert left.statements == (good,)
    assert not _allowed(evaluate(trust, left, NOW_US))
