"""What was decided before a program runs, and what must still hold where it runs.

A decision is made about bytes, in one process; the program runs from a path, in another one. So
what was decided goes along as digests, and whoever opens the record, or compiles a source file,
compares the very bytes that are then used. Decisions are made above: this room only keeps them.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from replay.errors import IntegrityError
from replay.events.code_kinds import AdmissionDecided
from replay.log.head import origin_of
from replay.log.named_heads import check_run
from replay.session.opening import open_run
from replay.tree import Checkpoint

if TYPE_CHECKING:
    from replay.bundle import BundleReader
    from replay.log.fsck import RunCheck
    from replay.log.stored_run import StoredRun

__all__ = ["Conditions", "checkpoint_digest", "open_admitted"]


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What has to hold where a program runs.

    Attributes:
        record: hex SHA-256 of the checkpoint of the record that may run; empty for any.
        code: hex SHA-256 of each source file that may run; None for any.
        revoked: hex SHA-256 of what may not run, though any other may.
        decided: what was decided about the program, to stand in its record; None if nothing was.
    """

    record: str = ""
    code: tuple[str, ...] | None = None
    revoked: tuple[str, ...] = ()
    decided: AdmissionDecided | None = None

    @property
    def asks_about_code(self) -> bool:
        """Whether not every file of a program may run."""
        return self.code is not None or bool(self.revoked)


def checkpoint_digest(checked: RunCheck) -> str:
    """Return the digest of the checkpoint of a record that was checked: what signers name it by.

    Raises:
        IntegrityError: it does not hold, or has no first record.
    """
    if checked.integrity != "ok" or checked.run is None:
        first = checked.findings[0].message if checked.findings else "it has no start"
        raise IntegrityError(f"the record cannot be admitted: {first}")
    body = Checkpoint(origin_of(checked.run), checked.events, bytes.fromhex(checked.root)).body()
    return sha256(body).hexdigest()


def open_admitted(
    run: str, workspace: Path | str, conditions: Conditions
) -> StoredRun | BundleReader:
    """Open a run or bundle, which is then the one that was admitted.

    Raises:
        NotFoundError: there is no such run or bundle.
        IntegrityError: it cannot be read, or is another one by now.
    """
    reader = open_run(run, workspace=workspace)
    if not conditions.record:
        return reader
    same = False
    try:
        same = checkpoint_digest(check_run(reader)) == conditions.record
    finally:
        if not same:
            reader.close()
    if not same:
        raise IntegrityError(
            "the record is no longer the one that was admitted",
            where=run,
            hint="somebody changed the file in between; nothing ran",
        )
    return reader
