"""A receipt for a replay: this code and this record came to this root again, and nothing got out.

The one invariant: a receipt is signed only for a replay that was identical, by the code that lay on
disk before it began and still when it had ended. What would refuse it is found before the program
runs, wherever that can be.
"""

from __future__ import annotations

import os
import time
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from attestations.keys.private import AttestationKey
from attestations.statements.envelope import sign
from attestations.statements.predicates import (
    CheckpointClaim,
    CodeFile,
    Distribution,
    Replayed,
    ReplayPredicate,
    make_statement,
)
from attestations.statements.statement import Subject
from orchestrator.cli.evidence.attested import attestable_run, claimed_time
from orchestrator.cli.evidence.entered import enter_signed, write_new
from orchestrator.cli.key_verbs.key_use import attestation_key
from orchestrator.cli.reading.explanation import on_disk
from orchestrator.cli.reading.records import opened
from orchestrator.cli.terminal import inert, say
from replay.errors import HermeticError, IntegrityError, NotFoundError, UsageError
from replay.events.digest import content_hash
from replay.forensics.explain_code import recorded_code
from replay.session.report import Report
from replay.tree import Checkpoint
from replay.version import VERSION

__all__ = ["Receipt"]

_VERSION_MAX: Final = 4096


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What is known before the replay. Make it with :meth:`prepare`.

    Attributes:
        path: the file to write.
        key: who signs.
        run: as it was named.
        workspace: directory of the runs.
        directory: where the program starts.
        checkpoint: of the record.
        of_workspace: id of the run if the workspace has it; empty for a bundle.
        code: the program's files as they lie on disk.
    """

    path: Path
    key: AttestationKey
    run: str
    workspace: Path
    directory: Path
    checkpoint: Checkpoint
    of_workspace: str
    code: tuple[CodeFile, ...]

    @classmethod
    def prepare(
        cls,
        path: Path,
        key: str,
        passphrase_file: Path | None,
        run: str,
        workspace: Path,
        directory: Path,
    ) -> Receipt:
        """Open the key, check the record, and look at the code, before the program runs.

        Raises:
            UsageError: the file is there already, or the record has no seal.
            KeyFileError: the key cannot be used for it.
            IntegrityError: the record does not hold.
            NotFoundError: there is no such run, or no directory for the file.
        """
        if os.path.lexists(path):
            raise UsageError("the file is there already", where=str(path), hint="take another name")
        if not path.parent.is_dir():
            raise NotFoundError("there is no such directory", where=str(path.parent))
        signer = attestation_key(key, passphrase_file)
        found = attestable_run(run, workspace, time.time_ns() // 1000)
        if not found.sealed or found.checkpoint is None:
            raise UsageError(
                "a run without a seal has no root to come to", where=run, hint="leave out --receipt"
            )
        return cls(
            path=path,
            key=signer,
            run=run,
            workspace=workspace,
            directory=directory,
            checkpoint=found.checkpoint,
            of_workspace=found.run,
            code=_code(run, workspace, directory),
        )

    def write(self, report: Report | None, code_state: str) -> bool:
        """Sign and write the receipt, if the replay earned it; else say why there is none.

        Args:
            report: what came of the replay.
            code_state: how the code compares with the recorded one.

        Raises:
            HermeticError: the code changed while the program ran.
            IntegrityError: another record was replayed than was checked.
            LogError: the workspace's log cannot be written.
            OSError: the file cannot be written.
        """
        if report is None or report.verdict != "identical":
            say("no receipt: the replay was not identical")
            return False
        if (report.events, report.root_replayed) != (
            self.checkpoint.size,
            self.checkpoint.root.hex(),
        ):
            raise IntegrityError(
                "no receipt: what was replayed is not the record that was checked before",
                where=self.run,
                hint="somebody changed the file in between; replay again",
            )
        if _code(self.run, self.workspace, self.directory) != self.code:
            raise HermeticError(
                "no receipt: the code on disk changed while the program ran",
                where=str(self.directory),
                hint="replay again, and leave the files alone",
            )
        now_us = time.time_ns() // 1000
        predicate = ReplayPredicate(
            checkpoint=CheckpointClaim.of(self.checkpoint),
            claimed_time=claimed_time(now_us),
            code=self.code,
            code_state=code_state,
            distributions=tuple(
                Distribution(name=name, version=version[:_VERSION_MAX])
                for name, version in sorted(report.versions)
            ),
            engine=VERSION,
            guard=report.guard,
            live_effects=report.live_effects,
            refused_attempts=report.refused_attempts,
            replayed=Replayed(
                derived_computed=report.derived_computed,
                events=report.events,
                inputs_taken=report.inputs_taken,
                root=report.root_replayed,
            ),
            run=report.run,
        )
        subject = Subject.of(self.checkpoint.origin, self.checkpoint.body())
        envelope = sign(make_statement(subject, predicate).encode(), [self.key])
        if self.of_workspace:
            enter_signed(self.workspace, self.of_workspace, [envelope], self.key, now_us)
        write_new(self.path, envelope.encode())
        say(f"  receipt: {inert(str(self.path))}, signed by {self.key.public.keyid}")
        return True


def _code(run: str, workspace: Path, directory: Path) -> tuple[CodeFile, ...]:
    """Return the program's files that the record names, as they are on disk now."""
    with opened(run, workspace) as reader:
        recorded = recorded_code(reader)
    found: list[CodeFile] = []
    for file, _ in () if recorded is None else recorded.files:
        data = on_disk(directory, file.path)
        if data is not None:
            found.append(
                CodeFile(
                    blake3=content_hash(data),
                    path=file.path,
                    sha256=sha256(data).hexdigest(),
                    size_bytes=len(data),
                )
            )
    return tuple(sorted(found, key=lambda each: each.path))
