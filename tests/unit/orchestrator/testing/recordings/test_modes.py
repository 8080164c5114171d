"""Modes: what is done with a marked test."""

import pytest

from orchestrator.testing.recordings.modes import MODES, default_mode, first_step

TABLE = {
    "none": ("missing", "replay"),
    "once": ("record", "replay"),
    "new": ("record", "replay"),
    "all": ("record", "record"),
    "rewrite": ("record", "record"),
    "off": ("live", "live"),
}


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_does_what_the_table_says_without_and_with_a_recording(mode):
    steps = first_step(mode, is_recorded=False), first_step(mode, is_recorded=True)

    assert steps == TABLE[mode]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "once"),
        ({"CI": ""}, "once"),
        ({"CI": "false"}, "once"),
        ({"CI": "0"}, "once"),
        ({"CI": "true"}, "none"),
        ({"CI": "1"}, "none"),
        ({"CI": "woodpecker"}, "none"),
    ],
)
def test_a_machine_that_says_it_is_ci_records_nothing(environment, expected):
    assert default_mode(environment) == expected
