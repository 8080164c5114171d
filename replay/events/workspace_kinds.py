"""The catalogue of a workspace's own log: which runs began, ended, came and went.

These kinds never stand in a run's log, nor a run's kinds here: the two logs have trees under
different domains, and each is checked against its own catalogue. All are *noted*: nothing replays
a workspace.
"""

from __future__ import annotations

from typing import Final

import msgspec

from replay.errors import IntegrityError
from replay.events.kinds import Role

__all__ = [
    "WORKSPACE_CATALOGUE",
    "RunClosed",
    "RunExported",
    "RunImported",
    "RunRegistered",
    "RunResumed",
    "TailCut",
    "WorkspaceCreated",
    "WorkspacePayload",
    "decode_workspace_payload",
]


class _Payload(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True
):
    """Base of all payload heads: tagged with the name of the kind."""


class WorkspaceCreated(_Payload, frozen=True, tag="WorkspaceCreated"):
    """The log began. ``workspace`` is its id (a ULID), which also names its checkpoints."""

    workspace: str


class RunRegistered(_Payload, frozen=True, tag="RunRegistered"):
    """A run is about to start; this record is durable before anything leaves it.

    Attributes:
        run: the run's id.
        entry: what is run, as a person would write it.
    """

    run: str
    entry: str


class RunClosed(_Payload, frozen=True, tag="RunClosed"):
    """A run came to its end.

    Attributes:
        run: the run's id.
        size: number of its records.
        root: hex root of the tree over them.
        reason: ``completed``, ``failed``, ``cancelled``, or why it was closed without a seal.
    """

    run: str
    size: int
    root: str
    reason: str


class RunResumed(_Payload, frozen=True, tag="RunResumed"):
    """A run that had stopped without a seal goes on; durable before anything leaves it again.

    Attributes:
        run: the run's id.
        size: number of its records at that moment.
        root: hex root of the tree over them.
    """

    run: str
    size: int
    root: str


class RunExported(_Payload, frozen=True, tag="RunExported"):
    """A bundle of a run was written; ``manifest`` is the hex SHA-256 that names the bundle."""

    run: str
    size: int
    root: str
    manifest: str


class RunImported(_Payload, frozen=True, tag="RunImported"):
    """A run came in from a file; ``manifest`` is the hex SHA-256 of the bundle or cassette."""

    run: str
    size: int
    root: str
    manifest: str


class TailCut(_Payload, frozen=True, tag="TailCut"):
    """What an interrupted append had left behind the last whole record was cut off."""

    size_bytes: int


WorkspacePayload = (
    WorkspaceCreated | RunRegistered | RunResumed | RunClosed | RunExported | RunImported | TailCut
)

#: Every kind of a workspace log by name, with its role.
WORKSPACE_CATALOGUE: Final[dict[str, Role]] = {
    "RunClosed": "noted",
    "RunExported": "noted",
    "RunImported": "noted",
    "RunRegistered": "noted",
    "RunResumed": "noted",
    "TailCut": "noted",
    "WorkspaceCreated": "noted",
}

_DECODER: Final[msgspec.json.Decoder[WorkspacePayload]] = msgspec.json.Decoder(WorkspacePayload)


def decode_workspace_payload(data: bytes, seq: int) -> WorkspacePayload:
    """Read the payload of a workspace record.

    Raises:
        IntegrityError: it is not of the catalogue.
    """
    try:
        return _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise IntegrityError(
            f"payload cannot be read: {error}", where=f"workspace record {seq}"
        ) from None
