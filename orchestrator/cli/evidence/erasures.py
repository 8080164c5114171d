"""Who erased what of a run and why, as the workspace logs say it; for reports about the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from orchestrator.cli.terminal import inert
from replay.bundle.reader import BundleReader
from replay.erasure.standing import Erasure, standing_of
from replay.errors import IntegrityError
from replay.events.header import Header
from replay.events.workspace_kinds import WorkspacePayload, decode_workspace_payload
from replay.log.excerpt import Excerpt
from replay.log.workspace import Workspace
from replay.tree import Checkpoint

__all__ = ["erasure_fields", "erasure_lines", "erasures_here", "erasures_in", "erasures_proved"]

_SHOWN_MAX = 200


def erasures_here(place: Workspace, run: str) -> tuple[Erasure, ...]:
    """Return what a workspace's log says; nothing if it cannot be read, which its check says."""
    try:
        return standing_of(place.payloads(), run).erasures
    except IntegrityError:
        return ()


def erasures_in(reader: BundleReader) -> tuple[Erasure, ...]:
    """Return what the workspace records in a bundle say."""
    return tuple(erasure for _, erasure in erasures_proved(reader))


def erasures_proved(reader: BundleReader) -> tuple[tuple[Checkpoint, Erasure], ...]:
    """Return the same, each with the head of the workspace's log under which its record stands."""
    return tuple(
        (excerpt.checkpoint, erasure)
        for excerpt in reader.excerpts()
        for erasure in standing_of(_said(excerpt), reader.run_id).erasures
    )


def _said(excerpt: Excerpt) -> Iterator[tuple[Header, WorkspacePayload | None]]:
    for record in excerpt.records:
        data = record.payload()
        if record.header.kind == "RunErased" and data is not None:
            yield record.header, decode_workspace_payload(data, record.header.seq)


def erasure_fields(erasures: Sequence[Erasure], erased: int) -> dict[str, object]:
    """Return the same for a report, and how many erased parts no record names."""
    named = {part for erasure in erasures for part in erasure.parts}
    return {
        "erasures": [msgspec.to_builtins(erasure) for erasure in erasures],
        "erased_unnamed": max(erased - len(named), 0),
    }


def erasure_lines(erasures: Sequence[Erasure], erased: int, width: int) -> Iterator[str]:
    """Yield the same as lines for a person.

    Args:
        erasures: what the records say.
        erased: how many parts are in fact erased.
        width: columns of the words that the lines begin with.
    """
    for each in erasures:
        why = f"{inert(each.reason, _SHOWN_MAX)} ({inert(each.authority, _SHOWN_MAX)})"
        yield f"{'erasure':<{width}}workspace record {each.record}: {why}, {len(each.parts)} parts"
    named = len({part for each in erasures for part in each.parts})
    if erased > named:
        yield f"{'erasure':<{width}}{erased - named} erased parts are named by no record"
    elif erased < named:
        left = named - erased
        yield f"{'erasure':<{width}}{left} parts are named as erased and still here: erase again"
