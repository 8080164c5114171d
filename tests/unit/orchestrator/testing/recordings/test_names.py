"""Names of recordings: safe on every disk, readable, and never two tests in one file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.testing.recordings.names import file_stem, is_plain_name, recording_path


@pytest.mark.parametrize(
    ("test", "parameters", "expected"),
    [
        ("test_low", "", "test_low"),
        ("TestTides.test_low", "[1-north]", "TestTides.test_low[1-north]"),
        ("test_low", "[a/../../b]", "test_low[a-..-..-b]~"),
        ("test_low", "[North]", "test_low[North]~"),
        ("test_low", "[a\x00b\n]", "test_low[a-b-]~"),
        ("test_gezeiten_für_alle", "", "test_gezeiten_f-r_alle~"),
    ],
)
def test_a_name_stays_readable_and_gets_a_digest_only_where_it_has_to(test, parameters, expected):
    stem = file_stem(test, parameters)

    digest = stem.removeprefix(expected)
    assert stem.startswith(expected)
    assert len(digest) == (12 if expected.endswith("~") else 0)


def test_the_name_of_a_hostile_test_is_the_same_for_ever():
    """Committed recordings are found by it."""
    assert file_stem("test_low", "[a/../../b]") == "test_low[a-..-..-b]~5d073a415070"


@given(st.text(), st.text(), st.text())
def test_two_parameters_never_share_a_file_even_where_capitals_are_not_told(test, one, other):
    a, b = file_stem(f"test_{test}", f"[{one}]"), file_stem(f"test_{test}", f"[{other}]")

    assert (a.casefold() == b.casefold()) == (one == other)


@given(st.text(), st.text())
def test_a_file_name_holds_nothing_that_means_something_to_a_disk(test, parameters):
    stem = file_stem(test, parameters)

    assert len(stem) <= 100
    assert not set(stem) & set('/\\:*?"<>|\0\n ')


def test_a_surrogate_in_a_parameter_is_no_trouble():
    assert file_stem("test_x", "[\udcff]").startswith("test_x[-]~")


def test_a_recording_lies_beside_its_test_file():
    path = recording_path(Path("/a/tests/test_b.py"), "test_c")

    assert path == Path("/a/tests/recordings/test_b/test_c.ritornello")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "-a", ".a", "a b", "é", "a" * 81])
def test_a_name_that_means_something_to_a_disk_is_no_plain_name(name):
    assert not is_plain_name(name)
