"""Generated pages say what the code says, walk-throughs come true; each check can turn red."""

import re
from pathlib import Path

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.replay import VERDICT_CODES
from tools import cli_reference, kinds_reference
from tools.try_docs import marked_documents, matches, steps, try_document

ROOT = Path(__file__).parents[2]


def test_the_catalogue_of_kinds_is_that_of_the_code():
    assert kinds_reference.check_page(ROOT), "run: python -m tools.kinds_reference --write"


def test_a_catalogue_that_differs_in_one_word_is_found(tmp_path):
    page = tmp_path / kinds_reference.PAGE
    page.parent.mkdir(parents=True)
    text = (ROOT / kinds_reference.PAGE).read_text()
    page.write_text(text.replace("### `RunSealed`", "### `RunSealedTwice`"))

    assert not kinds_reference.check_page(tmp_path)


def test_a_page_without_its_marks_is_an_error():
    with pytest.raises(ValueError, match="lacks the marks"):
        kinds_reference.rewritten("# The record\n")


@pytest.mark.documents
@pytest.mark.timeout(200)
def test_the_command_reference_is_what_help_says():
    assert cli_reference.check_page(ROOT), "run: python -m tools.cli_reference --write"


def test_every_kind_is_on_the_page_with_its_role():
    text = (ROOT / kinds_reference.PAGE).read_text()

    for kind, role in kinds_reference.kinds.CATALOGUE.items():
        assert f"### `{kind}`\n\n*{role}.* " in text


def test_the_table_of_exit_codes_is_that_of_the_command():
    text = (ROOT / "docs/reference/exit_codes.md").read_text()
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", text, re.MULTILINE)
    codes = {name: int(code) for code, name in rows}
    verdicts = {
        verdict: int(code)
        for cell, code in re.findall(r"^\| ([`a-z, ]+) \| (\d+) \|$", text, re.MULTILINE)
        for verdict in re.findall(r"`(\w+)`", cell)
    }

    assert codes == {code.name: code.value for code in ExitCode}
    assert verdicts == {verdict: int(code) for verdict, code in VERDICT_CODES.items()}


@pytest.mark.documents
@pytest.mark.timeout(200)
@pytest.mark.parametrize("path", marked_documents(ROOT))
def test_a_walk_through_comes_true(path):
    assert try_document(ROOT, path) == []


def test_the_readme_and_the_tutorial_are_tried():
    assert {"README.md", "docs/tutorial/first-run.md"} <= set(marked_documents(ROOT))


def _document(root, body):
    (root / "x.md").write_text(body)
    return [str(finding) for finding in try_document(root, "x.md")]


def test_files_are_written_and_commands_run_in_one_directory(tmp_path):
    body = (
        "<!-- file: a/b.txt -->\n```text\none\n```\n\n"
        "<!-- try -->\n```console\n$ cat a/b.txt\none\n$ ls; exit 3  # exits with 3\na\n```\n"
    )

    assert _document(tmp_path, body) == []


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("$ echo one\ntwo", "prints something else"),
        ("$ false", "exits with 1"),
        ("$ true  # exits with 1", "exits with 0"),
        ("$ echo one 1>&2", "prints something else"),
    ],
)
def test_a_walk_through_that_does_not_come_true_is_found(tmp_path, command, expected):
    findings = _document(tmp_path, f"<!-- try -->\n```console\n{command}\n```\n")

    assert [expected in finding for finding in findings] == [True]


@pytest.mark.parametrize(
    "body", ["<!-- try -->\ntext\n", "<!-- try -->\n```console\nx\n```\n", "<!-- file: a -->\n"]
)
def test_a_mark_with_nothing_below_is_an_error(tmp_path, body):
    (tmp_path / "x.md").write_text(body)

    with pytest.raises(ValueError, match=r"x\.md:1"):
        steps(tmp_path / "x.md")


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("a … c", "a b c", True),
        ("a\n…\nd", "a\nb\nc\nd", True),
        ("a\n…\nd", "a\nd", True),
        ("a …", "a b\nc", False),
        ("…", "", True),
        ("a.c", "abc", False),
        ("", "a", False),
    ],
)
def test_an_ellipsis_stands_for_what_differs(expected, actual, same):
    assert matches(expected, actual) is same
