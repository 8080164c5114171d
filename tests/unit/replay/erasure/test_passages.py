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


@pytest.mark.parametrize("texts", [[], ["  "], ["ab c"]])
def test_what_stands_everywhere_is_refused(texts):
    with pytest.raises(UsageError):
        Passages(texts)


def test_any_of_none_finds_nothing():
    assert list(AnyOf(()).spans(b"anything")) == []
