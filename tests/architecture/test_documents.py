"""Links lead somewhere and marked command blocks come true; the checker sees when not."""

from pathlib import Path

import pytest

from tools.check_docs import blocks, check_links, run_blocks

ROOT = Path(__file__).parents[2]


def test_every_link_inside_the_repository_leads_somewhere():
    assert check_links(ROOT) == []


@pytest.mark.parametrize("block", blocks(ROOT), ids=lambda block: f"{block.path}:{block.line}")
def test_a_marked_command_block_prints_what_the_document_says(block):
    assert run_blocks(ROOT, [block]) == []


def test_the_readme_has_a_command_block_that_is_run():
    assert [block.path for block in blocks(ROOT)].count("README.md") >= 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[x](gone.md)", "link to nothing: gone.md"),
        ("[x](there.md#gone)", "no such heading: there.md#gone"),
        ("[x](../../outside.md)", "link to nothing"),
    ],
)
def test_a_planted_dead_link_is_found(tmp_path, text, expected):
    (tmp_path / "there.md").write_text("# A heading\n")
    (tmp_path / "x.md").write_text(f"# X\n\n{text}\n")

    assert [expected in str(finding) for finding in check_links(tmp_path)] == [True]


def test_links_that_resolve_and_links_in_code_are_not_found(tmp_path):
    (tmp_path / "there.md").write_text("# A `heading`, with signs\n")
    text = "[x](there.md#a-heading-with-signs) [y](https://example.invalid) `[z](gone.md)`\n"
    (tmp_path / "x.md").write_text(f"{text}\n```\n[z](gone.md)\n```\n")

    assert check_links(tmp_path) == []


def _document(root, body):
    (root / "x.md").write_text(f"<!-- run -->\n```console\n{body}\n```\n")
    return run_blocks(root, blocks(root))


def test_a_block_that_comes_true_is_not_found(tmp_path):
    assert _document(tmp_path, "$ echo one; echo two\none\ntwo\n$ true") == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [("$ echo one\ntwo", "prints something else"), ("$ exit 3", "exits with 3")],
)
def test_a_block_that_does_not_come_true_is_found(tmp_path, body, expected):
    assert [expected in str(finding) for finding in _document(tmp_path, body)] == [True]


@pytest.mark.parametrize("text", ["<!-- run -->\n\ntext", "<!-- run -->\n```console\nx\n```\n"])
def test_a_mark_without_commands_is_an_error(tmp_path, text):
    (tmp_path / "x.md").write_text(text)

    with pytest.raises(ValueError, match=r"x\.md:1"):
        blocks(tmp_path)
