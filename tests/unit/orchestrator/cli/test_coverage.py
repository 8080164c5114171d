"""What is not captured is shown with what a replay does about it, and what to do."""

from __future__ import annotations

import pytest

from orchestrator.cli.reading.coverage import coverage_lines
from replay.doors.libraries import LIBRARY_GAPS
from replay.projections.coverage import CoverageState, Gap


def _gap(what, name="thing"):
    return Gap(seq=1, what=what, name=name, site="", loaded=what in LIBRARY_GAPS)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("sqlite3", "a replay is refused there; wrap it in an @replay.effect"),
        ("file-too-large", "a replay stops there, incomplete"),
        *((what, "`record --prove`") for what in sorted(LIBRARY_GAPS)),
    ],
)
def test_a_gap_is_followed_by_its_consequence(what, words):
    _, gap, consequence = coverage_lines(CoverageState(gaps=(_gap(what),)))

    assert gap.startswith(f"  not captured: {what}: thing")
    assert words in consequence


def test_a_consequence_stands_once_behind_all_gaps_that_have_it():
    gaps = (_gap("sqlite3", "a.db"), _gap("special-file"), _gap("dbm", "b.db"))

    lines = coverage_lines(CoverageState(gaps=gaps))

    assert [line.split()[-1] for line in lines[1:3]] == ["a.db", "b.db"]
    assert sum("a replay is refused" in line for line in lines) == 1
    assert "refused" in lines[3]


def test_a_gap_of_another_version_is_shown_without_a_guess():
    assert len(coverage_lines(CoverageState(gaps=(_gap("something-new"),)))) == 2


def test_what_a_gap_is_about_does_nothing_to_a_terminal():
    _, gap = coverage_lines(CoverageState(gaps=(_gap("\x1b]0;title\x07", "\x1b[2J"),)))

    assert gap == r"  not captured: \x1b]0;title\x07: \x1b[2J"
