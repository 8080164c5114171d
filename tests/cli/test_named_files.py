"""What is named for a verification and is no such thing is said to be that, and no finding."""

from __future__ import annotations

import os

import pytest

from tests.support.bundle_forging import export, small_entries
from tools.bundle_forge import raws, with_manifest, zipped
from tools.forged_run import members_of, run_records

MEMBERS = members_of()


@pytest.fixture
def bundle(place):
    export(small_entries(), place.path / "run.ritornello")
    return place


@pytest.mark.parametrize("text", ["import os\nprint(1)\n", "", "{}\n"])
def test_a_receipt_that_is_none_is_refused_and_no_signature_that_does_not_hold(bundle, text):
    bundle.write("agents.py", text)

    ran = bundle.look("verify", "run.ritornello", "--receipt", "agents.py")

    assert (ran.code, ran.out) == (4, "")
    assert "agents.py is no receipt" in ran.err
    assert "  where: agents.py\n  try: `ritornello replay RUN --receipt" in ran.err


@pytest.mark.parametrize("option", ["--pin", "--receipt", "--tsa-root", "--key"])
def test_a_pipe_that_nobody_writes_into_is_refused_and_not_waited_for(bundle, option):
    os.mkfifo(bundle.path / "pipe.pem")

    ran = bundle.look("verify", "run.ritornello", option, "pipe.pem")

    assert (ran.code != 0, ran.out) == (True, "")
    assert "pipe.pem" in ran.err


@pytest.mark.parametrize(
    "arguments", [("verify", "run.ritornello", "--pin", "nosuch"), ("retention", "nosuch")]
)
def test_a_file_that_is_not_there_is_named_with_what_to_try(bundle, arguments):
    ran = bundle.look(*arguments)

    assert ran.code == 4
    assert "  where: nosuch\n  try: " in ran.err


def test_a_retention_policy_that_is_none_is_told_the_form(place):
    place.write("p.toml", "version = 2\n")

    ran = place.look("retention", "p.toml")

    assert ran.code == 2
    assert "  try: it says version = 1" in ran.err


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ('trust = "requird"', "observe, required"),
        ('[[rules]]\nname = "a"\nkind = "cod"', "bundle, code, policy, prompt, receipt, tool"),
        ('[signers.a]\nkei = "x"', "key, public_key, issuer, identity, claims"),
        ('version = "1"', "docs/reference/policy.md"),
    ],
)
def test_a_policy_with_another_word_is_told_the_words_that_there_are(place, line, hint):
    place.write("p.toml", f'schema = "ritornello/policy/1"\nname = "p"\n{line}\n')

    ran = place.look("policy", "explain", "p.toml")

    assert ran.code == 4
    assert "  try: " in ran.err
    assert hint in ran.err


def test_importing_a_program_is_no_damage(place):
    place.write("agents.py", "print(1)\n")

    ran = place.look("import", "agents.py")

    assert ran.code == 4
    assert "it seems to be a program\n  where: agents.py\n  try: `ritornello record" in ran.err


def test_a_damaged_bundle_is_not_said_to_lack_its_seal_or_its_records(bundle):
    whole = (bundle.path / "run.ritornello").read_bytes()
    at = len(whole) // 2
    flipped = bytes((whole[at] ^ 1,))
    (bundle.path / "bad.ritornello").write_bytes(whole[:at] + flipped + whole[at + 1 :])

    ran = bundle.look("verify", "bad.ritornello", "--json")

    said = ran.report["verdicts"]["completeness"]
    assert (ran.code, ran.report["integrity"], said["states"]) == (3, "failed", ["gaps"])
    assert [each["code"] for each in said["findings"]] == ["unread"]


def test_a_bundle_cut_short_behind_its_workspace_is_truncated(place):
    short = members_of(run_records()[:-1], beside=False)
    name = next(name for name in MEMBERS if name.startswith("workspace/"))
    data = zipped(raws(with_manifest({**short, name: MEMBERS[name]})))
    (place.path / "short.ritornello").write_bytes(data)

    ran = place.look("verify", "short.ritornello", "--json")

    said = ran.report["verdicts"]["completeness"]
    assert (ran.code, ran.report["integrity"], said["states"]) == (3, "failed", ["truncated"])
    assert ran.report["completeness"] == "truncated"
    assert [each["code"] for each in said["findings"]] == ["truncated"]
