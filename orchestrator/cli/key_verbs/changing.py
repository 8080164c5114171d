"""`ritornello keys rotate` and `keys revoke`: how keys end, on record in a workspace."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from attestations.keys.changes import rotate
from attestations.keys.private import AttestationKey, KeyRole, LogKey
from attestations.keys.trust import Revocation, Trust, TrustedKey, read_trust, update_trust
from orchestrator.cli.app import AsJson, InWorkspace
from orchestrator.cli.key_verbs.key_use import PassphraseFile, attestation_key, log_key
from orchestrator.cli.key_verbs.listing import read_public
from orchestrator.cli.key_verbs.user_places import trust_file
from orchestrator.cli.terminal import emit, emit_json
from replay.errors import NotFoundError, UsageError
from replay.events.workspace_kinds import KeyRevoked
from replay.log.workspace import DEFAULT_WORKSPACE, Workspace
from replay.log.workspace_log import WorkspaceLog
from replay.tree import Checkpoint

__all__ = ["keys_revoke", "keys_rotate"]

Reason = Literal["compromised", "lost", "retired", "rotated"]


def keys_rotate(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The key that ends.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The key that follows.")],
    *,
    log: Annotated[bool, typer.Option("--log", help="Both are log keys.")] = False,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> int:
    """Hand over from one key to another: a record of the workspace that both sign.

    If you trust the old key you trust the new one from now on. What the old one signed
    still counts; `keys revoke OLD` ends that. One passphrase opens both, unless the
    terminal asks for each.

    Examples:
      ritornello keys rotate alice alice-2027
      ritornello keys rotate log-2026 log-2027 --log --workspace ../.ritornello
    """
    role: KeyRole = "log" if log else "attestation"
    opening: Callable[[str, Path | None], AttestationKey | LogKey]
    opening = log_key if log else attestation_key
    opened = [opening(each, passphrase_file) for each in (old, new)]
    store, head = _log(workspace)
    change = rotate(head.origin, head.size, *opened)
    following = TrustedKey.of(opened[1].name, role, opened[1].public)

    def handed_over(trust: Trust) -> Trust:
        known = any(key.keyid == opened[0].public.keyid for key in trust.keys)
        return trust.with_key(following) if known else trust

    handed_over(read_trust(trust_file()))  # what it refuses does not stand in the log either
    store.append(change, time.time_ns() // 1000)
    grown = update_trust(trust_file(), handed_over)
    fields = {"role": role, "old": opened[0].public.keyid, "new": opened[1].public.keyid}
    if as_json:
        where = {"workspace": head.origin, "size": head.size, "trusted": grown}
        emit_json("keys-rotate", {**fields, **where})
    else:
        emit(f"{fields['old']} hands over to {fields['new']} (on record in {head.origin})")
        if grown:
            emit("the new key is trusted as the old one is")
    return 0


def keys_revoke(
    key: Annotated[
        str, typer.Argument(metavar="FILE.pub|NAME|NOTEKEY", help="The public key that ends.")
    ],
    *,
    reason: Annotated[
        Reason,
        typer.Option("--reason", help="Why."),
    ],
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            min=0,
            metavar="N",
            help="What it signed while the workspace's log had at most N records still counts,"
            " where somebody saw that; else the size now.",
        ),
    ] = None,
    log: Annotated[bool, typer.Option("--log", help="It is a log key.")] = False,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> int:
    """End a key: what it signs from now on counts nothing, here and in your trusted keys.

    What it signed before counts only where a pin, a time stamp or a witness saw the
    workspace's log at that size: whoever has a stolen key can write any date. For a
    key that was stolen earlier than it was noticed, say the --size of then.
    The private key is not needed, and is not erased.

    Examples:
      ritornello keys revoke alice --reason lost
      ritornello keys revoke log.pub --log --reason compromised --size 120
    """
    said, name, public = read_public(key)
    if said == "witness":
        raise UsageError(
            "a witness's key stands in no workspace",
            where=key,
            hint="name it no more: in --witness, and in `witnesses` of pins.toml",
        )
    role: KeyRole = said or ("log" if log else "attestation")
    store, head = _log(workspace)
    at = head.size if size is None else size
    if at > head.size:
        raise UsageError(f"the workspace's log has {head.size} records", hint="leave out --size")
    revocation = Revocation(keyid=public.keyid, origin=head.origin, reason=reason, size=at)
    # First here: whatever becomes of the log, the key counts no longer.
    update_trust(trust_file(), lambda trust: trust.with_revocation(revocation))
    store.append(
        KeyRevoked(role=role, key=public.keyid, size=at, reason=reason), time.time_ns() // 1000
    )
    if as_json:
        fields = {"keyid": public.keyid, "role": role, "reason": reason, "size": at}
        emit_json("keys-revoke", {**fields, "workspace": head.origin})
    else:
        called = f"{name} " if name else ""
        emit(f"{called}({role}) {public.keyid}: revoked from size {at} of {head.origin}")
    return 0


def _log(workspace: Path) -> tuple[WorkspaceLog, Checkpoint]:
    """Return a workspace's log and its head."""
    place = Workspace.open(workspace, create=False)
    store = WorkspaceLog(place.path)
    head = store.head()
    if head is None:
        raise NotFoundError(
            "the workspace has no log yet", where=str(place.path), hint="record a run first"
        )
    return store, head
