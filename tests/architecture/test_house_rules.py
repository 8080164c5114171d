"""Sizes, faces of packages, names and places; each rule is shown to turn red once."""

from pathlib import Path

import pytest

from tools.house_rules import LINES_MAX, check_house, check_places

ROOT = Path(__file__).parents[2]


def _plant(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_the_house_rules_hold():
    assert check_house(ROOT) == []


def test_no_file_names_a_machine_path_an_index_host_or_an_absent_document():
    assert check_places(ROOT) == []


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("replay/tree/long.py", '"""Long."""\n' + "x = 1\n" * LINES_MAX, "401 lines"),
        (
            "attestations/standalone.py",
            '"""Long."""\n' + "x = 1\n" * 1000,
            "1001 lines, at most 1000",
        ),
        ("replay/tree/mute.py", "x = 1\n", "no docstring"),
        ("replay/tree/__init__.py", '"""A tree of hashes\nthat grows."""\n', "not one sentence"),
        ("replay/tree/utils.py", '"""Things."""\n', "`utils` is no room"),
        ("replay/_common/x.py", '"""Things."""\n', "`_common` is no room"),
        ("replay/x.py", '"""X."""\n__all__ = ["a", "a"]\na = 1\n', "twice"),
        ("replay/x.py", '"""X."""\n__all__ = ["gone"]\n', "gone, which is not here"),
        ("replay/x.py", '"""X."""\n__all__ = [str(1)]\n', "not a plain list"),
    ],
)
def test_a_planted_break_of_a_house_rule_is_found(tmp_path, path, source, expected):
    _plant(tmp_path, {path: source})

    assert [expected in str(finding) for finding in check_house(tmp_path)] == [True]


def test_a_module_of_the_largest_size_is_not_found(tmp_path):
    _plant(tmp_path, {"replay/x.py": '"""X."""\n' + "x = 1\n" * (LINES_MAX - 1)})

    assert check_house(tmp_path) == []


# Spelled in halves: these lines are read by the check itself.
@pytest.mark.parametrize(
    "place",
    [
        "see /wo" + "rk/main",
        "cd '/ro" + "ot/x'",
        "--find-links file" + ":///x",
        "https://pypi" + ".org/simple",
        "as DESIGN" + ".md says",
        "../sha" + "red/x",
    ],
)
def test_a_planted_place_is_found(tmp_path, place):
    _plant(tmp_path, {"docs/x.md": f"first line\n{place}\n"})

    assert [(finding.path, finding.line) for finding in check_places(tmp_path)] == [
        ("docs/x.md", 2)
    ]


@pytest.mark.parametrize("text", ["frame/wo" + "rk/x", "https://example.invalid/op" + "t/x"])
def test_an_ordinary_path_is_not_found(tmp_path, text):
    _plant(tmp_path, {"docs/x.md": text})

    assert check_places(tmp_path) == []
