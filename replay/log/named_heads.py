"""What a workspace's own log says of the heads of the runs that lie in it.

The one invariant: a run of a workspace is the one that its log names. Another one under its name,
less of it than the log knew of, or other records in the same places is refused, as a bundle is by
the workspace records that it carries (`bundles/FORMAT.md`, section 8). Whoever can write the
workspace can write that log too: it is an anchor only where its own head lies elsewhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from replay.errors import IntegrityError
from replay.events.workspace_kinds import RunClosed, RunExported, RunImported, RunResumed
from replay.log.fsck import RunCheck, check
from replay.log.port import LogReader
from replay.log.record_check import FINDINGS_MAX, Finding
from replay.log.workspace import Workspace
from replay.log.workspace_log import WorkspaceLog, payloads_of
from replay.tree import Checkpoint, Frontier, event_leaf

__all__ = [
    "NamedHead",
    "NamedRun",
    "against_named",
    "check_run",
    "named_heads",
    "other_run",
    "prefix_root_of",
]

_NAMING: Final = (RunClosed, RunExported, RunImported, RunResumed)


class NamedHead(msgspec.Struct, frozen=True, kw_only=True):
    """A head of a run, as a workspace record names it.

    Attributes:
        seq: position of that record.
        size: how many records the run had then.
        root: hex root over them.
    """

    seq: int
    size: int
    root: str


class NamedRun(ABC):
    """A reader of a run that lies in a workspace: it knows what it is held against."""

    @abstractmethod
    def check(self) -> RunCheck:
        """Check all evidence of the run, also against its head and the log of its workspace."""


def check_run(reader: LogReader) -> RunCheck:
    """Check all evidence of a run: with what its workspace says of it, where it lies in one.

    Raises:
        ReplayError: it cannot be read at all.
    """
    return reader.check() if isinstance(reader, NamedRun) else check(reader)


def other_run(run: str, found: str | None, kept: Checkpoint | None) -> str | None:
    """Return what is wrong if records are not those of the run that their directory names.

    Args:
        run: the run that the directory is said to hold.
        found: the id in the first record; None if that is not readable or was erased.
        kept: the head beside the records, which names the run where the first record does not.
    """
    said = kept.origin.rpartition("/")[2] if found is None and kept is not None else found
    if said is None or said == run:
        return None
    return f"these are the records of run {said}, and the directory is that of run {run}"


def named_heads(place: Workspace) -> dict[str, tuple[NamedHead, ...]]:
    """Return the heads that the log of a workspace names, by run, in order.

    Of a log that cannot be read nothing behind the damage is known; its own check says so.
    """
    found: dict[str, list[NamedHead]] = {}
    try:
        for header, said in payloads_of(WorkspaceLog(place.path).readable()[0]):
            if isinstance(said, _NAMING):
                head = NamedHead(seq=header.seq, size=said.size, root=said.root)
                found.setdefault(said.run, []).append(head)
    except IntegrityError:
        pass
    return {run: tuple(heads) for run, heads in found.items()}


def against_named(
    checked: RunCheck,
    run: str,
    reader: LogReader,
    kept: Checkpoint | None,
    named: Mapping[str, Sequence[NamedHead]],
) -> RunCheck:
    """Hold a run that was checked against what the log of its workspace names.

    Args:
        checked: what the check of its records came to.
        run: the run that its directory is said to hold.
        reader: its records.
        kept: the head beside them, which names the run where the first record was erased.
        named: what was named before the records were read: a run that goes on grows.

    Returns:
        The check, with what contradicts the log.
    """
    heads = named.get(run, ())
    other = other_run(run, checked.run, kept)
    if other is not None:
        heads, found = (), [Finding(code="origin", seq=None, message=other)]
    else:
        found = list(_contradictions(checked, reader, heads))
    if not found:
        return checked
    findings = (*checked.findings, *found)
    return msgspec.structs.replace(
        checked,
        integrity="failed",
        completeness="truncated"
        if any(head.size > checked.events for head in heads)
        else checked.completeness,
        findings=findings[:FINDINGS_MAX],
        omitted=checked.omitted + len(findings[FINDINGS_MAX:]),
    )


def prefix_root_of(reader: LogReader) -> Callable[[int], bytes]:
    """Return what computes the root over the first so many records of a run."""

    def prefix_root(size: int) -> bytes:
        frontier = Frontier()
        for entry in reader.entries(0, size):
            frontier.append(event_leaf(entry.raw))
        return frontier.root()

    return prefix_root


def _contradictions(
    checked: RunCheck, reader: LogReader, heads: Sequence[NamedHead]
) -> Iterator[Finding]:
    prefix_root = prefix_root_of(reader)
    roots = {checked.events: checked.root}
    for head in heads:
        record = f"record {head.seq} of the workspace's log"
        if head.size > checked.events:
            message = f"{record} knows of {head.size} records, here are {checked.events}"
            yield Finding(code="truncated", seq=None, message=message)
            continue
        if checked.integrity != "ok":
            continue  # its records do not hold as they are
        if head.size not in roots:
            roots[head.size] = prefix_root(head.size).hex()
        if roots[head.size] != head.root:
            message = f"{record} names another root for its first {head.size} records"
            yield Finding(code="head", seq=None, message=message)
