"""The full check of one run's evidence: every record, every part, the tree, the seal, the head.

The one invariant: nothing is believed that can be computed. Header bytes are decoded and encoded
again here, whatever the reader says they mean; commitments are computed from the salts and the
data; the root from the header bytes. What is wrong comes back as findings, in log order: the check
goes on after each, so that one report names them all. It needs no database, no engine, no key.

What it cannot see: whether the provider really said what is recorded, and whether the whole run
was replaced by another consistent one. That is what pins, time stamps and witnesses are for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from replay.events.entry import Entry
from replay.events.kinds import CATALOGUE, Role
from replay.log.port import LogReader
from replay.log.record_check import Finding, HeadState, RecordChecker
from replay.tree import Checkpoint, event_leaves, workspace_leaves

__all__ = ["Completeness", "Holes", "RunCheck", "check", "check_workspace_records"]

Completeness = Literal["sealed", "open", "truncated", "gaps"]


class Holes(msgspec.Struct, frozen=True, kw_only=True):
    """Parts that are not here, by reason; each is counted once, however often it is repeated.

    Attributes:
        erased: erased on request.
        withheld: left out of an export.
        missing: gone for no stated reason.
        records: records of which at least one part is not here.
    """

    erased: int = 0
    withheld: int = 0
    missing: int = 0
    records: int = 0


class RunCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What the check of a run came to.

    Attributes:
        integrity: ``ok`` if there is no finding.
        completeness: ``sealed``; ``open`` without a seal; ``truncated`` if the head knew of more
            records; ``gaps`` if records, or parts without a stated reason, are missing.
        events: records read.
        root: hex root of the tree over their header bytes.
        run: the id in the first record; None if that is not readable or was erased.
        inputs: records of a kind that is an input.
        derived: records of a kind that is derived.
        unknown_kinds: records of a kind that this version does not know.
        holes: what is not here.
        head: how the head compares with the store. ``behind`` is what a crash may leave.
        findings: what is wrong, in log order, at most ``FINDINGS_MAX``.
        omitted: findings beyond that number.
        observed: whether another tool saw the run, so that no replay can confirm it.
    """

    integrity: Literal["ok", "failed"]
    completeness: Completeness
    events: int
    root: str
    run: str | None
    inputs: int
    derived: int
    unknown_kinds: int
    holes: Holes
    head: HeadState
    findings: tuple[Finding, ...]
    omitted: int = 0
    observed: bool = False


def check(reader: LogReader, *, head: Checkpoint | None = None) -> RunCheck:
    """Check all evidence of a run.

    Args:
        reader: the run's records.
        head: the checkpoint kept beside the store, if there is one.

    Raises:
        ReplayError: the reader cannot be read at all (no such run, no permission, disk failure).

    Complexity: one pass; 8 bytes of memory for each record, and the last 131,072 parts at most.
    """
    expected = reader.size()
    records = RecordChecker(CATALOGUE, event_leaves, "RunStarted", head, reader.parts)
    records.read(reader.entries(decode=records.decode))
    events = records.frontier.size
    if events != expected:
        records.report("count", None, f"{expected} records were announced, {events} came")
    sealed = records.sealed_at >= 0
    if sealed and records.sealed_at != events - 1:
        records.report("seal", records.sealed_at, "records follow the one that seals the run")
    head_state = records.compare_head()
    if head is not None and records.run not in {None, head.origin.rpartition("/")[2]}:
        records.report("origin", None, f"the head is that of {head.origin}")
    completeness: Completeness = "sealed" if sealed else "open"
    if head_state == "ahead":
        completeness = "truncated"
    elif records.gaps or records.holes["missing"] or events < expected:
        completeness = "gaps"
    return RunCheck(
        integrity="failed" if records.findings else "ok",
        completeness=completeness,
        events=events,
        root=records.frontier.root().hex(),
        run=records.run,
        inputs=records.inputs,
        derived=records.derived,
        unknown_kinds=records.unknown_kinds,
        holes=Holes(
            erased=records.holes["erased"],
            withheld=records.holes["withheld"],
            missing=records.holes["missing"],
            records=records.holed_records,
        ),
        head=head_state,
        findings=tuple(records.findings),
        omitted=records.omitted,
        observed=records.observed,
    )


def check_workspace_records(
    entries: Iterable[Entry], *, roles: Mapping[str, Role], first_kind: str, head: Checkpoint | None
) -> tuple[str, HeadState, tuple[Finding, ...]]:
    """Check the records of a workspace log by the rules that it shares with a run's.

    Returns:
        The hex root, how the head compares, and what is wrong.
    """
    records = RecordChecker(roles, workspace_leaves, first_kind, head)
    records.read(entries)
    state = records.compare_head()
    return records.frontier.root().hex(), state, tuple(records.findings)
