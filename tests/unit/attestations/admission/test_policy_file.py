"""A policy file is what the schema says, or it is refused with the place."""

from base64 import b64encode
from hashlib import sha256

import pytest

from attestations.admission.facts import KeylessSigner, KeySigner
from attestations.admission.policy_file import (
    POLICY_SIZE_MAX,
    public_keys_of,
    read_policy,
    signer_of,
)
from attestations.errors import PolicyError

KEY = "ab" * 32
SPKI = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00" + bytes(32)
HEAD = 'schema = "ritornello/policy/1"\nname = "acme"\n'
SIGNERS = f"""
[signers.anna]
key = "{KEY}"
[signers.ci]
issuer = "https://issuer.example"
identity = "https://example.com/workflow@refs/heads/main"
claims = {{ source_repository_identifier = "7" }}
[signers.own]
public_key = "{b64encode(SPKI).decode()}"
"""
RULE = """
[[rules]]
name = "bundles"
kind = "bundle"
predicates = ["https://example.com/run/v1"]
signers = ["anna", "ci"]
threshold = 2
minimum_version = "1.4"
maximum_age_days = 90
seen = ["timestamped"]
"""


def _read(text):
    return read_policy(text.encode(), "policy.toml")


def test_a_whole_policy_is_read_with_its_signers_as_facts_name_them():
    policy = _read(
        HEAD
        + 'version = 3\ntrust = "required"\nexpires = 2027-01-01T00:00:00Z\n'
        + SIGNERS
        + RULE
        + f'[[revocations]]\nkey = "{KEY}"\nworkspace = "w"\nsize = 12\nreason = "lost"\n'
    )

    assert policy.trust == "required"
    assert policy.expires.isoformat() == "2027-01-01T00:00:00+00:00"
    assert signer_of(policy.signers["anna"]) == KeySigner(keyid=KEY)
    assert signer_of(policy.signers["own"]) == KeySigner(keyid=sha256(SPKI).hexdigest())
    assert signer_of(policy.signers["ci"]) == KeylessSigner(
        issuer="https://issuer.example",
        identity="https://example.com/workflow@refs/heads/main",
        claims={"source_repository_identifier": "7"},
    )
    assert public_keys_of(policy) == {sha256(SPKI).hexdigest(): SPKI}
    assert policy.rules[0].threshold == 2
    assert policy.revocations[0].size == 12


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "schema"),
        (HEAD.replace("/1", "/2"), "schema"),
        (HEAD + "trust = false", "trust"),
        (HEAD + 'trust = "off"', "trust"),
        (HEAD + 'allow = "*"', "allow"),
        (HEAD + 'name = "again"', "overwrite"),
        (HEAD + "expires = 2027-01-01", "expires"),
        (HEAD + "expires = 2027-01-01T00:00:00", "expires"),
        (HEAD + "version = 1.5", "version"),
        (HEAD + "version = " + "9" * 5000, "no TOML"),
        (HEAD + "x = " + "[" * 20_000, "deeply"),
        (HEAD + 'x = "\x00"', "no TOML"),
        (HEAD + RULE, "'anna' is not defined"),
        (HEAD + SIGNERS + RULE.replace("threshold = 2", "threshold = 3"), "cannot be met"),
        (HEAD + SIGNERS + RULE.replace("threshold = 2", "threshold = 0"), "threshold"),
        (HEAD + SIGNERS + RULE.replace('"anna", "ci"', '"anna", "anna"'), "twice"),
        (HEAD + SIGNERS + RULE.replace('"anna", "ci"', ""), "no signer"),
        (HEAD + SIGNERS + RULE.replace('"https://example.com/run/v1"', ""), "no predicate"),
        (HEAD + SIGNERS + RULE.replace("timestamped", "claimed"), "no sight"),
        (HEAD + SIGNERS + RULE.replace('"1.4"', '"1.4-rc1"'), "minimum_version"),
        (HEAD + SIGNERS + RULE + RULE, "two rules have this name"),
        (HEAD + SIGNERS + RULE + 'accept = "any"', "asks for nothing"),
        (HEAD + RULE.replace("bundle", "wheel"), "kind"),
        (HEAD + f'[signers.x]\nkey = "{KEY.upper()}"', "key"),
        (HEAD + f'[signers.x]\nkey = "{KEY}\\n"', "key"),
        (HEAD + f'[signers.x]\nkey = "{KEY}"\nissuer = "i"\nidentity = "s"', "one of"),
        (HEAD + '[signers.x]\nissuer = "i"', "go together"),
        (HEAD + f'[signers.x]\nkey = "{KEY}"\nclaims = {{ a = "b" }}', "certificate"),
        (HEAD + "[signers.x]", "one of"),
        (HEAD + '[signers.x]\npublic_key = "MCowBQ=="\n', None),
        (HEAD + '[signers.x]\npublic_key = "MCowBR=="\n', "canonical"),
        (HEAD + '[signers.x]\npublic_key = "MCow BQ=="\n', "canonical"),
        (HEAD + "[[revocations]]\nreason = 'x'", "a revocation is of one"),
        (HEAD + f'[[revocations]]\nkey = "{KEY}"\nsize = 3', "go together"),
        (HEAD + f'[[revocations]]\ndigest = "{KEY}"\nworkspace = "w"\nsize = 3', "as a whole"),
        (HEAD + f'[[revocations]]\ndigest = "{KEY}"\ntime = 2027-01-01T00:00:00Z', "as a whole"),
        (HEAD + f'[[revocations]]\nkey = "{KEY}"\ntime = 2027-01-01T00:00:00', "time"),
        (HEAD + SIGNERS + RULE + 'build_types = ["b"]', "no provenance"),
        (HEAD + f'[[revocations]]\nkey = "{KEY}"\ndigest = "{KEY}"', "a revocation is of one"),
        (HEAD + "#" * POLICY_SIZE_MAX, "over the limit"),
    ],
)
def test_what_is_no_policy_is_refused_with_the_place(text, says):
    if says is None:
        assert _read(text).signers
        return
    with pytest.raises(PolicyError, match=says) as refused:
        _read(text)

    assert refused.value.where.startswith("policy.toml")


def test_two_names_of_one_key_are_one_signer_for_a_threshold():
    twice = f'[signers.a]\nkey = "{KEY}"\n[signers.b]\nkey = "{KEY}"\n'
    rule = '[[rules]]\nname = "r"\nkind = "tool"\npredicates = ["p"]\nsigners = ["a", "b"]\n'

    with pytest.raises(PolicyError, match="threshold 2 of 1 different"):
        _read(HEAD + twice + rule + "threshold = 2")


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(PolicyError, match="no TOML"):
        read_policy(b"\xff\xfe", "policy.toml")


def test_a_key_of_very_many_parts_is_refused_before_it_is_parsed():
    with pytest.raises(PolicyError, match="more than 100 dots"):
        read_policy(b"a." * 100_000 + b"b = 1\n", "policy.toml")
