"""The command, as in tests/cli."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location(
    "command_place", Path(__file__).parents[1] / "cli/conftest.py"
)
_COMMAND = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_COMMAND)


@pytest.fixture
def place(tmp_path):
    return _COMMAND.Place(tmp_path)
