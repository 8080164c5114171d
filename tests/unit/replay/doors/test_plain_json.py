"""Arguments as they stand in a record: data as it is, objects by the name of their type."""

import json

from replay.doors.effects import plain_json


class Node:
    """An object that is not data."""


def _read(**values):
    return json.loads(bytes(plain_json(values)))


def test_data_stands_as_it_is_and_sets_are_sorted():
    assert _read(a=[1, "two", None], b={3, 1, 2}) == {"a": [1, "two", None], "b": [1, 2, 3]}


def test_an_object_inside_data_stands_by_its_type():
    found = _read(a=[1, Node()])

    assert found == {"a": [1, {"type": f"{__name__}:Node"}]}


def test_a_value_full_of_objects_stands_by_its_own_type_alone():
    assert _read(a=[Node() for _ in range(1001)], b=2) == {"a": {"type": "builtins:list"}, "b": 2}
    assert len(_read(a=[Node() for _ in range(1000)])["a"]) == 1000


def test_a_cycle_stands_by_its_type():
    cycle = []
    cycle.append(cycle)

    assert _read(a=cycle, b=1) == {"a": {"type": "builtins:list"}, "b": 1}
