"""The catalogue is closed: what is in it, on which side of the door, and nothing beside it."""

from __future__ import annotations

import typing

import msgspec
import pytest

from replay.errors import IntegrityError
from replay.events import kind_base, kinds, workspace_kinds
from replay.events.kinds import CATALOGUE, Fact, Payload, TaskEnded, kind_of, role_of
from replay.events.workspace_kinds import (
    WORKSPACE_CATALOGUE,
    TailCut,
    WorkspacePayload,
    decode_workspace_payload,
)

KINDS = typing.get_args(Payload)
WORKSPACE_KINDS = typing.get_args(WorkspacePayload)

ROLES = {
    "answered": ["FileRead", "ReadingsTaken"],
    "delivered": [
        "CancelRequested",
        "ChunksReceived",
        "ClockAdvanced",
        "EffectReturned",
        "ProcessEnded",
        "ProcessSpawned",
        "ProcessWrote",
        "ResponseEnded",
        "ResponseStarted",
        "SignalReceived",
        "WireObserved",
    ],
    "derived": [
        "EffectCancelled",
        "EffectStarted",
        "FileWritten",
        "OutputWritten",
        "ProcessFed",
        "ProcessSignalled",
        "ProcessStarted",
        "PromptSent",
        "RequestRetried",
        "RequestSent",
        "ResponseReceived",
        "RunEnded",
        "RunSealed",
        "StateChanged",
        "TaskEnded",
        "TaskSpawned",
        "ThreadStarted",
        "ToolCalled",
        "ToolReturned",
    ],
    "noted": [
        "AdmissionDecided",
        "CaptureGap",
        "CodeLoaded",
        "RunStarted",
        "SecretRegistered",
        "SecretSuspected",
    ],
}


def tag(kind):
    return kind.__struct_config__.tag


def test_the_roles_are_fixed():
    """What a replay copies and what it computes; a change here changes every replay."""
    by_role = {
        role: sorted(kind for kind, its_role in CATALOGUE.items() if its_role == role)
        for role in sorted(set(CATALOGUE.values()))
    }

    assert by_role == ROLES


def test_every_struct_of_the_union_is_in_the_catalogue_and_no_other():
    assert sorted(map(tag, KINDS)) == sorted(CATALOGUE)
    assert sorted(map(tag, WORKSPACE_KINDS)) == sorted(WORKSPACE_CATALOGUE)


def test_every_tagged_struct_of_the_modules_is_in_a_union():
    for module, union in ((kinds, KINDS), (workspace_kinds, WORKSPACE_KINDS)):
        tagged = {
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, msgspec.Struct)
            and value.__struct_config__.tag
            and value is not kind_base.PayloadBase
            and not value.__name__.startswith("_")
        }
        assert tagged == set(union)


@pytest.mark.parametrize("kind", [*KINDS, *WORKSPACE_KINDS], ids=tag)
def test_a_kind_is_frozen_closed_and_named_as_its_class(kind):
    config = kind.__struct_config__

    assert (config.frozen, config.forbid_unknown_fields) == (True, True)
    assert (config.tag, config.tag_field) == (kind.__name__, "kind")
    assert config.tag.isascii()
    assert config.tag.isalpha()
    assert len(config.tag) <= 40


def test_a_run_and_a_workspace_share_no_kind():
    assert set(CATALOGUE).isdisjoint(WORKSPACE_CATALOGUE)


def test_facts_are_derived():
    """A dialect computes: what it reads is never an input."""
    assert {role_of(tag(fact)) for fact in typing.get_args(Fact)} == {"derived"}


def test_workspace_records_are_about_runs_and_replayed_by_nobody():
    assert set(WORKSPACE_CATALOGUE.values()) == {"noted"}


def test_the_kind_of_a_payload_is_its_tag():
    assert kind_of(TaskEnded()) == "TaskEnded"


def test_an_unknown_kind_has_no_role():
    assert role_of("MoonPhaseSeen") is None


@pytest.mark.parametrize("union", [Payload, WorkspacePayload], ids=["run", "workspace"])
def test_a_json_schema_can_be_generated(union):
    (schema,), components = msgspec.json.schema_components([union])

    assert sorted(schema["discriminator"]["mapping"]) == sorted(map(tag, typing.get_args(union)))
    assert set(map(tag, typing.get_args(union))) <= set(components)


def test_a_workspace_payload_survives_its_bytes():
    payload = TailCut(size_bytes=3)

    assert decode_workspace_payload(msgspec.json.encode(payload), 0) == payload


@pytest.mark.parametrize("data", [b"", b"{}", b'{"kind":"TaskEnded"}', b"[" * 100_000, b"\xff"])
def test_another_payload_is_no_workspace_payload(data):
    with pytest.raises(IntegrityError):
        decode_workspace_payload(data, 0)
