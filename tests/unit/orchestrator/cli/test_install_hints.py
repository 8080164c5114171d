"""Nobody is told to install from a package index what stands on none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
#: The name by itself: with an extra, pip takes the ritornello that is there already.
FROM_INDEX = re.compile(r"pip install(?: -\S+)*(?: [a-z0-9-]+)* ritornello(?![\[\w-])")
TOLD = sorted(
    file.relative_to(ROOT).as_posix()
    for folder, pattern in (
        ("orchestrator", "**/*.py"),
        ("replay", "**/*.py"),
        ("attestations", "**/*.py"),
        ("examples", "**/*.py"),
        ("examples", "**/*.md"),
        ("examples", "ci/.github/workflows/*.yml"),
        ("docs", "**/*.md"),
    )
    for file in (ROOT / folder).glob(pattern)
)


@pytest.mark.parametrize(
    ("text", "is_from_index"),
    [
        ("pip install ritornello", True),
        ("python -m pip install --quiet anthropic ritornello", True),
        ("pip install 'ritornello[sigstore]'", False),
        ("pip install /path/to/ritornello", False),
    ],
)
def test_the_search_finds_what_it_is_for(text, is_from_index):
    assert bool(FROM_INDEX.search(text)) == is_from_index


def test_no_text_says_that_an_index_has_it():
    assert [name for name in TOLD if FROM_INDEX.search((ROOT / name).read_text("utf-8"))] == []
