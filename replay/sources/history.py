"""The history of a run as a replay reads it: forward, in batches, with a look ahead to inputs."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from replay.errors import IntegrityError
from replay.events.entry import Entry
from replay.events.header import kind_in, read_header
from replay.events.kinds import CATALOGUE, Payload
from replay.events.payload import decode_payload

if TYPE_CHECKING:
    from replay.events.entry import Part
    from replay.log.port import Line, LogReader

__all__ = ["ErasedPayloadError", "History"]

_DELIVERED: Final = frozenset(kind for kind, role in CATALOGUE.items() if role == "delivered")
_INPUTS: Final = frozenset(kind for kind, role in CATALOGUE.items() if role != "derived")
_SALTS_A_READ: Final = 4096
_CACHE_BYTES_MAX: Final = 8 << 20
#: Records read whole when one is asked for: whoever explains a difference looks ahead.
_WHOLE_A_READ: Final = 256


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
    the computed one was submitted. Of those it reads the header bytes; :meth:`entry` and
    :meth:`whole` read more, to explain a difference.
    """

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._batches = reader.lean(_INPUTS, decode=read_header)
        self._ahead: deque[Line] = deque()
        self._first = 0
        self.size = reader.size()
        self._delivered: deque[Entry] = deque()
        # Data of inputs' parts, which later inputs may repeat: those of now and of a while ago.
        self._data: dict[int, bytes] = {}
        self._data_before: dict[int, bytes] = {}
        self._data_bytes = 0
        self._salts: list[bytes] = []
        self._salts_first = 0
        self._whole: dict[int, Entry] = {}

    def entry(self, seq: int) -> Entry | None:
        """Return the record at a position not yet taken, None for one that was."""
        line = self._line(seq)
        return self.whole(seq) if isinstance(line, bytes) else line

    def whole(self, seq: int) -> Entry | None:
        """Return the record at a position, also one that was taken; for explanations."""
        if seq not in self._whole:
            entries = self._reader.entries(seq, seq + _WHOLE_A_READ)
            self._whole = {entry.header.seq: entry for entry in entries}
        return self._whole.get(seq)

    def input(self, seq: int) -> Entry | None:
        """Return the record at a position not yet taken if it is an input."""
        line = self._line(seq)
        return None if isinstance(line, bytes) else line

    def kind(self, seq: int) -> str | None:
        """Return the kind of the record at a position not yet taken."""
        line = self._line(seq)
        if isinstance(line, bytes):
            return kind_in(line).decode("ascii", "replace")
        return None if line is None else line.header.kind

    def next_delivered(self, seq: int) -> Entry | None:
        """Return the first delivered input at or after a position."""
        delivered = self._delivered
        while True:
            while delivered:
                entry = delivered[0]
                if entry.header.seq >= seq:
                    return entry
                delivered.popleft()
            if not self._pull():
                return None

    def take(self, seq: int) -> bytes | None:
        """Return the header bytes of the record at the next position and let go of it."""
        if seq == self._first and (self._ahead or self._pull()):
            self._first = seq + 1
            line = self._ahead.popleft()
        elif (ahead := self._line(seq)) is not None:
            line = ahead
        else:
            return None
        return line.raw if isinstance(line, Entry) else line

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
        own: dict[int, Part] = {part.ordinal: part for part in entry.brought}
        wanted = [n for n in set(entry.parts) if n not in own and self._known(n) is None]
        if wanted:
            own.update(self._reader.parts(sorted(wanted)))
        pieces: list[bytes] = []
        for ordinal in entry.parts:
            part = own.get(ordinal)
            data = self._known(ordinal) if part is None else part.data
            if data is None:
                state = "missing" if part is None else part.state
                raise ErasedPayloadError(entry.header.seq, state)
            pieces.append(data)
        return b"".join(pieces)

    def salt(self, ordinal: int) -> bytes:
        """Return the salt of a part; parts that the recording never had get none."""
        offset = ordinal - self._salts_first
        if 0 <= offset < len(self._salts):
            return self._salts[offset]
        self._salts = self._reader.salts(ordinal, ordinal + _SALTS_A_READ)
        self._salts_first = ordinal
        return self._salts[0] if self._salts else b""

    def _line(self, seq: int) -> Line | None:
        if seq < self._first:
            return None
        while seq >= self._first + len(self._ahead):
            if not self._pull():
                return None
        return self._ahead[seq - self._first]

    def _pull(self) -> bool:
        """Read the next batch; return whether there was one."""
        lines = next(self._batches, None)
        if lines is None:
            return False
        self._ahead.extend(lines)
        for line in lines:
            if type(line) is Entry:
                if line.header.kind in _DELIVERED:
                    self._delivered.append(line)
                for part in line.brought:
                    if part.data is not None:
                        self._data[part.ordinal] = part.data
                        self._data_bytes += len(part.data)
        if self._data_bytes > _CACHE_BYTES_MAX:
            # Older ones go all at once: one at a time would cost each input.
            self._data_before, self._data, self._data_bytes = self._data, {}, 0
        return True

    def _known(self, ordinal: int) -> bytes | None:
        data = self._data.get(ordinal)
        return self._data_before.get(ordinal) if data is None else data
