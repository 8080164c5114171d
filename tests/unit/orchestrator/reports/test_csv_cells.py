"""What a provider or a program wrote is text in every spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.reports.csv_cells import csv_bytes, neutral


def read(data):
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


@pytest.mark.parametrize(
    "formula",
    [
        "=1+1",
        '=HYPERLINK("http://x","y")',
        "+1",
        "-1+cmd|' /C calc'!A0",
        "@SUM(1)",
        "  =1",
        "\uff1d1+1",
        "'=1",
        '"=1"',
        "%1",
        "|calc",
    ],
)
def test_what_a_spreadsheet_would_run_begins_with_a_quote(formula):
    assert neutral(formula)[0] == "'"


def test_what_a_spreadsheet_would_run_behind_a_semicolon_has_a_quote_before_it_too():
    assert neutral("/v1;=1+1") == "/v1;'=1+1"
    assert neutral('a; "\uff1d1') == "a;' \"\uff1d1"
    assert neutral("a;b; c=d") == "a;b; c=d"


@pytest.mark.parametrize("text", ["\t=1", "\r=1", "\n=1", "\0=1", "\u202e=1", "\u200b=1"])
def test_what_steers_is_spelled_out_and_begins_no_formula(text):
    assert neutral(text)[0] == "\\"


def test_plain_text_numbers_and_the_unknown_stay_what_they_are():
    rows = read(csv_bytes(("a", "b", "c"), [("claude-x", 12, None), ("a,b", -3, 'say "x"')]))

    assert rows == [["a", "b", "c"], ["claude-x", "12", ""], ["a,b", "-3", 'say "x"']]


@given(st.lists(st.lists(st.text(max_size=20), min_size=2, max_size=2), max_size=5))
def test_whatever_the_cells_are_the_table_keeps_its_shape_and_runs_nothing(rows):
    found = read(csv_bytes(("x", "y"), rows))

    assert [len(row) for row in found] == [2] * (len(rows) + 1)
    for row in found[1:]:
        for cell in row:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "|", "%"))


def test_a_cell_has_an_end():
    assert len(neutral("x" * 1_000_000)) == 1000
