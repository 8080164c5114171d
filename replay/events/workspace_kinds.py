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
    "HoldPlaced",
    "HoldReleased",
    "KeyRevoked",
    "KeyRotated",
    "RunAdmitted",
    "RunClosed",
    "RunErased",
    "RunExported",
    "RunImported",
    "RunRegistered",
    "RunResumed",
    "SecretsFound",
    "StatementSigned",
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


class RunAdmitted(_Payload, frozen=True, tag="RunAdmitted"):
    """Policies let a run come in, go on, or be the beginning of a fork; written before it does.

    Where no policy holds there is none. What was decided before a recording stands in the run.

    Attributes:
        run: the run's id; that of the fork.
        action: ``fork``, ``import`` or ``resume``.
        subject: the kind of artifact: ``bundle`` or ``code``.
        name: what was asked about.
        digest: hex SHA-256 that names it; empty of code that no verified statement named.
        verdict: ``allow``.
        judged: what the policies came to: ``deny`` where they only look on.
        mode: ``required`` where they decide, ``observe`` where they look on.
        policies: hex SHA-256 of each policy that was asked, ascending.
        reasons: (code, sentence), sorted.
    """

    run: str
    action: str
    subject: str
    name: str
    digest: str
    verdict: str
    judged: str
    mode: str
    policies: tuple[str, ...]
    reasons: tuple[tuple[str, str], ...]


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


class RunErased(_Payload, frozen=True, tag="RunErased"):
    """Parts of a sealed run are erased for good; durable before the store without them is there.

    Attributes:
        run: the run's id.
        size: number of its records, none of which changed.
        root: hex root over them, which did not change either.
        parts: ordinals of the erased parts, ascending.
        events: the records that were the first to bring them, ascending.
        reason: why, in the words of whoever asked for it.
        authority: who decided it, or by which right.
        registered: records of the workspace log whose payload, the run's command line, goes too.
    """

    run: str
    size: int
    root: str
    parts: tuple[int, ...]
    events: tuple[int, ...]
    reason: str
    authority: str
    registered: tuple[int, ...] = ()


class HoldPlaced(_Payload, frozen=True, tag="HoldPlaced"):
    """A run must stay as it is: nothing of it is erased until every hold on it is released."""

    run: str
    reason: str
    authority: str


class HoldReleased(_Payload, frozen=True, tag="HoldReleased"):
    """All holds on a run end."""

    run: str
    reason: str
    authority: str


class SecretsFound(_Payload, frozen=True, tag="SecretsFound"):
    """What looks like a secret stands in a run; it is not exported until that is erased.

    Attributes:
        run: the run's id.
        size: number of its records when it was looked through.
        root: hex root over them.
        parts: ordinals of the parts that hold one, ascending.
        events: the records that were the first to bring them, ascending.
    """

    run: str
    size: int
    root: str
    parts: tuple[int, ...]
    events: tuple[int, ...]


class KeyRotated(_Payload, frozen=True, tag="KeyRotated"):
    """A key handed over to another; both signed it. Checked by `attestations.keys.changes`.

    Attributes:
        role: what both are for: ``attestation`` or ``log``.
        old: base64 of the DER SubjectPublicKeyInfo of the key that ends.
        new: the same of the one that follows.
        size: number of records that this log had when they signed.
        old_signature: base64 of the signature of the old key over the change.
        new_signature: base64 of that of the new key.
    """

    role: str
    old: str
    new: str
    size: int
    old_signature: str
    new_signature: str


class KeyRevoked(_Payload, frozen=True, tag="KeyRevoked"):
    """A key's signatures no longer count; it only takes trust away, so nobody needs to sign it.

    Attributes:
        role: what it was for: ``attestation`` or ``log``.
        key: hex SHA-256 of its DER SubjectPublicKeyInfo.
        size: what it had signed when this log had so many records counts, where somebody saw that
            size of the log before.
        reason: ``compromised``, ``lost``, ``retired`` or ``rotated``.
    """

    role: str
    key: str
    size: int
    reason: str


class StatementSigned(_Payload, frozen=True, tag="StatementSigned"):
    """A statement about a run was signed; durable before it leaves.

    Attributes:
        run: the run's id.
        payload: hex SHA-256 of the statement, which names it.
        key: hex SHA-256 of the key's DER SubjectPublicKeyInfo.
    """

    run: str
    payload: str
    key: str


class TailCut(_Payload, frozen=True, tag="TailCut"):
    """What an interrupted append had left behind the last whole record was cut off."""

    size_bytes: int


WorkspacePayload = (
    WorkspaceCreated
    | RunRegistered
    | RunResumed
    | RunAdmitted
    | RunClosed
    | RunExported
    | RunImported
    | RunErased
    | HoldPlaced
    | HoldReleased
    | SecretsFound
    | KeyRotated
    | KeyRevoked
    | StatementSigned
    | TailCut
)

#: Every kind of a workspace log by name, with its role.
WORKSPACE_CATALOGUE: Final[dict[str, Role]] = {
    "HoldPlaced": "noted",
    "HoldReleased": "noted",
    "KeyRevoked": "noted",
    "KeyRotated": "noted",
    "RunAdmitted": "noted",
    "RunClosed": "noted",
    "RunErased": "noted",
    "RunExported": "noted",
    "RunImported": "noted",
    "RunRegistered": "noted",
    "RunResumed": "noted",
    "SecretsFound": "noted",
    "StatementSigned": "noted",
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
