"""The checks of one record after another: what each must say of itself and of those before it.

The one invariant: nothing is believed that can be computed. Header bytes are decoded and encoded
again here, whatever the reader says they mean; commitments are computed from salts and data; the
tree from the header bytes. What is wrong becomes a finding, and the check goes on.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from struct import Struct
from typing import Final, Literal

import msgspec

from replay.errors import IntegrityError
from replay.events.digest import (
    COMMITMENT_BYTES,
    SALT_BYTES,
    Committer,
)
from replay.events.entry import Entry, Part
from replay.events.header import INTEGER_MAX, Header, decode_header
from replay.events.kinds import Role, RunSealed, RunStarted
from replay.events.payload import decode_payload
from replay.log.seen_parts import KIND_KEY, SeenParts, kind_of_head
from replay.tree import Checkpoint, Frontier

__all__ = ["FINDINGS_MAX", "Finding", "HeadState", "RecordChecker"]

#: The tree grows by so many records at once, level by level.
_HASHED_AT_ONCE: Final = 512

FINDINGS_MAX: Final = 100
"""Findings kept in a report; the rest are counted."""

#: How a head compares with the records: ``ahead`` knows of more; ``behind`` of fewer, which is
#: what a crash between a commit and its head may leave; ``conflict`` of others.
HeadState = Literal["absent", "matches", "behind", "ahead", "conflict"]

_KINDS_MAX: Final = 256
#: Of encoded lists of (size, commitment).
_SIZES: Final = Struct(f"<Q{COMMITMENT_BYTES}x")
_FRAMING: Final = frozenset({"RunStarted", "RunSealed"})
_SALTS: Final = frozenset({0, SALT_BYTES})
_NO_HOLDERS: Final = (None, None, None)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong.

    Attributes:
        code: stable word for the class of damage, such as ``header`` or ``lamport``.
        seq: the record it was found at; None when it concerns the run as a whole.
        message: what is wrong, for people.
    """

    code: str
    seq: int | None
    message: str


class RecordChecker:
    """Reads records in order and remembers what later ones are checked against.

    Args:
        roles: the catalogue of kinds of this log.
        leaves: hashes header bytes, each into its leaf of this log's tree.
        first_kind: kind of the first record, which stands nowhere else.
        head: the checkpoint kept beside the log.
        parts: reads parts again that came long before; None to remember what is needed of all.
    """

    def __init__(
        self,
        roles: Mapping[str, Role],
        leaves: Callable[[Iterable[bytes]], list[bytes]],
        first_kind: str,
        head: Checkpoint | None,
        parts: Callable[[Sequence[int]], dict[int, Part]] | None = None,
    ) -> None:
        self.frontier = Frontier()
        self.findings: list[Finding] = []
        self.omitted = 0
        self.run: str | None = None
        self.observed = False
        self.sealed_at = -1
        self.inputs = self.derived = self.unknown_kinds = 0
        self.holes: Counter[str] = Counter(erased=0, withheld=0, missing=0)
        self.holed_records = 0
        self.gaps = False
        committer = Committer()
        self._commit_part, self._commit_list = committer.part, committer.payload
        self._roles = roles
        self._leaves = leaves
        self._first_kind = first_kind
        self._head = head
        self._root_at_head: bytes | None = None
        self._unhashed: list[bytes] = []
        self._decoded: tuple[bytes, Header] | None = None
        self._lamports = array("q")
        self._seen = SeenParts(parts)
        # By kind: how its payloads begin, and its role.
        self._kinds: dict[str, tuple[bytes, Role | None]] = {}
        self._absent: set[int] = set()

    def report(self, code: str, seq: int | None, message: str) -> None:
        """Note a finding; beyond the limit only their number is kept."""
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(code=code, seq=seq, message=message))
        else:
            self.omitted += 1

    def decode(self, raw: bytes, seq: int) -> Header:
        """Decode a header for a reader, and remember it: the check need not do it again.

        The check compares the bytes it is given with the ones decoded here, by identity; of a
        reader that decodes by itself or hands out other bytes it believes nothing.
        """
        header = decode_header(raw, seq)
        self._decoded = (raw, header)
        return header

    def read(self, entries: Iterable[Entry]) -> None:
        """Check each record. A reader that fails in the middle gives a finding and ends it."""
        head_size = -1 if self._head is None else self._head.size
        unhashed, check = self._unhashed, self._check
        seq = 0
        try:
            for entry in entries:
                if seq == head_size:
                    self._settle()
                    self._root_at_head = self.frontier.root()
                unhashed.append(entry.raw)
                check(seq, entry)
                seq += 1
                if not seq % _HASHED_AT_ONCE:
                    self._settle()
        except IntegrityError as error:
            where = f" ({error.where})" if error.where else ""
            self.report("unreadable", seq, error.message + where)
            self.gaps = True
        self._settle()
        if seq == head_size:
            self._root_at_head = self.frontier.root()

    def _settle(self) -> None:
        """Let the tree grow over the records read since it last did."""
        self.frontier.extend(self._leaves(self._unhashed))
        self._unhashed.clear()
        self._seen.forget()

    def compare_head(self) -> HeadState:
        """Compare the records with the checkpoint kept beside them, and report a contradiction."""
        head, events = self._head, self.frontier.size
        if head is None:
            return "absent"
        if head.size > events:
            self.report(
                "truncated", None, f"the head knows of {head.size} records, here are {events}"
            )
            return "ahead"
        if self._root_at_head != head.root:
            self.report(
                "head", None, f"the first {head.size} records have another root than the head"
            )
            return "conflict"
        return "matches" if head.size == events else "behind"

    def _check(self, seq: int, entry: Entry) -> None:
        """Check one record. It runs for every record, so the common path makes no object."""
        lamports = self._lamports
        raw = entry.raw
        decoded = self._decoded
        if decoded is not None and decoded[0] is raw:
            header = decoded[1]
        else:
            try:
                header = decode_header(raw)
            except IntegrityError as error:
                self.report("header", seq, error.message)
                lamports.append(0)
                for part in entry.brought:
                    self._take_part(seq, part, b"")
                return

        kind = header.kind
        known = self._kinds.get(kind)
        if known is None:
            # Bounded: a hostile run could name a new kind in every record.
            known = b'%b%b"' % (KIND_KEY, kind.encode()), self._roles.get(kind)
            if len(self._kinds) < _KINDS_MAX:
                self._kinds[kind] = known
        prefix, role = known
        usual = self._take_usual(header, entry, prefix)
        if not usual:
            for part in entry.brought:
                self._take_part(seq, part, prefix)
        if header.seq != seq:
            self.report("sequence", seq, f"the record claims position {header.seq}")
            self.gaps = True
        if header is not entry.header and header != entry.header:
            self.report("fields", seq, "the fields beside the header are not those in it")
        latest = previous = -1
        for cause in header.causes:
            if not previous < cause < seq:
                self.report("causes", seq, "causes are not ascending and below the record")
                break
            previous = cause
            if lamports[cause] > latest:  # noqa: PLR1730 - `max` costs three times as much
                latest = lamports[cause]
        lamport = header.lamport
        if lamport != latest + 1:
            self.report("lamport", seq, f"Lamport time {lamport}, not {latest + 1}")
        lamports.append(lamport)
        if role == "derived":
            self.derived += 1
        elif role is None:
            self.unknown_kinds += 1
        else:
            self.inputs += 1
        answers = header.answers
        if answers is not None and (answers >= seq or role == "derived"):
            self.report("answers", seq, "it claims to answer, but cannot")
        holders = header.origin, header.principal, header.resource
        if holders != _NO_HOLDERS and any(holder and holder > seq for holder in holders):
            self.report("reference", seq, "it refers to a record that comes later")
        if header.task >= seq > 0:
            self.report("task", seq, f"its task was spawned by record {header.task}")
        if not usual:
            self._check_payload(seq, header, entry.parts, prefix)
        if (seq == 0) != (kind == self._first_kind):
            self.report("start", seq, f"{self._first_kind} stands first and nowhere else")
        if kind in _FRAMING:
            self._read_frame(seq, header, entry)

    def _take_usual(self, header: Header, entry: Entry, prefix: bytes) -> bool:
        """Enter the one new part that most payloads are, if everything about both is in order.

        It saves a third of a check. Whatever it does not like is judged below, step by step.
        """
        brought = entry.brought
        if len(brought) != 1:
            return False
        part = brought[0]
        seen = self._seen
        ordinal, data, salt, size = len(seen), part.data, part.salt, part.size
        if (
            entry.parts != (ordinal,)
            or part.ordinal != ordinal
            or data is None
            or part.state != "present"
            or not len(data) == size == header.size
            or len(salt) not in _SALTS
            or not data.startswith(prefix)
            or self._commit_part(salt, data) != part.commitment
        ):
            return False
        listed = size.to_bytes(8, "little") + part.commitment
        if self._commit_list(listed) != header.commitment:
            return False
        seen.listed.append(listed)
        seen.begins.append(prefix)
        return True

    def _check_payload(
        self, seq: int, header: Header, refs: tuple[int, ...], prefix: bytes
    ) -> None:
        """Check a payload by its list of parts alone; each part was checked when it came."""
        if not refs or min(refs) < 0 or max(refs) >= len(self._seen):
            self.report("parts", seq, "the payload names no part, or one that the run never had")
            return
        listed = self._seen.listed_at(refs)
        size = sum([size for (size,) in _SIZES.iter_unpack(listed)])
        if self._commit_list(listed) != header.commitment:
            self.report("payload", seq, "the payload does not match its commitment")
        if size != header.size:
            self.report("size", seq, f"a payload of {size} bytes, not {header.size}")
        if self._absent and not self._absent.isdisjoint(refs):
            self.holed_records += 1
        begins = self._seen.begins_at(refs[0])
        if begins != prefix and begins is not None:
            self.report("kind", seq, f"the payload does not say that it is {header.kind}")

    def _take_part(self, seq: int, part: Part, prefix: bytes) -> None:
        """Check a part against its own commitment and enter it."""
        ordinal = len(self._seen)
        data, size, commitment = part.data, part.size, part.commitment
        begins: bytes | None = None
        if part.ordinal != ordinal:
            self.report("parts", seq, f"brings part {part.ordinal} where {ordinal} is next")
        if data is not None and self._commit_part(part.salt, data) == commitment:
            if len(data) != size or part.state != "present" or len(part.salt) not in _SALTS:
                self.report("part", seq, f"part {ordinal}: size, state or salt does not fit")
            # Otherwise a later record of the kind that it names may repeat it.
            begins = prefix if data.startswith(prefix) else kind_of_head(data)
        elif len(commitment) != COMMITMENT_BYTES or not 0 <= size <= INTEGER_MAX:
            self.report("part", seq, f"part {ordinal} has no proper commitment or size")
            commitment, size = bytes(COMMITMENT_BYTES), 0
        elif data is None:
            self._absent.add(ordinal)
            self._check_hole(seq, part)
        else:
            self.report("part", seq, f"part {ordinal} does not match its commitment")
        self._seen.listed.append(size.to_bytes(8, "little") + commitment)
        self._seen.begins.append(begins)

    def _check_hole(self, seq: int, part: Part) -> None:
        if part.state == "present":
            self.holes["missing"] += 1
            self.report("part", seq, f"part {part.ordinal} is said to be present, but is not here")
            return
        self.holes[part.state] += 1
        if part.state == "erased" and part.salt:
            self.report("part", seq, f"part {part.ordinal} was erased, but its salt was kept")

    def _read_frame(self, seq: int, header: Header, entry: Entry) -> None:
        """Read the first or the last record of a run, as far as it is here."""
        if header.kind == "RunSealed":
            if self.sealed_at >= 0:
                self.report("seal", seq, f"the run was sealed before, by record {self.sealed_at}")
            self.sealed_at = seq
        if not self._absent.isdisjoint(entry.parts):
            return  # erased or withheld: what it said is gone, and counted as a hole
        code = "seal" if header.kind == "RunSealed" else "start"
        pieces = [part.data or b"" for part in entry.brought]
        if len(pieces) != len(entry.parts):
            self.report(code, seq, "its payload repeats parts of other records")
            return
        try:
            payload, _ = decode_payload(header.media, b"".join(pieces))
        except IntegrityError as error:
            self.report(code, seq, error.message)
            return
        if isinstance(payload, RunStarted):
            self.run = payload.run
            self.observed = bool(payload.observed)
        elif isinstance(payload, RunSealed) and payload.events != seq + 1:
            self.report("seal", seq, f"it seals {payload.events} records, but {seq + 1} are here")
