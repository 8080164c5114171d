"""What was signed stands in the workspace's log before it leaves, and leaves as a whole file."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

from attestations.keys.private import AttestationKey
from attestations.statements.envelope import Envelope
from orchestrator.cli.terminal import say
from replay.errors import LogError, UsageError
from replay.events.workspace_kinds import StatementSigned
from replay.log.workspace import Workspace
from replay.log.workspace_log import WorkspaceLog

__all__ = ["enter_signatures", "enter_signed", "write_new"]

#: What a medium says that may be read and not written.
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def enter_signed(
    workspace: Path, run: str, envelopes: Sequence[Envelope], key: AttestationKey, now_us: int
) -> None:
    """Enter signed statements about a run in the workspace's log, before they leave.

    Raises:
        LogError: the disk refuses; on a medium that may only be read it is said and passed over.
    """
    enter_signatures(
        workspace, run, [(each.identity, key.public.keyid) for each in envelopes], now_us
    )


def enter_signatures(
    workspace: Path, run: str, signed: Sequence[tuple[str, str]], now_us: int
) -> None:
    """Enter pairs of a payload's and a key's digest in the workspace's log."""
    log = WorkspaceLog(Workspace.open(workspace, create=False).path)
    try:
        for payload, key in signed:
            log.append(StatementSigned(run=run, payload=payload, key=key), now_us)
    except LogError as error:
        if not isinstance(error.__cause__, OSError) or error.__cause__.errno not in _READ_ONLY:
            raise
        say("the workspace may only be read, so its log does not say that this was signed")


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, whole or not at all."""
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise UsageError(
            "the file is there already", where=str(path), hint="take another name"
        ) from None
    except OSError:
        path.unlink(missing_ok=True)
        raise
