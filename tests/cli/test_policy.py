"""`policy test` and `policy explain`: what would be decided, and by which rule."""

from __future__ import annotations

import shutil

import msgspec
import pytest

from attestations.admission.facts import Artifact, Facts, KeySigner, StatementFact
from attestations.statements.predicates import PolicyPredicate
from tests.cli.conftest import ROOT
from tests.support.attested import (
    CODE,
    POLICY,
    RUN,
    envelope_of,
    pin,
    policy_text,
    said_of_run,
)
from tests.support.signers import attestation_key

REVIEW = ROOT / "bundles/good/review.ritornello"


@pytest.fixture
def trusted(place, monkeypatch):
    """A place with a policy: runs that anna signed."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place.path))
    place.anna, place.mallory = attestation_key("anna"), attestation_key("mallory")
    place.bundle = place.path / "run.ritornello"
    shutil.copy(REVIEW, place.bundle)
    place.policy = place.write("policy.toml", policy_text([("runs", "bundle", RUN)], [place.anna]))
    place.beside = place.path / "run.ritornello.intoto.jsonl"
    return place


def test_a_bundle_that_nobody_signed_is_denied_with_the_rule(trusted):
    shown = trusted.look("policy", "test", "policy.toml", "run.ritornello")

    assert shown.code == 6
    assert "deny" in shown.out
    assert "rule acme/runs" in shown.out
    assert "too-few-signers" in shown.out


def test_a_bundle_that_the_named_signer_signed_is_allowed(trusted):
    trusted.beside.write_bytes(said_of_run(trusted.bundle, trusted.anna))

    shown = trusted.look("policy", "test", "policy.toml", "run.ritornello", "--json")

    assert shown.code == 0
    (decision,) = shown.report["decisions"]
    assert (decision["verdict"], decision["mode"], decision["rule"]) == ("allow", "required", "")
    assert [each["code"] for each in decision["reasons"]] == ["met"]


@pytest.mark.parametrize("wrong", ["another signer", "another predicate", "another run", "altered"])
def test_what_is_signed_wrongly_is_denied(trusted, wrong):
    if wrong == "another signer":
        trusted.beside.write_bytes(said_of_run(trusted.bundle, trusted.mallory))
    elif wrong == "another predicate":
        with_body = envelope_of(b"body", trusted.anna)
        trusted.beside.write_bytes(with_body)
    elif wrong == "another run":
        other = ROOT / "bundles/good/newsroom.ritornello"
        trusted.beside.write_bytes(said_of_run(other, trusted.anna))
    else:
        data = said_of_run(trusted.bundle, trusted.anna)
        trusted.beside.write_bytes(data.replace(b'"sig":"', b'"sig":"AAAA', 1))

    assert trusted.look("policy", "test", "policy.toml", "run.ritornello").code == 6


def test_one_key_does_not_make_two_signers(trusted):
    twice = said_of_run(trusted.bundle, trusted.anna)
    rule = ("runs", "bundle", RUN, "threshold = 2")
    trusted.write("policy.toml", policy_text([rule], [trusted.anna, trusted.mallory]))
    trusted.beside.write_bytes(twice + twice)

    assert trusted.look("policy", "test", "policy.toml", "run.ritornello").code == 6

    trusted.beside.write_bytes(twice + said_of_run(trusted.bundle, trusted.mallory))

    assert trusted.look("policy", "test", "policy.toml", "run.ritornello").code == 0


def test_a_file_is_decided_by_the_statements_beside_it_and_its_version(trusted):
    code = trusted.write("agent.py", "print(1)\n")
    rule = ("code", "code", CODE, 'minimum_version = "1.10"')
    trusted.write("policy.toml", policy_text([rule], [trusted.anna]))
    beside = trusted.path / "agent.py.intoto.jsonl"

    def tested(version):
        beside.write_bytes(envelope_of(code.read_bytes(), trusted.anna, version=version))
        return trusted.look("policy", "test", "policy.toml", "agent.py").code

    assert [tested(version) for version in ("1.9", "", "x", "1.10", "2")] == [6, 6, 6, 0, 0]


def test_facts_are_decided_for_another_time(trusted):
    keyid = trusted.anna.public.keyid
    said = StatementFact(
        payload="1" * 64,
        predicate_type=RUN,
        subjects=("2" * 64,),
        signers=(KeySigner(keyid=keyid),),
        issued_us=1_800_000_000_000_000,  # 2027-01-15
    )
    known = Facts(artifact=Artifact(kind="bundle", digest="2" * 64), statements=(said,))
    (trusted.path / "facts.json").write_bytes(msgspec.json.encode(known))

    def at(time):
        return trusted.look("policy", "test", "policy.toml", "facts.json", "--at", time).code

    assert at("2027-01-01T00:00:00Z") == 6
    assert at("2027-02-01T00:00:00Z") == 0
    assert at("2027-01-01") == 2


@pytest.mark.parametrize(
    "text", ["", "[]", '{"artifact": {}}', '{"damage": "", "damage": "x"}', "[" * 100_000]
)
def test_what_are_no_facts_is_refused_as_such(trusted, text):
    trusted.write("facts.json", text)

    refused = trusted.look("policy", "test", "policy.toml", "facts.json")

    assert refused.code == 4
    assert "facts.json" in refused.err


def test_a_policy_that_is_none_is_a_matter_of_configuration(trusted):
    trusted.write("policy.toml", "schema = 1\n")

    refused = trusted.look("policy", "explain", "policy.toml")

    assert refused.code == 4
    assert "policy.toml" in refused.err
    assert trusted.look("policy", "explain", "absent.toml").code == 4
    assert trusted.look("policy", "judge").code == 2


def test_explain_says_what_is_asked_for_and_how_to_pin_it(trusted):
    shown = trusted.look("policy", "explain", "policy.toml")

    assert shown.code == 0
    assert pin(trusted.policy).removeprefix(f"{trusted.path}/") in shown.out
    assert f"of a bundle, 1 of anna must have said {RUN}" in shown.out
    assert trusted.look("policy", "explain").err.startswith("no policy holds here")


def test_policies_that_hold_here_come_from_all_places_and_none_replaces_another(
    trusted, monkeypatch
):
    strict = trusted.policy
    loose = trusted.write("loose.toml", policy_text([("all", "bundle", None)], trust="observe"))
    monkeypatch.setenv("RITORNELLO_POLICY", pin(loose))
    assert trusted.look("policy", "test", "-", "run.ritornello").code == 0

    trusted.write(
        "ritornello/pins.toml",
        'schema = "ritornello/pins/1"\n[[policies]]\nfile = "../policy.toml"\nsha256 = "'
        + pin(strict)[-64:]
        + '"\n',
    )
    shown = trusted.look("policy", "explain")

    assert trusted.look("policy", "test", "-", "run.ritornello").code == 6
    assert "together: they decide" in shown.out
    assert "overruled" in shown.out


def test_an_altered_pinned_policy_refuses_everything(trusted, monkeypatch):
    monkeypatch.setenv("RITORNELLO_POLICY", pin(trusted.policy))
    trusted.policy.write_text(trusted.policy.read_text() + "\n# longer\n")

    refused = trusted.look("policy", "test", "-", "run.ritornello")

    assert refused.code == 6
    assert "not the one that was pinned" in refused.err


def test_a_projects_policy_needs_to_be_admitted_and_can_only_tighten(trusted, monkeypatch):
    root = trusted.write(
        "root.toml",
        policy_text([("runs", "bundle", RUN), ("files", "policy", POLICY)], [trusted.anna]),
    )
    monkeypatch.setenv("RITORNELLO_POLICY", pin(root))
    project = trusted.write(
        "ritornello.policy.toml", policy_text([("all", "bundle", None)], trust="observe")
    )

    assert trusted.look("policy", "explain").code == 6

    beside = trusted.path / "ritornello.policy.toml.intoto.jsonl"
    said = envelope_of(project.read_bytes(), trusted.anna, predicate=PolicyPredicate)
    beside.write_bytes(said)

    assert trusted.look("policy", "explain").code == 0
    assert trusted.look("policy", "test", "-", "run.ritornello").code == 6
