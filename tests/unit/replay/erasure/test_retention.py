"""A policy says of each run whether it must stay, may go, or is overdue; a hold beats it."""

import pytest

from replay.erasure.retention import read_policy, retained
from replay.errors import UsageError
from replay.log.workspace_check import RunSummary

DAY_US = 86_400_000_000
POLICY = b"""
version = 1
[classes.support]
entries = ["python support*"]
keep_days_min = 30
keep_days_max = 365
[classes.other]
entries = ["*"]
keep_days_min = 7
"""


def run(entry, present=True):
    return RunSummary(run="R", entry=entry, state="closed", registered_us=0, present=present)


@pytest.mark.parametrize(
    ("entry", "days", "held", "expected"),
    [
        ("python support.py", 29, False, ("support", "keep")),
        ("python support.py", 30, False, ("support", "may go")),
        ("python support.py", 365, False, ("support", "overdue")),
        ("python support.py", 365, True, ("support", "keep")),
        ("python other.py", 6, False, ("other", "keep")),
        ("python other.py", 9999, False, ("other", "may go")),
        (None, 7, False, ("other", "may go")),
    ],
)
def test_a_run_has_the_verdict_of_the_first_class_that_fits(entry, days, held, expected):
    (found,) = retained(read_policy(POLICY, "p"), [run(entry)], {"R": held}, days * DAY_US)

    assert (found.name, found.verdict) == expected
    assert (found.age_days, found.held) == (days, held)


def test_a_run_of_which_nobody_knows_what_was_run_is_of_no_class():
    found = retained(read_policy(POLICY, "p"), [run(None)], {}, 9999 * DAY_US, {"R"})

    assert [(each.name, each.verdict) for each in found] == [(None, "no class")]


def test_a_run_of_no_class_is_said_to_be_of_none_and_one_that_is_gone_is_not_listed():
    policy = read_policy(POLICY.replace(b'"*"', b'"x"'), "p")

    runs = [run("other"), run("other", present=False)]
    assert [each.verdict for each in retained(policy, runs, {}, DAY_US)] == ["no class"]


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"version = 2\n[classes]\n",
        b"version = 1\n",
        POLICY + b"forever = true\n",
        POLICY.replace(b"= 365", b"= 5"),
        POLICY.replace(b"= 30\n", b"= -1\n"),
        b"#" * (2 << 20),
    ],
)
def test_what_is_no_policy_is_refused(data):
    with pytest.raises(UsageError):
        read_policy(data, "policy.toml")
