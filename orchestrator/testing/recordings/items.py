"""What a marked test asks for: its mode, its recording, and whether it can be recorded at all."""

from __future__ import annotations

import inspect
import os
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from orchestrator.testing.recordings.modes import MODES, Mode
from orchestrator.testing.recordings.names import file_stem, is_plain_name, recording_path
from orchestrator.testing.recordings.texts import Place

__all__ = [
    "INI_DIRECTORY",
    "MARK",
    "MODE_OPTION",
    "RecordedTest",
    "checked_mode",
    "is_marked",
    "mode_of",
    "own_function",
    "path_of",
    "place_of",
    "refusal",
    "session_mode",
]

MARK: Final = "ritornello"
MODE_OPTION: Final = "ritornello_mode"
INI_DIRECTORY: Final = "ritornello_recordings"
#: The mode of tests that name none.
session_mode: Final = pytest.StashKey[Mode]()
_ARGUMENTS: Final = frozenset({"mode", "name"})


@dataclass(frozen=True, slots=True)
class RecordedTest:
    """What the fixture ``ritornello`` gives: how this test is being run.

    Attributes:
        mode: the mode in force for it.
        recording: path of its recording, whether it is there or not.
        is_replayed: whether the test is about to be replayed. For fixtures, which run outside of
            the recording: one that starts a server need not, then.
    """

    mode: Mode
    recording: Path
    is_replayed: bool


def is_marked(item: pytest.Item) -> bool:
    """Return whether a test is to be a recorded run."""
    return item.get_closest_marker(MARK) is not None


def checked_mode(mode: object, where: str) -> Mode:
    """Return a mode that somebody wrote down.

    Raises:
        UsageError: it is none.
    """
    for known in MODES:
        if mode == known:
            return known
    raise pytest.UsageError(f"{where}: {mode!r} is no mode; modes are {', '.join(MODES)}")


def mode_of(item: pytest.Item) -> Mode:
    """Return the mode of one test: that of the command line, of the mark, of the ini file.

    Raises:
        UsageError: the test has no mark, or one that asks for what there is not.
    """
    mark = item.get_closest_marker(MARK)
    if mark is None:
        raise pytest.UsageError(
            f"{item.nodeid} uses the fixture `ritornello` without @pytest.mark.ritornello"
        )
    unknown = sorted(mark.kwargs.keys() - _ARGUMENTS)
    if mark.args or unknown:
        what = ", ".join(unknown) or "argument without a name"
        raise pytest.UsageError(f"{item.nodeid}: @pytest.mark.ritornello takes no {what}")
    own = mark.kwargs.get("mode")
    if own is None or item.config.getoption(MODE_OPTION) is not None:
        return item.config.stash[session_mode]
    return checked_mode(own, item.nodeid)


def path_of(item: pytest.Function) -> Path:
    """Return where the recording of a test lies, or would.

    Raises:
        UsageError: the name that its mark gives is none for a file.
    """
    mark = item.get_closest_marker(MARK)
    name = mark.kwargs.get("name") if mark is not None else None
    original = item.originalname
    parameters = item.name[len(original) :]
    if name is None:
        classes = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
        name = ".".join((*classes, original))
    elif not isinstance(name, str) or not is_plain_name(name):
        raise pytest.UsageError(f"{item.nodeid}: {name!r} is no plain name for a recording")
    directory = item.config.getini(INI_DIRECTORY)
    return recording_path(item.path, file_stem(name, parameters), directory)


def place_of(item: pytest.Item, path: Path) -> Place:
    """Return a test and its recording as a person would type them where pytest was started."""
    return Place(item.nodeid, os.path.relpath(path, item.config.invocation_params.dir))


def refusal(item: pytest.Item) -> str:
    """Return why a marked test cannot be a recorded run; empty if it can."""
    cls = getattr(item, "cls", None)
    of_unittest = isinstance(cls, type) and issubclass(cls, unittest.TestCase)
    if not isinstance(item, pytest.Function) or of_unittest:
        return f"{item.nodeid} is no test function of pytest's; see orchestrator.testing.recorded"
    if getattr(item.obj, "is_hypothesis_test", False):
        return (
            f"{item.nodeid} is drawn by Hypothesis, which tries it many times;"
            " record a test with fixed values"
        )
    callspec = getattr(item, "callspec", None)
    backend = callspec.params.get("anyio_backend", "asyncio") if callspec else "asyncio"
    if (backend[0] if isinstance(backend, tuple) else backend) != "asyncio":
        return f"{item.nodeid} runs on {backend}; a run has asyncio's loop"
    return ""


def own_function(item: pytest.Function) -> Any:
    """Return a test's own function, where a plugin shows one that runs it in a loop of its own."""
    owner = item.module if item.instance is None else item.instance
    own = getattr(owner, item.originalname, item.obj)
    return own if inspect.iscoroutinefunction(own) else item.obj
