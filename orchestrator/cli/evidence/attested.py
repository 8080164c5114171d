"""What can be said of a run, a bundle or a file, as statements that are not signed yet.

Nothing is said of what was not checked first: a run's record is verified whole, a file is read once
and what is digested is what was read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

import msgspec

from attestations.statements.predicates import (
    CheckpointClaim,
    Distribution,
    ErasurePredicate,
    PolicyPredicate,
    Predicate,
    PromptPredicate,
    RunPredicate,
    ToolPredicate,
    make_statement,
)
from attestations.statements.provenance import (
    BUILD_ATTEST,
    BUILD_RECORD,
    make_provenance,
    resources_of,
)
from attestations.statements.statement import Statement, Subject
from attestations.whole_files import read_regular
from orchestrator.cli.evidence.erasures import erasures_here, erasures_proved
from orchestrator.cli.evidence.heads import head_of_workspace
from replay.bundle.limits import BUNDLE_SUFFIX
from replay.bundle.manifest import ORIGIN_PREFIX
from replay.bundle.reader import BundleReader
from replay.erasure.standing import Erasure
from replay.errors import IntegrityError, NotFoundError, UsageError
from replay.events.digest import content_hash
from replay.forensics.explain_code import recorded_code
from replay.log.duckdb_store import DuckDBStore
from replay.log.fsck import RunCheck, check
from replay.log.head import origin_of, read_head
from replay.log.named_heads import against_named, named_heads
from replay.log.port import LogReader
from replay.log.workspace import Workspace
from replay.tree import Checkpoint
from replay.version import VERSION

__all__ = [
    "FILE_SIZE_MAX",
    "Attestable",
    "FileKind",
    "attestable_file",
    "attestable_run",
    "claimed_time",
    "erasure_statements",
]

FileKind = Literal["tool", "prompt", "policy"]

FILE_SIZE_MAX: Final = 256 << 20
"""Longest file that is spoken of, in bytes."""

_FILES: Final[dict[FileKind, type[ToolPredicate | PromptPredicate | PolicyPredicate]]] = {
    "tool": ToolPredicate,
    "prompt": PromptPredicate,
    "policy": PolicyPredicate,
}


class Attestable(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, and what can be said of it.

    Attributes:
        own: our own statement.
        provenance: SLSA provenance.
        checkpoint: of a run or bundle.
        run: id of a run of the workspace; empty for a bundle or a file.
        sealed: whether it is final: an open run is not.
    """

    own: Statement
    provenance: Statement
    checkpoint: Checkpoint | None = None
    run: str = ""
    sealed: bool = True


def claimed_time(time_us: int) -> str:
    """Return a claimed time as predicates have it, in whole seconds of UTC."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def attestable_run(named: str, workspace: Path, now_us: int) -> Attestable:
    """Check a run or a bundle, and say what it is.

    Raises:
        NotFoundError: it is not there.
        IntegrityError: it does not hold.
    """
    if Path(named).suffix == BUNDLE_SUFFIX:
        if not Path(named).is_file():
            raise NotFoundError("no such bundle", where=named)
        with BundleReader.open(Path(named)) as reader:
            checked = check(reader, head=reader.checkpoint)
            return _of_log(reader, checked, named, now_us, of_workspace=False)
    place = Workspace.open(workspace, create=False)
    directory = place.run_directory(named)
    heads = named_heads(place)
    store = DuckDBStore.open(directory, read_only=True)
    try:
        kept = read_head(directory)
        checked = against_named(check(store, head=kept), directory.name, store, kept, heads)
        return _of_log(store, checked, str(directory), now_us, of_workspace=True)
    finally:
        store.close()


def erasure_statements(
    found: Attestable, named: str, workspace: Path, now_us: int
) -> tuple[Statement, ...]:
    """Say what was erased of a run, by whose authority: a statement for each time.

    Of a bundle it says what the workspace records in it prove to stand in their log.

    Raises:
        UsageError: nothing was.
        IntegrityError: the log that says so does not hold.
    """
    proved: tuple[tuple[Checkpoint, Erasure], ...] = ()
    if Path(named).suffix == BUNDLE_SUFFIX:
        with BundleReader.open(Path(named)) as reader:
            proved = erasures_proved(reader)
    elif found.run:
        place = Workspace.open(workspace, create=False)
        erasures = erasures_here(place, found.run)
        if erasures:
            head = head_of_workspace(place).checkpoint
            proved = tuple((head, each) for each in erasures)
    if not proved or found.checkpoint is None:
        raise UsageError(
            "no workspace record names an erasure of it", hint="leave out --predicate erasure"
        )
    subject = Subject.of(found.checkpoint.origin, found.checkpoint.body())
    return tuple(
        make_statement(
            subject,
            ErasurePredicate(
                authority=each.authority,
                checkpoint=CheckpointClaim.of(found.checkpoint),
                claimed_time=claimed_time(now_us),
                events=each.events,
                parts=len(each.parts),
                reason=each.reason,
                run=found.checkpoint.origin.removeprefix(ORIGIN_PREFIX),
                workspace=CheckpointClaim.of(head),
            ),
        )
        for head, each in proved
    )


def attestable_file(
    path: Path, kind: FileKind, name: str, version: str, media_type: str, now_us: int
) -> Attestable:
    """Read a file and say what it is.

    Raises:
        UsageError: it is longer than anything that is spoken of.
        OSError: it cannot be read.
    """
    data = read_regular(path, FILE_SIZE_MAX + 1)
    if len(data) > FILE_SIZE_MAX:
        raise UsageError(f"the file is longer than {FILE_SIZE_MAX >> 20} MiB", where=str(path))
    called = name or path.name
    subject = Subject.of(called, data)
    predicate: Predicate = _FILES[kind](
        blake3=content_hash(data),
        claimed_time=claimed_time(now_us),
        media_type=media_type,
        name=called,
        size_bytes=len(data),
        version=version,
    )
    provenance = make_provenance(
        subject,
        build_type=BUILD_ATTEST,
        parameters={"kind": kind, "name": called, "version": version},
        engine=VERSION,
        invocation=sha256(data).hexdigest(),
    )
    return Attestable(own=make_statement(subject, predicate), provenance=provenance)


def _of_log(
    reader: LogReader, checked: RunCheck, where: str, now_us: int, *, of_workspace: bool
) -> Attestable:
    if checked.integrity != "ok" or checked.run is None:
        what = checked.findings[0].message if checked.findings else "its first record is gone"
        raise IntegrityError(
            f"the run does not hold: {what}",
            where=where,
            hint="`ritornello verify` names everything that is wrong",
        )
    checkpoint = Checkpoint(origin_of(checked.run), checked.events, bytes.fromhex(checked.root))
    subject = Subject.of(checkpoint.origin, checkpoint.body())
    predicate = RunPredicate(
        checkpoint=CheckpointClaim.of(checkpoint),
        claimed_time=claimed_time(now_us),
        engine=VERSION,
        run=checked.run,
        sealed=checked.completeness == "sealed",
    )
    code = recorded_code(reader)
    (first,) = reader.entries(0, 1)
    (last,) = reader.entries(checked.events - 1, checked.events)
    provenance = make_provenance(
        subject,
        build_type=BUILD_RECORD,
        parameters={"run": checked.run},
        engine=VERSION,
        invocation=checked.run,
        started_on=claimed_time(first.header.time),
        finished_on=claimed_time(last.header.time),
        # The program's source stands in the record, where it can be erased; a digest in clear
        # could not.
        dependencies=resources_of(
            (),
            (Distribution(name=name, version=version) for name, version in sorted(code.versions))
            if code
            else (),
        ),
    )
    return Attestable(
        own=make_statement(subject, predicate),
        provenance=provenance,
        checkpoint=checkpoint,
        run=checked.run if of_workspace else "",
        sealed=predicate.sealed,
    )
