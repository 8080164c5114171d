"""The adapters know the installed releases, and open up what frameworks keep."""

import importlib
import json

import pytest

from orchestrator.adapters import langgraph, pydantic_ai
from orchestrator.adapters.opening_up import encode_library_value
from replay.doors.state.adapters import refusal
from replay.session.extensions import load_adapters

ADAPTERS = [langgraph.adapter, pydantic_ai.adapter]


def test_the_installed_adapters_are_found_in_the_order_of_their_names():
    assert load_adapters() == tuple(ADAPTERS)


@pytest.mark.imports_sdk
@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda each: each.name)
def test_everything_that_is_wrapped_is_in_the_installed_release(adapter):
    pytest.importorskip(adapter.modules[0].partition(".")[0])

    assert refusal(adapter) is None
    for name in adapter.modules:
        for each in adapter.wraps(importlib.import_module(name)):
            assert each.name in vars(each.owner)


class Message:
    def __init__(self, fields):
        self._fields = fields

    def model_dump(self):
        if self._fields is None:
            raise ValueError("no fields")
        return self._fields


def test_models_are_shown_by_their_fields_and_named_if_that_fails():
    encoded, opaque = encode_library_value([Message({"text": "a"}), Message(None), object()])

    own = f"{__name__}:Message"
    assert json.loads(bytes(encoded)) == [{"text": "a"}, {"type": own}, {"type": "builtins:object"}]
    assert opaque == ("builtins:object", own)
