"""Whether what a revoked key signed was signed before, by the workspace's log and on others' word.

The one invariant: a place in a log that its keeper can write anew is worth nothing by itself. It
counts where a head of that log from between the signing and the revocation lies elsewhere, in a pin
or in this verifier's memory, and the log at hand continues that head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import TypeAlias

from attestations.anchors import HeadMemory, compare
from attestations.keys.revocation import Place, Sighting, still_counts
from attestations.keys.trust import read_trust
from orchestrator.cli.evidence.anchoring import Anchors
from orchestrator.cli.evidence.heads import Head, workspace_head
from orchestrator.cli.key_verbs.user_places import trust_file
from replay.events.workspace_kinds import StatementSigned
from replay.log.workspace import Workspace
from replay.log.workspace_log import WorkspaceLog, payloads_of
from replay.tree import Checkpoint

__all__ = ["EarlierSigning", "earlier_signing", "never"]

EarlierSigning: TypeAlias = Callable[[str, str], bool]
"""Of a key id and the digest of a payload: whether it counts although the key is revoked."""


def never(_keyid: str, _payload: str) -> bool:
    """Nothing counts: a bundle does not say where in a log its statements were signed."""
    return False


def earlier_signing(place: Workspace, run: str, anchors: Anchors) -> EarlierSigning:
    """Return what tells it for one run of a workspace; the log is read when it is first asked.

    Args:
        place: the workspace.
        run: the run's id.
        anchors: heads of the workspace's log, among others.
    """

    @cache
    def known() -> tuple[dict[tuple[str, str], Place], tuple[Sighting, ...]]:
        found = place.verify()
        head = workspace_head(place, found) if found.integrity == "ok" else None
        if head is None:
            return {}, ()
        origin = head.checkpoint.origin
        places: dict[tuple[str, str], Place] = {}
        for header, said in payloads_of(WorkspaceLog(place.path).entries()[0]):
            if isinstance(said, StatementSigned) and said.run == run:
                signed = Place(origin=origin, size=header.seq + 1)
                places.setdefault((said.key, said.payload), signed)
        return places, tuple(
            Sighting(by="pinned", origin=origin, size=each.size)
            for each in _elsewhere(anchors, origin)
            if _continues(head, each)
        )

    def counts(keyid: str, payload: str) -> bool:
        places, sightings = known()
        revoked = read_trust(trust_file()).revoked
        return still_counts(keyid, places.get((keyid, payload)), revoked, sightings)

    return counts


def _elsewhere(anchors: Anchors, origin: str) -> Iterator[Checkpoint]:
    """Yield the heads of a log that lie outside of it."""
    yield from (pin for _, pin in anchors.pins if pin.origin == origin)
    seen = None if anchors.memory is None else HeadMemory(anchors.memory).known(origin)
    if seen is not None:
        yield seen


def _continues(head: Head, known: Checkpoint) -> bool:
    return compare(head.checkpoint, known, head.prefix_root) in {"same", "grown"}
