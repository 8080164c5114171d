"""Several runs in one call."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import pytest

from orchestrator.cli.batch.several import WORST_FIRST, expanded, worst
from orchestrator.cli.exit_codes import ExitCode
from replay.errors import NotFoundError


def test_the_worst_code_is_the_answer_in_the_documented_order():
    assert [int(code) for code in WORST_FIRST] == [70, 3, 6, 1, 7, 4, 2, 125, 0]
    for worse, better in itertools.combinations(WORST_FIRST, 2):
        assert worst([better, worse]) == worst([worse, better]) == worse
    assert worst([0, 99, 70]) == 99
    assert worst([]) == 0


def test_every_code_of_a_verdict_or_an_error_has_its_place():
    ends_the_command = {ExitCode.INTERRUPTED, ExitCode.PIPE_CLOSED}

    assert set(WORST_FIRST) == set(ExitCode) - ends_the_command


def test_a_directory_is_the_bundles_below_it_sorted_and_none_twice(tmp_path):
    for name in ("b.ritornello", "sub/a.ritornello", ".git/c.ritornello", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "sub")
    (tmp_path / "gone.ritornello").symlink_to(tmp_path / "nowhere")
    bundle = str(tmp_path / "b.ritornello")

    found = expanded([bundle, str(tmp_path), "last"])

    assert found == [bundle, str(tmp_path / "sub/a.ritornello"), "last"]


def test_a_bundle_below_a_thousand_directories_is_found(tmp_path):
    deep = [Path(f"{tmp_path}{'/a' * n}") for n in range(1, sys.getrecursionlimit() + 100)]
    for place in deep:
        place.mkdir()
    bundle = deep[-1] / "b.ritornello"
    bundle.touch()

    found = expanded([str(tmp_path)])

    bundle.unlink()
    for place in reversed(deep):  # what clears up behind tests calls itself too
        place.rmdir()
    assert found == [str(bundle)]


def test_a_directory_without_a_bundle_passes_nothing(tmp_path):
    with pytest.raises(NotFoundError):
        expanded([str(tmp_path)])


def test_a_directory_that_cannot_be_looked_into_passes_nothing(tmp_path):
    """Here by the length of its path, which is the same for every user."""
    (tmp_path / "seen.ritornello").touch()
    name, made = "d" * 250, [os.open(tmp_path, os.O_RDONLY)]
    for _ in range(20):
        os.mkdir(name, dir_fd=made[-1])
        made.append(os.open(name, os.O_RDONLY, dir_fd=made[-1]))

    try:
        with pytest.raises(OSError, match="too long"):
            expanded([str(tmp_path)])
    finally:
        while len(made) > 1:
            os.close(made.pop())
            os.rmdir(name, dir_fd=made[-1])
        os.close(made.pop())
