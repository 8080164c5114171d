"""Secrets that a run holds although nobody registered them, found before the run leaves.

The one invariant: what is found is on record in the workspace before anything is refused for it.
It is looked for when a run is exported: looking at the seal would cost a recording a sixth more.
"""

from __future__ import annotations

import errno

from orchestrator.cli.searching.secret_search import Shapes, surrogates_of
from replay.erasure.search import search_run
from replay.erasure.standing import standing_of
from replay.errors import LogError
from replay.events.workspace_kinds import SecretsFound
from replay.log.fsck import RunCheck
from replay.log.port import LogReader
from replay.log.workspace import Workspace

__all__ = ["late_secrets"]

_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def late_secrets(
    reader: LogReader, place: Workspace, run: str, checked: RunCheck, now_us: int
) -> frozenset[int]:
    """Return the parts of a run that hold what has the shape of a key, and enter that.

    Args:
        reader: the run.
        place: its workspace, whose log says afterwards what was found.
        run: the run's id.
        checked: what the check of the run found.
        now_us: claimed time in microseconds since the Unix epoch.

    Raises:
        IntegrityError: the run, or a record of the workspace log, cannot be read.
        LogError: the workspace log cannot be written, though the disk allows it.
    """
    found = search_run(reader, Shapes(surrogates_of(reader)))
    parts = tuple(found.parts)
    if parts and not set(parts) <= set(standing_of(place.payloads(), run).suspected):
        finding = SecretsFound(
            run=run, size=checked.events, root=checked.root, parts=parts, events=found.events()
        )
        try:
            place.enter(finding, now_us)
        except LogError as error:
            cause = error.__cause__
            if not (isinstance(cause, OSError) and cause.errno in _READ_ONLY):
                raise
    return frozenset(parts)
