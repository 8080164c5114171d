"""Which parts of a run hold something, after everything that can be decoded was decoded.

The one invariant: what a finder finds in any decoding of the run's bytes, or in what a reading of
an exchange makes of it, is traced to parts of the run. What no decoding here reads (another
compression, encryption, an image) is not seen; responses in such a coding are named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final, Protocol

import msgspec

from replay.doors.dialect import RequestView, ResponseView
from replay.erasure.streams import Piece, RunStreams
from replay.erasure.views import views_of
from replay.errors import IntegrityError
from replay.events.kinds import RequestSent, ResponseStarted
from replay.events.payload import decode_payload
from replay.log.port import LogReader

__all__ = ["Finder", "Found", "Readings", "search_run", "unread_coding"]

#: Codings of a body that hide nothing, and those that a view undoes, by its name for them.
_CODINGS_PLAIN: Final = frozenset({"", "identity"})
_CODINGS_UNDONE: Final = {"deflate": "deflate", "gzip": "gzip", "x-gzip": "gzip"}


class Finder(Protocol):
    """Finds what is looked for in bytes."""

    def spans(self, data: bytes) -> Iterable[tuple[int, int]]:
        """Yield start and end of each occurrence."""
        ...


class Readings(Protocol):
    """Reads an exchange as the texts that a vendor's format holds; installed dialects do."""

    def __call__(self, request: RequestView, response: ResponseView) -> Sequence[str]:
        """Return the texts of an exchange, whole."""
        ...


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Where something stands in a run.

    Attributes:
        streams: what is known of the run besides.
        parts: the decodings under which it stood in a part, by the part's ordinal.
        places: records whose place in the program, kept beside the log, holds it.
        unread: requests whose response is in a coding that nothing here undoes.
        limits: records of which a limit kept something from being decoded, and what.
    """

    streams: RunStreams
    parts: dict[int, tuple[str, ...]]
    places: tuple[int, ...]
    unread: tuple[int, ...]
    limits: tuple[tuple[int, str], ...] = ()

    def events(self) -> tuple[int, ...]:
        """Return the records that were the first to bring one of the parts."""
        return tuple(sorted({self.streams.brought_by[ordinal] for ordinal in self.parts}))

    def listing(self) -> Counter[str]:
        """Return how many records of each kind list one of the parts."""
        streams = self.streams
        touched = [not self.parts.keys().isdisjoint(parts) for parts in streams.lists]
        return Counter(kind for kind, hit in zip(streams.kinds, touched, strict=True) if hit)


def search_run(reader: LogReader, finder: Finder, readings: Readings | None = None) -> Found:
    """Look through a run.

    Args:
        reader: the run.
        finder: finds it in bytes.
        readings: reads exchanges of vendors; what it alone finds counts for the whole response.

    Raises:
        IntegrityError: the run cannot be read.
    """
    streams = RunStreams(reader)
    parts: dict[int, dict[str, None]] = {}
    places: list[int] = []
    unread: list[int] = []
    limits: dict[tuple[int, str], None] = {}
    for piece in streams.pieces():
        stopped: list[str] = []
        ways: set[str] = set()
        found = list(_in(piece, finder, stopped.append, ways))
        events = [streams.brought_by[n] for n in piece.parts(0, len(piece.data))] if stopped else []
        limits |= dict.fromkeys((seq, why) for why in stopped for seq in events)
        for how, ordinals in found:
            for ordinal in ordinals:
                parts.setdefault(ordinal, {})[how] = None
        if found and not piece.traced:
            places.append(piece.seq)
        if piece.whole and piece.seq in streams.heads:
            if unread_coding(streams, piece, ways):
                unread.append(piece.seq)
            head, _ = _head_of(streams, piece.seq)
            if readings is not None and head is not None and not found:
                request = _request_of(streams, piece.seq)
                if request is not None and _reads(readings, request, head, piece, finder):
                    for ordinal in piece.parts(0, len(piece.data)):
                        parts.setdefault(ordinal, {})["reading"] = None
    return Found(
        streams=streams,
        parts={ordinal: tuple(parts[ordinal]) for ordinal in sorted(parts)},
        places=tuple(places),
        unread=tuple(dict.fromkeys(unread)),
        limits=tuple(limits),
    )


def _in(
    piece: Piece, finder: Finder, stopped: Callable[[str], None], ways: set[str]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the decoding and the parts of each occurrence in a piece; note all first decodings."""
    for view in views_of(piece.data, stopped=stopped, goes_on=piece.goes_on):
        ways.update(view.how[:1])
        for start, stop in finder.spans(view.data):
            source = view.source(start, stop)
            yield " ".join(view.how) or "as it is", tuple(piece.parts(*source))


def unread_coding(streams: RunStreams, piece: Piece, ways: Collection[str]) -> str:
    """Return the content coding of a response that no view of its body undid; else nothing.

    Args:
        streams: of the run.
        piece: of it.
        ways: how the body could be decoded, by the first step of each view.

    Raises:
        IntegrityError: the head of the response cannot be read.
    """
    if not (piece.whole and piece.data and piece.seq in streams.heads):
        return ""
    _, coding = _head_of(streams, piece.seq)
    read = coding in _CODINGS_PLAIN or _CODINGS_UNDONE.get(coding) in ways
    return "" if read else coding


def _reads(
    readings: Readings, request: RequestView, head: ResponseStarted, piece: Piece, finder: Finder
) -> bool:
    """Whether a vendor's reading of an exchange holds what is looked for."""
    response = ResponseView(
        status=head.status, headers=head.headers, body=piece.data, complete=True
    )
    texts = readings(request, response)
    return any(True for text in texts for _ in finder.spans(text.encode("utf-8", "replace")))


def _head_of(streams: RunStreams, request: int) -> tuple[ResponseStarted | None, str]:
    """Return the head of the response to a request, and its content coding."""
    data = _payload(streams, streams.heads[request])
    if data is None:
        return None, ""
    payload, _ = decode_payload("json", data, streams.heads[request])
    if not isinstance(payload, ResponseStarted):
        raise IntegrityError("the head of a response is none", where=f"event {request}")
    coding = [value for name, value in payload.headers if name.lower() == "content-encoding"]
    return payload, ",".join(coding).strip().lower()


def _request_of(streams: RunStreams, seq: int) -> RequestView | None:
    data = _payload(streams, seq)
    if data is None or streams.kinds[seq] != "RequestSent":
        return None
    payload, body = decode_payload("framed", data, seq)
    if not isinstance(payload, RequestSent):
        return None
    return RequestView(
        method=payload.method,
        path=payload.path,
        query=payload.query,
        headers=payload.headers,
        body=body,
    )


def _payload(streams: RunStreams, seq: int) -> bytes | None:
    pieces = [streams.data(ordinal) for ordinal in streams.lists[seq]]
    known = [piece for piece in pieces if piece is not None]
    return b"".join(known) if len(known) == len(pieces) else None
