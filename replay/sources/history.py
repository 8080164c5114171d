"""The history of a run as a replay reads it: forward, in batches, with a look ahead to inputs."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final

from replay.errors import IntegrityError
from replay.events.kinds import CATALOGUE, Payload
from replay.events.payload import decode_payload

if TYPE_CHECKING:
    from replay.events.entry import Entry
    from replay.log.port import LogReader

__all__ = ["ErasedPayloadError", "History"]

_DELIVERED: Final = frozenset(kind for kind, role in CATALOGUE.items() if role == "delivered")
_DERIVED: Final = frozenset(kind for kind, role in CATALOGUE.items() if role == "derived")
_SALTS_A_READ: Final = 4096
_CACHE_BYTES_MAX: Final = 16 << 20


class ErasedPayloadError(IntegrityError):
    """An input's payload is not there any more: erased, withheld or missing."""

    code = "payload_absent"

    def __init__(self, seq: int, state: str) -> None:
        super().__init__(f"payload is {state}", where=f"event {seq}")
        self.seq = seq
        self.state = state


class History:
    """The recorded outcomes of one run.

    The runtime asks it for inputs only; recorded derived records are for the comparer, after
    the computed one was submitted.
    """

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._entries = reader.entries()
        self._ahead: deque[Entry] = deque()
        self._first = 0
        self.size = reader.size()
        self._delivered: deque[int] = deque()
        # Ordered: a plain dict finds its oldest entry ever more slowly as entries leave.
        self._data: OrderedDict[int, bytes] = OrderedDict()
        self._data_bytes = 0
        self._salts: list[bytes] = []
        self._salts_first = 0

    def entry(self, seq: int) -> Entry | None:
        """Return the record at a position not yet taken, None for one that was."""
        if seq < self._first:
            return None
        while seq >= self._first + len(self._ahead):
            if self._pull() is None:
                return None
        return self._ahead[seq - self._first]

    def next_delivered(self, seq: int) -> Entry | None:
        """Return the first delivered input at or after a position."""
        delivered = self._delivered
        while delivered and delivered[0] < seq:
            delivered.popleft()
        while not delivered:
            if self._pull() is None:
                return None
            while delivered and delivered[0] < seq:
                delivered.popleft()
        return self._ahead[delivered[0] - self._first]

    def take(self, seq: int) -> Entry | None:
        """Return the record at the next position and let go of it."""
        if seq == self._first and (self._ahead or self._pull() is not None):
            self._first += 1
            return self._ahead.popleft()
        return self.entry(seq)

    def payload(self, entry: Entry) -> tuple[Payload, bytes]:
        """Return an input's payload head and body.

        Raises:
            ErasedPayloadError: a part of it is not there any more.
        """
        return decode_payload(entry.header.media, self.raw_payload(entry), entry.header.seq)

    def raw_payload(self, entry: Entry) -> bytes:
        """Return the exact payload bytes of a record."""
        if len(entry.brought) == len(entry.parts) == 1 and entry.brought[0].data is not None:
            return entry.brought[0].data
        own = {part.ordinal: part for part in entry.brought}
        if len(entry.parts) == 1 and (known := self._data.get(entry.parts[0])) is not None:
            return known
        wanted = [n for n in set(entry.parts) if n not in own and n not in self._data]
        if wanted:
            own.update(self._reader.parts(sorted(wanted)))
        pieces: list[bytes] = []
        for ordinal in entry.parts:
            part = own.get(ordinal)
            data = self._data.get(ordinal) if part is None else part.data
            if data is None:
                state = "missing" if part is None else part.state
                raise ErasedPayloadError(entry.header.seq, state)
            pieces.append(data)
        return b"".join(pieces)

    def salt(self, ordinal: int) -> bytes:
        """Return the salt of a part; parts that the recording never had get none."""
        offset = ordinal - self._salts_first
        if not 0 <= offset < len(self._salts):
            self._salts = self._reader.salts(ordinal, ordinal + _SALTS_A_READ)
            self._salts_first = ordinal
            offset = 0
        return self._salts[offset] if offset < len(self._salts) else b""

    def _pull(self) -> Entry | None:
        entry = next(self._entries, None)
        if entry is None:
            return None
        self._ahead.append(entry)
        if entry.header.kind in _DELIVERED:
            self._delivered.append(entry.header.seq)
        if entry.brought and entry.header.kind not in _DERIVED:
            self._remember(entry)
        return entry

    def _remember(self, entry: Entry) -> None:
        """Keep parts of inputs: later inputs are likely to repeat them."""
        for part in entry.brought:
            if part.data is not None:
                self._data[part.ordinal] = part.data
                self._data_bytes += len(part.data)
        while self._data_bytes > _CACHE_BYTES_MAX:
            self._data_bytes -= len(self._data.popitem(last=False)[1])
