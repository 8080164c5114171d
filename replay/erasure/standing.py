"""How a run stands, by the workspace's own log: held, exported, erased, suspected.

The one invariant: what cannot be read counts as a hold. Pure, over the records in order.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from replay.events.header import Header
from replay.events.workspace_kinds import (
    HoldPlaced,
    HoldReleased,
    RunErased,
    RunExported,
    SecretsFound,
    WorkspacePayload,
)

__all__ = ["Erasure", "Hold", "Standing", "standing_of"]

_HOLDS = frozenset({"HoldPlaced", "HoldReleased"})


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """A reason for which a run must stay as it is.

    Attributes:
        record: position in the workspace log.
        since_us: claimed time, microseconds since the Unix epoch.
        reason, authority: in the words of whoever placed it.
    """

    record: int
    since_us: int
    reason: str
    authority: str


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure that the workspace log names.

    Attributes:
        record: position in the workspace log.
        time_us: claimed time, microseconds since the Unix epoch.
        parts: ordinals of the parts.
        events: the records that were the first to bring them.
        reason, authority: in the words of whoever asked for it.
    """

    record: int
    time_us: int
    parts: tuple[int, ...]
    events: tuple[int, ...]
    reason: str
    authority: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the workspace log says about a run.

    Attributes:
        holds: those in force, oldest first.
        erasures: in order.
        exports: hex digests that name the bundles that were written of it.
        suspected: parts in which something like a secret was found, less those erased since.
    """

    holds: tuple[Hold, ...] = ()
    erasures: tuple[Erasure, ...] = ()
    exports: tuple[str, ...] = ()
    suspected: tuple[int, ...] = ()


def standing_of(payloads: Iterable[tuple[Header, WorkspacePayload | None]], run: str) -> Standing:
    """Fold what a workspace log says about one run.

    Args:
        payloads: header and payload of each record, None for one that was erased.
        run: the run's id.
    """
    holds: list[Hold] = []
    erasures: list[Erasure] = []
    exports: dict[str, None] = {}
    suspected: set[int] = set()
    for header, payload in payloads:
        seq = header.seq
        if payload is None and header.kind in _HOLDS:
            holds.append(
                Hold(record=seq, since_us=header.time, reason="it cannot be read", authority="")
            )
        elif payload is None or getattr(payload, "run", None) != run:
            continue
        elif isinstance(payload, HoldPlaced):
            holds.append(
                Hold(
                    record=seq,
                    since_us=header.time,
                    reason=payload.reason,
                    authority=payload.authority,
                )
            )
        elif isinstance(payload, HoldReleased):
            holds.clear()
        elif isinstance(payload, RunExported):
            exports[payload.manifest] = None
        elif isinstance(payload, SecretsFound):
            suspected.update(payload.parts)
        elif isinstance(payload, RunErased):
            suspected.difference_update(payload.parts)
            erasures.append(
                Erasure(
                    record=seq,
                    time_us=header.time,
                    parts=payload.parts,
                    events=payload.events,
                    reason=payload.reason,
                    authority=payload.authority,
                )
            )
    return Standing(
        holds=tuple(holds),
        erasures=tuple(erasures),
        exports=tuple(exports),
        suspected=tuple(sorted(suspected)),
    )
