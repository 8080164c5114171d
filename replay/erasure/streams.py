"""The bytes of a run as they were before they were cut into parts and records.

The one invariant: each byte handed out is traced to the part that holds it. A payload comes as its
parts one after the other; what one exchange, process or stream brought in several records comes as
one piece, so that no cut hides what stands across it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Final

from replay.events.entry import Entry
from replay.log.port import LogReader

__all__ = ["Piece", "RunStreams"]

#: Bytes of a piece that spans records; longer streams come in overlapping pieces.
_PIECE_BYTES: Final = 8 << 20
_OVERLAP_BYTES: Final = 64 << 10
#: Kinds whose bodies continue each other where they have the same asker, and what tells streams.
_CONTINUED: Final = frozenset({"ChunksReceived", "OutputWritten", "ProcessWrote", "ProcessFed"})
_ENDS: Final = frozenset({"ResponseEnded", "ProcessEnded"})
#: Bytes of the head of a record that are read to tell the streams of one asker apart.
_STREAM_NAMES: Final = (b'"stream":"stdout"', b'"stream":"stderr"')
#: Who asked, and which of its streams.
_Key = tuple[int | None, int]
#: A gap where a part is not here; no text has it.
_GAP: Final = b"\0"
_CACHE_BYTES_MAX: Final = 32 << 20


class Piece:
    """Bytes that belong together.

    Attributes:
        seq: the record that holds them, or the one that asked for them.
        whole: whether they span records.
        goes_on: whether what they belong to is longer than a piece, and goes on in the next one.
        data: the bytes.
    """

    __slots__ = ("_ordinals", "_starts", "data", "goes_on", "seq", "whole")

    def __init__(
        self,
        seq: int,
        found: list[tuple[int | None, bytes]],
        *,
        whole: bool,
        goes_on: bool = False,
    ) -> None:
        self.seq = seq
        self.whole = whole
        self.goes_on = goes_on
        self.data = b"".join(data for _, data in found)
        self._starts: list[int] = []
        self._ordinals: list[int | None] = []
        at = 0
        for ordinal, data in found:
            if data:
                self._starts.append(at)
                self._ordinals.append(ordinal)
                at += len(data)

    @property
    def traced(self) -> bool:
        """Whether the bytes are those of parts; else they stand beside the log."""
        return any(ordinal is not None for ordinal in self._ordinals)

    def parts(self, start: int, stop: int) -> Iterator[int]:
        """Yield the parts that hold [start, stop), ascending by place."""
        first = max(bisect_right(self._starts, start) - 1, 0)
        for n in range(first, len(self._starts)):
            if self._starts[n] >= stop:
                return
            ordinal = self._ordinals[n]
            if ordinal is not None:
                yield ordinal

    def ranges(self, ordinals: frozenset[int]) -> Iterator[tuple[int, int]]:
        """Yield where in the bytes some parts lie."""
        ends = [*self._starts[1:], len(self.data)][: len(self._starts)]
        for start, end, ordinal in zip(self._starts, ends, self._ordinals, strict=True):
            if ordinal in ordinals:
                yield start, end


class RunStreams:
    """Reads a run once and hands out its bytes as pieces.

    Args:
        reader: the run.
        last: position after the last record to read; None for all.

    Attributes:
        kinds: the kind of each record that was read.
        lists: the parts of its payload.
        brought_by: the record that was the first to bring a part, by ordinal.
        sizes: bytes of each part that is here.
        commitments: the commitment of each part.
        heads: the record with the head of the response to a request, by the request.
        answered: the request, effect or process that a record answers, by record.
    """

    def __init__(self, reader: LogReader, last: int | None = None) -> None:
        self._reader = reader
        self._last = last
        self.brought_by: dict[int, int] = {}
        self.kinds: list[str] = []
        self.lists: list[tuple[int, ...]] = []
        self.sizes: dict[int, int] = {}
        self.commitments: dict[int, bytes] = {}
        self.heads: dict[int, int] = {}
        self.answered: dict[int, int] = {}
        self._open: dict[_Key, list[tuple[int | None, bytes]]] = {}
        self._open_bytes: Counter[_Key] = Counter()
        # In the order in which they came. A plain dict finds its oldest ever more slowly: it passes
        # over the places of all that were deleted, so dropping one by one takes the square of that.
        self._known: OrderedDict[int, bytes | None] = OrderedDict()
        self._known_bytes = 0

    def pieces(self) -> Iterator[Piece]:
        """Yield every piece of the run, in the order in which their last byte came.

        Raises:
            IntegrityError: the run cannot be read.
        """
        for entry in self._reader.entries(0, self._last):
            header = entry.header
            self.kinds.append(header.kind)
            self.lists.append(entry.parts)
            if header.answers is not None:
                self.answered[header.seq] = header.answers
                if header.kind == "ResponseStarted":
                    self.heads[header.answers] = header.seq
            for part in entry.brought:
                self.brought_by[part.ordinal] = header.seq
                self.commitments[part.ordinal] = part.commitment
                if part.data is not None:
                    self.sizes[part.ordinal] = len(part.data)
                self._remember(part.ordinal, part.data)
            if entry.brought:
                yield from self._payload(entry)
            if entry.place:
                yield Piece(
                    header.seq, [(None, entry.place.encode("utf-8", "replace"))], whole=False
                )
            if header.kind in _CONTINUED:
                yield from self._continue(entry)
            elif header.kind in _ENDS:
                for key in [key for key in self._open if key[0] == header.answers]:
                    yield self._closed(key)
        for key in list(self._open):
            yield self._closed(key)

    def data(self, ordinal: int) -> bytes | None:
        """Return the bytes of a part that a record before or here brought."""
        if ordinal not in self._known:
            self._remember(ordinal, self._reader.parts([ordinal])[ordinal].data)
        return self._known[ordinal]

    def listing(self) -> Counter[int]:
        """Return how many records list each part."""
        return Counter(ordinal for parts in self.lists for ordinal in set(parts))

    def _payload(self, entry: Entry) -> Iterator[Piece]:
        """Yield what a record brought, with a part on either side of it, joined as it was.

        The whole payload of each turn of a chat repeats the chat: to read only what is new keeps
        the reading linear.
        """
        own = {part.ordinal for part in entry.brought}
        near = [
            n
            for n in range(len(entry.parts))
            if any(0 <= m < len(entry.parts) and entry.parts[m] in own for m in (n - 1, n, n + 1))
        ]
        found: list[tuple[int | None, bytes]] = []
        for place, n in enumerate(near):
            if place and near[place - 1] != n - 1:
                found.append((None, _GAP))
            found.append(self._found(entry.parts[n]))
        yield Piece(entry.header.seq, found, whole=False)

    def _found(self, ordinal: int) -> tuple[int | None, bytes]:
        data = self.data(ordinal)
        return (None, _GAP) if data is None else (ordinal, data)

    def _continue(self, entry: Entry) -> Iterator[Piece]:
        """Take the body of a record behind those of its stream."""
        found = [self._found(ordinal) for ordinal in entry.parts]
        head = b""
        for n, (ordinal, data) in enumerate(found):
            if ordinal is None:  # the head is not here; it is one part, and the body follows
                found[n] = (None, b"" if len(found) > 1 else _GAP)
                break
            cut = data.find(b"\n")
            head += data if cut < 0 else data[:cut]
            found[n] = (ordinal, b"" if cut < 0 else data[cut + 1 :])
            if cut >= 0:
                break
        name = next((n for n, text in enumerate(_STREAM_NAMES) if text in head), len(_STREAM_NAMES))
        key = entry.header.answers, name
        self._open.setdefault(key, []).extend(found)
        self._open_bytes[key] += sum(len(data) for _, data in found)
        if self._open_bytes[key] > _PIECE_BYTES:
            kept = _end_of(self._open[key])
            yield self._closed(key, goes_on=True)
            self._open[key] = kept
            self._open_bytes[key] = sum(len(data) for _, data in kept)

    def _closed(self, key: _Key, *, goes_on: bool = False) -> Piece:
        del self._open_bytes[key]
        return Piece(key[0] or 0, self._open.pop(key), whole=True, goes_on=goes_on)

    def _remember(self, ordinal: int, data: bytes | None) -> None:
        self._known[ordinal] = data
        self._known_bytes += len(data or b"")
        while self._known_bytes > _CACHE_BYTES_MAX and len(self._known) > 1:
            _, oldest = self._known.popitem(last=False)
            self._known_bytes -= len(oldest or b"")


def _end_of(stream: list[tuple[int | None, bytes]]) -> list[tuple[int | None, bytes]]:
    """Return the last parts of a stream, so that nothing is hidden by the cut."""
    kept: list[tuple[int | None, bytes]] = []
    size = 0
    for found in reversed(stream):
        if size >= _OVERLAP_BYTES:
            break
        kept.insert(0, found)
        size += len(found[1])
    return kept
