"""A passage is found however its white space, its case and its accents are written."""

import pytest

from replay.erasure.passages import AnyOf, Passages, passages_in
from replay.errors import UsageError


@pytest.mark.parametrize("text", ["one  two\nthree", "One two three", "x one two three."])
def test_a_passage_is_found(text):
    passages = Passages(["one two three"], ignore_case=True)

    assert passages.stand_in(text)


def test_case_matters_unless_it_is_said_not_to():
    assert not Passages(["one two three"]).stand_in("One two three")


def test_an_accent_may_be_a_character_of_its_own():
    assert Passages(["Café Lane 12"]).stand_in("at Cafe\u0301 Lane 12")


def test_each_line_is_a_passage():
    assert passages_in("first line\n\n  second line \n") == ["first line", "second line"]


@pytest.mark.parametrize(
    "written",
    [
        "Jane\u00a0Doe",
        "Jane\u202fDoe",
        "Jane\u3000Doe",
        "Jane\u2028 Doe",
        "Jane\u200b Doe",
        "Jane+Doe",
    ],
)
def test_white_space_is_that_of_unicode_in_the_passage_and_in_the_text(written):
    assert Passages(["Jane Doe"]).stand_in(f"is {written}.")
    assert Passages([written]).stand_in(f"is {written}.")


@pytest.mark.parametrize(
    "written", ["call  +49 170 1", "call+%2B49+170+1", "call" + 5000 * " " + "+49 170 1"]
)
def test_a_plus_sign_of_the_passage_is_found_beside_white_space(written):
    assert Passages(["call +49 170 1"]).stand_in(written.replace("%2B", "+"))


@pytest.mark.parametrize("text", ["\u5c71\u7530\u3000\u592a\u90ce", "\u738b\u5c0f\u660e"])
def test_a_name_in_wide_characters_is_long_enough_and_found_as_it_is(text):
    assert Passages([text]).stand_in(f"\u3010{text}\u3011")


def test_a_character_with_a_composed_form_is_found_as_it_was_written():
    for written in ("\u212bngstr\u00f6m", "\u00c5ngstro\u0308m", "A\u030angstr\u00f6m"):
        assert Passages([written]).stand_in(written)
        assert Passages(["\u00c5ngstr\u00f6m"]).stand_in(written) == ("\u212b" not in written)


def test_letters_outside_ascii_match_in_either_case():
    assert Passages(["J\u00fcrgen M\u00fcller"], ignore_case=True).stand_in(
        "J\u00dcRGEN MU\u0308LLER"
    )
    assert not Passages(["J\u00fcrgen M\u00fcller"]).stand_in("J\u00dcRGEN M\u00dcLLER")


@pytest.mark.parametrize("texts", [[], ["  "], ["ab c"], ["\u738b\u5c0f"]])
def test_what_stands_everywhere_is_refused(texts):
    with pytest.raises(UsageError):
        Passages(texts)


def test_any_of_none_finds_nothing():
    assert list(AnyOf(()).spans(b"anything")) == []
