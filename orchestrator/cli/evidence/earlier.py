"""Whether what a revoked key signed was signed before, by a workspace's log and on others' word.

The one invariant: a place in a log that its keeper can write anew is worth nothing by itself. It
counts where a head of that very log from between the signing and the revocation lies elsewhere: in
a pin, in this verifier's memory, or under the names of witnesses. The log is one of the workspace
at hand, or the part of one that came with a bundle and proves where its records stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Final

import msgspec

from attestations.admission.facts import Seen
from attestations.anchors import HeadMemory, compare
from attestations.checkpoints import checked_signatures
from attestations.keys.revocation import Place, Sighting, is_earlier
from attestations.keys.trust import read_trust
from orchestrator.cli.evidence.anchoring import Anchors
from orchestrator.cli.evidence.heads import workspace_head
from orchestrator.cli.key_verbs.user_places import trust_file
from replay.errors import IntegrityError
from replay.events.workspace_kinds import (
    RunClosed,
    RunResumed,
    StatementSigned,
    WorkspacePayload,
    decode_workspace_payload,
)
from replay.log.excerpt import Excerpt
from replay.log.workspace import Workspace
from replay.log.workspace_log import WorkspaceLog, payloads_of
from replay.tree import Checkpoint

__all__ = ["NEVER", "Earlier", "Logged", "logged_here", "logged_in"]


class Logged(msgspec.Struct, frozen=True, kw_only=True):
    """What one log says about a run, and which of the log's heads somebody else saw.

    Attributes:
        signed: where it stands that a key (id) signed a statement (digest of the payload).
        heads: where it stands that the run, which was recorded there, had a head (size, hex root).
        sightings: heads of this very log that others saw.
        kept: those of them that lie with whoever verifies, roots and all.
    """

    signed: dict[tuple[str, str], Place]
    heads: dict[tuple[int, str], Place]
    sightings: tuple[Sighting, ...]
    kept: tuple[Checkpoint, ...] = ()


class Earlier:
    """What logs and others say of when the statements about a run were signed.

    Args:
        logs: gives the logs; called when it is first asked.
    """

    def __init__(self, logs: Callable[[], Iterable[Logged]]) -> None:
        @cache
        def known() -> tuple[Logged, ...]:
            return tuple(logs())

        self._logs = known

    def statement(self, keyid: str, payload: str) -> bool:
        """Return whether a statement counts although its key is revoked.

        Args:
            keyid: of the key that signed it.
            payload: hex SHA-256 that names the statement.
        """
        return self._counts(keyid, lambda log: log.signed.get((keyid, payload)))

    def checkpoint(self, keyid: str, head: Checkpoint) -> bool:
        """Return whether a key's signature under a run's head counts although it is revoked.

        Where the log had that head before, and others saw the log, the head is none of a thief's.
        """
        named = (head.size, head.root.hex())
        return self._counts(keyid, lambda log: log.heads.get(named))

    def pinned(self, head: Checkpoint, pin: Checkpoint) -> bool:
        """Return whether a head of another log pins one of a run: the run's stands in that log."""
        for log in self._logs():
            place = log.heads.get((head.size, head.root.hex()))
            if place is not None and pin in log.kept and place.size <= pin.size:
                return True
        return False

    def seen(self, keyid: str, payload: str) -> tuple[Seen, ...]:
        """Return who saw, at which sizes of a log, that a key had signed a statement."""
        found = {
            (by.by, by.origin, by.size): None
            for log in self._logs()
            if (place := log.signed.get((keyid, payload))) is not None
            for by in log.sightings
            if by.origin == place.origin and by.size >= place.size
        }
        return tuple(Seen(how=how, workspace=origin, size=size) for how, origin, size in found)

    def _counts(self, keyid: str, place_in: Callable[[Logged], Place | None]) -> bool:
        # A place and a sighting of it are of one log: two may share a name, and one is forged.
        revoked = [each for each in read_trust(trust_file()).revoked if each.keyid == keyid]
        return all(
            any(is_earlier(place_in(log), each, log.sightings) for log in self._logs())
            for each in revoked
        )


NEVER: Final = Earlier(tuple)
"""Nothing counts: no log says anything."""


def logged_here(place: Workspace, run: str, anchors: Anchors) -> Iterator[Logged]:
    """Yield what the log of a workspace says of one of its runs, if that log holds.

    Args:
        place: the workspace.
        run: the run's id.
        anchors: heads of the workspace's log, among others.
    """
    found = place.verify()
    try:
        head = workspace_head(place, found) if found.integrity == "ok" else None
    except IntegrityError:  # the check of that log says so
        return
    if head is None:
        return
    said = (
        (header.seq, payload)
        for header, payload in payloads_of(WorkspaceLog(place.path).entries()[0])
    )
    now, prefix_root = head.checkpoint, head.prefix_root

    def compared(each: Checkpoint) -> bool | None:
        found = compare(now, each, prefix_root)
        return None if found == "shorter" else found != "fork"

    yield _logged(now.origin, run, said, _kept(anchors, now.origin, compared))


def logged_in(excerpts: Iterable[Excerpt], run: str, anchors: Anchors) -> Iterator[Logged]:
    """Yield what logs say of a run in the excerpts that came with it, which were checked.

    An excerpt proves few heads of its log: only what lies elsewhere of just those counts.
    """
    for excerpt in excerpts:
        origin, heads = excerpt.checkpoint.origin, excerpt.heads()

        def compared(each: Checkpoint, heads: dict[int, bytes] = heads) -> bool | None:
            return heads[each.size] == each.root if each.size in heads else None

        witnessed: tuple[Sighting, ...] = ()
        if _witnessed(excerpt, anchors):
            size = excerpt.checkpoint.size
            witnessed = (Sighting(by="witnessed", origin=origin, size=size),)
        kept = _kept(anchors, origin, compared)
        yield _logged(origin, run, _said_in(excerpt), kept, witnessed)


def _said_in(excerpt: Excerpt) -> Iterator[tuple[int, WorkspacePayload]]:
    for record in excerpt.records:
        data = record.payload()
        if data is None:
            continue  # erased
        try:
            yield record.header.seq, decode_workspace_payload(data, record.header.seq)
        except IntegrityError:
            continue  # of a later version: it says nothing here


def _logged(
    origin: str,
    run: str,
    said: Iterable[tuple[int, WorkspacePayload | None]],
    kept: tuple[Checkpoint, ...] | None,
    witnessed: tuple[Sighting, ...] = (),
) -> Logged:
    signed: dict[tuple[str, str], Place] = {}
    heads: dict[tuple[int, str], Place] = {}
    for seq, payload in said:
        place = Place(origin=origin, size=seq + 1)
        if isinstance(payload, StatementSigned) and payload.run == run:
            signed.setdefault((payload.key, payload.payload), place)
        elif isinstance(payload, RunClosed | RunResumed) and payload.run == run:
            # Not what came in, and went out again: others made that.
            heads.setdefault((payload.size, payload.root), place)
    if kept is None:
        return Logged(signed=signed, heads=heads, sightings=())
    by = (Sighting(by="pinned", origin=origin, size=each.size) for each in kept)
    return Logged(signed=signed, heads=heads, sightings=(*by, *witnessed), kept=kept)


def _kept(
    anchors: Anchors, origin: str, compared: Callable[[Checkpoint], bool | None]
) -> tuple[Checkpoint, ...] | None:
    """Return the heads of a log that lie outside of it and that the log at hand continues.

    None if it contradicts a pin: then it is a forged one, which the memory may have seen first.

    Args:
        anchors: what lies elsewhere.
        origin: the log's.
        compared: whether the log at hand continues a head; None if it cannot tell.
    """
    pins = [pin for _, pin in anchors.pins if pin.origin == origin]
    if any(compared(pin) is False for pin in pins):
        return None
    seen = () if anchors.memory is None else HeadMemory(anchors.memory).heads(origin)
    return tuple(each for each in (*pins, *seen) if compared(each))


def _witnessed(excerpt: Excerpt, anchors: Anchors) -> bool:
    """Return whether as many witnesses as are named put their names under an excerpt's head."""
    if not anchors.witnesses:
        return False
    checked = checked_signatures(excerpt.checkpoint.body(), excerpt.signatures, anchors.witnesses)
    good = {(each.name, each.key_id) for each in checked if each.outcome == "good"}
    keys = {key.public_key for key in anchors.witnesses if (key.name, key.key_id.hex()) in good}
    return len(keys) >= anchors.threshold > 0
