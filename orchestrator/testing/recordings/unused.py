"""Which recordings no test uses any more, and deleting them when that is asked for.

The one invariant: a test that was not looked for is not taken for gone, and nothing is deleted
that is not the recording of a test.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from orchestrator.testing.recordings.names import SUFFIX

__all__ = ["PRUNE_OPTION", "Selection", "closing_lines", "unused"]

PRUNE_OPTION: Final = "ritornello_prune"

#: Options that leave tests out before anybody collects them.
_NARROWING = ("lf", "ignore", "ignore_glob", "deselect", "keyword", "markexpr")


@dataclass(slots=True)
class Selection:
    """What was looked at while tests were collected.

    Attributes:
        used: the recordings of the tests that were found, whether they are there or not.
        directories: directories that were gone through.
        modules: test files that were collected without an error or a skip.
        is_whole: False once something was left out.
    """

    used: set[Path] = field(default_factory=set)
    directories: set[Path] = field(default_factory=set)
    modules: set[Path] = field(default_factory=set)
    is_whole: bool = True

    def collected(self, node: pytest.Collector, report: pytest.CollectReport) -> None:
        """Take what came of collecting one node."""
        if isinstance(node, pytest.Directory):
            self.directories.add(node.path)
        elif isinstance(node, pytest.Module) and report.passed:
            self.modules.add(node.path)
        if report.failed:
            self.is_whole = False


def unused(config: pytest.Config, selection: Selection, directory: str) -> list[Path]:
    """Return the recordings below the collected directories that belong to no test, sorted.

    Nothing, unless whole directories or files were selected.

    Args:
        config: the session's.
        selection: what was looked at.
        directory: name of the directories of recordings.
    """
    narrowed = any(config.getoption(name, None) for name in _NARROWING)
    if narrowed or not selection.is_whole or any("::" in each for each in config.args):
        return []
    return sorted(
        path
        for home in {*selection.directories, *(module.parent for module in selection.modules)}
        for path in _recordings(home / directory)
        if path not in selection.used and _is_judged(path, home, selection)
    )


def _recordings(directory: Path) -> Iterator[Path]:
    if directory.is_symlink():
        return
    for module in directory.iterdir() if directory.is_dir() else ():
        if module.is_dir() and not module.is_symlink():
            yield from (path for path in module.iterdir() if path.suffix == SUFFIX)


def _is_judged(path: Path, home: Path, selection: Selection) -> bool:
    """Return whether the test file of a recording was looked at, or is gone."""
    module = home / f"{path.parent.name}.py"
    if module.exists():
        return module in selection.modules
    # A single file beside it says nothing about the directory.
    return home in selection.directories


def closing_lines(config: pytest.Config, recorded: list[str], idle: list[Path]) -> list[str]:
    """Return what is to be said at the end of a session; delete what is unused if asked to.

    Args:
        config: the session's.
        recorded: recordings that were made.
        idle: recordings that no test uses.
    """
    wanted = config.getoption(PRUNE_OPTION) and not config.getoption("collectonly")
    deleted = _prune(idle) if wanted else []
    lines = [f"recorded {each}" for each in sorted(recorded)]
    for path in idle:
        shown = os.path.relpath(path, config.invocation_params.dir)
        lines.append(f"{'deleted, no test used it' if path in deleted else 'unused'}: {shown}")
    if wanted and not idle:
        lines.append("no unused recordings, or not whole directories were selected")
    elif wanted and len(deleted) < len(idle):
        lines.append("what is left is not the recording of a test, and is not ours to delete")
    elif idle and not wanted:
        lines.append("delete unused recordings: pytest --ritornello-prune")
    return lines


def _prune(paths: list[Path]) -> list[Path]:
    """Delete recordings of tests; return those that were deleted."""
    deleted: list[Path] = []
    for path in paths:
        if _is_recording_of_test(path):
            path.unlink()
            deleted.append(path)
            with contextlib.suppress(OSError):  # others are in there
                path.parent.rmdir()
    return deleted


def _is_recording_of_test(path: Path) -> bool:
    """Return whether a file is a recording that this plugin wrote."""
    from orchestrator.testing.recorded_run import opened_recording
    from replay.errors import ReplayError

    if path.is_symlink() or not path.is_file():
        return False
    try:
        with opened_recording(path) as recording:
            return recording.started.entry.startswith("pytest ")
    except (ReplayError, OSError):
        return False
