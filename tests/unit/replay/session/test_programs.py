"""A function of a file is recorded under the name under which it is found again."""

from __future__ import annotations

import functools
import sys

import pytest

from replay.errors import UsageError
from replay.session.programs import find_function, load_file
from replay.session.workflow import entry_name

FLOW = """
import replay

@replay.workflow
async def review(): ...

other = review
"""
MADE = """
import replay

def make():
    @replay.workflow
    async def inner(): ...
    return inner

five = make()
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    def load(text):
        path = tmp_path / "found_flow.py"
        path.write_text(text)
        monkeypatch.delitem(sys.modules, path.stem, raising=False)
        return load_file(path), path

    yield load
    sys.modules.pop("found_flow", None)


@pytest.mark.parametrize(
    ("text", "asked", "found"),
    [
        (FLOW, "", "other"),
        (FLOW, "review", "review"),
        (MADE, "", "five"),
        ("class Flow:\n    @staticmethod\n    async def one(): ...\n", "Flow.one", "Flow.one"),
        ("async def main(): ...\n", "", "main"),
    ],
)
def test_a_function_has_the_name_under_which_it_is_found(load, text, asked, found):
    module, path = load(text)

    name, function = find_function(module, asked, path)

    assert name == found
    assert find_function(module, name, path) == (name, function)


def test_two_workflows_have_to_be_told_apart(load):
    module, path = load(FLOW + "@replay.workflow\nasync def second(): ...\n")

    with pytest.raises(UsageError, match="several") as caught:
        find_function(module, "", path)
    assert "second" in caught.value.hint


def test_the_entry_of_a_decorated_function_is_in_its_own_file(load):
    # As the decorator of a library makes it, whose file nobody wants to replay.
    def retried(function):
        async def again(): ...

        return functools.wraps(function)(again)

    module, path = load("async def main(): ...\n")

    assert entry_name(retried(module.main)) == f"{path}:main"
    module.main.__wrapped__ = module.main
    assert entry_name(module.main) == f"{path}:main"
