"""What is handed out to be read refuses to change, and is ordinary data for whoever copies it."""

import copy
import json

import pytest

from replay.doors.state.frozen_values import FrozenDict, FrozenList, frozen, thawed

VALUE = {"names": ["a", "b"], "deep": {"x": [1, {"y": 2}]}, "pair": (1, [2])}


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value["names"].append("c"),
        lambda value: value["names"].__setitem__(0, "c"),
        lambda value: value["names"].sort(),
        lambda value: value["names"].pop(),
        lambda value: value["deep"].update(x=1),
        lambda value: value["deep"]["x"][1].pop("y"),
        lambda value: value["pair"][1].clear(),
        lambda value: value.__delitem__("names"),
        lambda value: value["names"].__imul__(2),
    ],
)
def test_a_change_in_place_fails_and_says_what_to_do(change):
    value = frozen(VALUE)

    with pytest.raises(TypeError, match="assign it to its key"):
        change(value)

    assert value == VALUE


def test_it_is_equal_to_what_it_was_made_of_and_of_its_types():
    value = frozen(VALUE)

    assert value == VALUE
    assert isinstance(value, dict)
    assert isinstance(value["names"], list)
    assert json.dumps(value) == json.dumps(VALUE)


def test_it_is_a_copy():
    names = ["a"]
    value = frozen({"names": names})
    names.append("b")

    assert value == {"names": ["a"]}


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda value: value.copy(), thawed])
@pytest.mark.parametrize("value", [FrozenList([1]), FrozenDict(a=1)])
def test_a_copy_is_ordinary_and_changes(copied, value):
    made = copied(value)

    assert type(made) in {list, dict}
    made.clear()
    assert len(value) == 1


def test_a_deep_copy_is_ordinary_all_the_way_down():
    made = copy.deepcopy(frozen(VALUE))

    made["deep"]["x"][1]["y"] = 3
    made["pair"][1].append(3)
    assert type(made["names"]) is list


def test_adding_makes_an_ordinary_value():
    names = frozen(["a"])
    more = names
    more += ["b"]
    table = frozen({"a": 1})
    table |= {"b": 2}

    assert (names, more, table) == (["a"], ["a", "b"], {"a": 1, "b": 2})
    assert (type(more), type(table)) == (list, dict)


def test_sets_and_byte_arrays_get_their_unchangeable_types():
    assert type(frozen({1})) is frozenset
    assert type(frozen(bytearray(b"x"))) is bytes
