"""What a terminal is shown of text that somebody else wrote."""

from __future__ import annotations

import contextlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.terminal import counted, emit_json, emit_line, inert, instant, table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Zoë 🎵", "Zoë 🎵"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\r\nb\tc\x7f", r"a\x0d\x0ab\x09c\x7f"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202eabc\u2066", r"\u202eabc\u2066"),
        ("\u200b\ufeff\u2028", r"\u200b\ufeff\u2028"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_characters_that_steer_a_terminal_are_spelled_out(text, shown):
    assert inert(text) == shown


@given(st.text(alphabet=st.characters()))
def test_inert_text_is_printable_and_stays_so(text):
    once = inert(text)

    assert all(character.isprintable() or character.isspace() for character in once)
    assert not set(once) & set("\x1b\n\r\t\x07\x9b\u2028\u2029\u202e")
    assert inert(once) == once


def test_a_limit_shortens_and_shows_it():
    assert inert("abcdef", 4) == "abc…"
    assert inert("abcd", 4) == "abcd"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_line_of_json_is_ascii_and_gives_the_text_back(text):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        emit_line({"text": text})

    (line,) = out.getvalue().split("\n")[:-1]
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == {"text": text}


def test_an_object_names_its_schema_first(capsys):
    emit_json("runs", {"runs": []})

    assert capsys.readouterr().out == '{"schema":"ritornello/runs/1","runs":[]}\n'


def test_a_table_pads_what_is_shown_and_not_what_was_given():
    assert list(table(("A", "B"), [("\x07", "x"), ("yy", "\x1b")])) == [
        "A     B",
        r"\x07  x",
        r"yy    \x1b",
    ]


@pytest.mark.parametrize(
    ("time_us", "shown"),
    [
        (None, "-"),
        (0, "1970-01-01 00:00:00.000Z"),
        (1_795_241_456_099_437, "2026-11-21 06:10:56.099Z"),
        (2**53 - 1, "2255-06-05 23:47:34.740Z"),
        (10**30, f"{10**30} us"),
    ],
)
def test_a_claimed_time_is_shown_in_utc_whatever_it_claims(time_us, shown):
    assert instant(time_us) == shown


def test_one_of_a_thing_is_no_plural():
    assert [counted(n, "record") for n in range(3)] == ["0 records", "1 record", "2 records"]


def test_json_holds_no_command_that_a_runner_finds_within_a_line(capsys):
    told = {"text": "a ##[add-mask]b ###[stop-commands]c \\##[error]d", "##[group]": "#"}

    emit_json("show", told)

    line = capsys.readouterr().out
    assert "##[" not in line
    assert json.loads(line) == {"schema": "ritornello/show/1", **told}


def test_json_spells_out_what_no_utf_8_has(capsys):
    emit_line({"file": ["a\udcff", ("é\ud800",)], "b\udcff": 1})

    assert json.loads(capsys.readouterr().out) == {
        "file": ["a\\udcff", ["é\\ud800"]],
        "b\\udcff": 1,
    }
