"""The reference page of policies says what the structs say."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from attestations.admission.decision import ReasonCode
from attestations.admission.facts import ArtifactKind
from attestations.admission.pins import PINS_SCHEMA, read_pins
from attestations.admission.policy import Policy, Revocation, Rule, TrustedSigner
from attestations.admission.policy_file import read_policy

PAGE = (Path(__file__).parents[4] / "docs/reference/policy.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def _section(heading):
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize(
    ("heading", "struct"),
    [
        ("The file", Policy),
        ("Signers", TrustedSigner),
        ("Rules", Rule),
        ("Revocations", Revocation),
    ],
)
def test_each_table_of_the_page_lists_the_keys_of_its_struct_in_order(heading, struct):
    listed = re.findall(r"^\| `([a-z_]+)` \|", _section(heading), re.MULTILINE)

    assert listed == [field.name for field in msgspec.structs.fields(struct)]


def test_every_kind_and_reason_is_on_the_page():
    reasons = re.findall(
        r"`([a-z-]+)`", "".join(re.findall(r"^\| (`.*?) \|", _section("Decisions"), re.MULTILINE))
    )
    (kinds,) = re.findall(r"^\| `kind` \| (.*?) \|", PAGE, re.MULTILINE)

    assert sorted(reasons) == sorted(get_args(ReasonCode))
    assert re.findall(r"`([a-z]+)`", kinds) == list(get_args(ArtifactKind))


def test_the_examples_of_the_page_are_what_they_show():
    policy, pins = EXAMPLES

    assert read_policy(policy.encode()).rules[0].threshold == 2
    assert len(read_pins(pins.encode()).policies) == 1
    assert tomllib.loads(pins)["schema"] == PINS_SCHEMA
