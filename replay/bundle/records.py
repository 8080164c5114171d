"""Puts records together again from headers, part lists and parts.

The one invariant: a part is brought by the first record that lists it, and ordinals are given in
that order, so that part ``n`` is brought after part ``n - 1`` and no part is listed by nobody.
"""

from __future__ import annotations

from collections.abc import Iterator

from replay.bundle.limits import LISTED_LIVE_MAX, LISTED_TOTAL_MAX, REFS_SIZE_MAX
from replay.bundle.members import Members
from replay.errors import BundleError, IntegrityError
from replay.events.entry import Entry, Part
from replay.events.header import Header, decode_header
from replay.events.refs import RefsDecoder
from replay.log.port import DecodeHeader

__all__ = ["iter_entries"]


def iter_entries(
    members: Members, first: int, last: int, decode: DecodeHeader = decode_header
) -> Iterator[Entry]:
    """Yield the records with positions in [first, last), at most the run's.

    Part lists are deltas from the first record on, so reading from the middle passes over the
    headers and lists before it, not over the parts.

    Raises:
        BundleError: a header, list or part is malformed or out of order; names the record.

    Complexity: linear in ``last``; memory for one member of each kind and the lists in use.
    """
    lists = _Lists(members)
    brought = _Brought(members)
    # Both are exhausted at the end, and the parts after them: only then has a reader seen that no
    # byte is left behind the last frame.
    for (seq, raw), (_, stored) in zip(members.headers(), members.refs(), strict=True):
        if seq >= last:
            return
        try:
            header = decode(raw, seq)
        except IntegrityError as error:
            name = members.name_of("headers", seq)
            raise BundleError(error.message, member=name, event=seq) from None
        refs = lists.decode(header, stored)
        if seq < first:
            brought.skip(seq, refs)
        else:
            yield Entry(header=header, raw=raw, parts=refs, brought=brought.take(seq, refs))
    brought.finish()


class _Lists:
    """Decodes part lists and bounds how many of their entries a hostile bundle may ask for."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._decoder = RefsDecoder()
        self._lengths: dict[int, dict[str, int]] = {}
        self._live = 0
        self._total = 0

    def decode(self, header: Header, stored: bytes) -> tuple[int, ...]:
        if len(stored) > REFS_SIZE_MAX:
            raise self._refused("part list is over the limit", header)
        try:
            refs = self._decoder.decode(header, stored)
        except IntegrityError as error:
            raise self._refused(error.message, header) from None
        lengths = self._lengths.setdefault(header.task, {})
        self._live += len(refs) - lengths.get(header.kind, 0)
        self._total += len(refs)
        lengths[header.kind] = len(refs)
        if header.kind == "TaskEnded":
            self._live -= sum(self._lengths.pop(header.task).values())
        if self._live > LISTED_LIVE_MAX or self._total > LISTED_TOTAL_MAX:
            raise self._refused("part lists together are over the limit", header)
        return refs

    def _refused(self, message: str, header: Header) -> BundleError:
        return BundleError(
            message, member=self._members.name_of("refs", header.seq), event=header.seq
        )


class _Brought:
    """Finds which parts a record is the first to list, and reads them in step."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._known = 0
        self._frames: Iterator[tuple[Part, int]] | None = None

    def skip(self, seq: int, refs: tuple[int, ...]) -> None:
        """Count the parts of a record that the caller did not ask for."""
        self._known = self._count(seq, refs)

    def take(self, seq: int, refs: tuple[int, ...]) -> tuple[Part, ...]:
        """Return the parts that the record brings, ascending ordinals."""
        if self._frames is None:
            self._frames = self._members.parts(self._known)
        before, self._known = self._known, self._count(seq, refs)
        parts: list[Part] = []
        for ordinal in range(before, self._known):
            found = next(self._frames, None)
            if found is None:
                raise self._refused(f"lists part {ordinal}, which the bundle lacks", seq)
            part, event = found
            if event != seq:
                name = self._members.name_of("parts", ordinal)
                message = f"part {ordinal} is said to come from event {event}"
                raise BundleError(message, member=name, event=seq)
            parts.append(part)
        return tuple(parts)

    def finish(self) -> None:
        """Refuse parts that were left over, and bytes behind the last one."""
        frames = self._members.parts(self._known) if self._frames is None else self._frames
        for part, _ in frames:
            name = self._members.name_of("parts", part.ordinal)
            raise BundleError("holds parts that no record lists", member=name)

    def _count(self, seq: int, refs: tuple[int, ...]) -> int:
        known = self._known
        for ref in refs:
            if ref > known:
                raise self._refused(f"lists part {ref} before part {known}", seq)
            if ref == known:
                known += 1
        return known

    def _refused(self, message: str, seq: int) -> BundleError:
        return BundleError(message, member=self._members.name_of("refs", seq), event=seq)
