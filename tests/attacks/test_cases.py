"""The attack corpus: 48 cases, each tried here or in a test that is named."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.attacks import on_code, on_containers, on_encodings, on_logs, on_signatures
from tests.attacks.attempts import ATTEMPTS
from tests.attacks.cases import CASES

TESTS = Path(__file__).parents[1]
MODULES = (on_code, on_containers, on_encodings, on_logs, on_signatures)


@pytest.mark.parametrize(
    "tried", ATTEMPTS, ids=[f"{each.case:02d}-{each.name}" for each in ATTEMPTS]
)
def test_it_comes_to_what_it_must(tried, tmp_path):
    if tried.refused is None:
        assert tried.act(tmp_path) == tried.gives
        return
    with pytest.raises(tried.refused) as caught:
        tried.act(tmp_path)
    assert tried.says in str(caught.value)


def test_there_are_48_cases_and_each_is_tried_somewhere():
    tried = {each.case for each in ATTEMPTS}

    assert sorted(CASES) == list(range(1, 49))
    assert [
        number
        for number, case in CASES.items()
        if number not in tried and not case.elsewhere and not case.open
    ] == []


def test_no_attempt_is_named_twice():
    names = [(each.case, each.name) for each in ATTEMPTS]

    assert len(set(names)) == len(names) > 100
    assert {each.act.__module__ for each in ATTEMPTS} == {module.__name__ for module in MODULES}


@pytest.mark.parametrize("number", sorted(CASES))
def test_the_tests_that_a_case_names_are_there(number):
    for named in CASES[number].elsewhere:
        file, _, name = named.partition("::")
        tree = ast.parse((TESTS / file).read_text())
        assert name in {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }, named
