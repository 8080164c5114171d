"""Puts an answer on the wire as its delivery says: latency, chunks, cuts, and early ends."""

from __future__ import annotations

import itertools
import socket
import zlib
from collections.abc import Callable, Iterable, Iterator

import msgspec

from orchestrator.testing.http_wire import LAST_CHUNK, encode_chunk, encode_head, linger_not
from orchestrator.testing.script import Abort, Delivery

__all__ = ["Response", "compress", "cut_into_chunks", "deliver"]

_GZIP_WINDOW_BITS = 31


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What goes over the wire.

    Attributes:
        status, headers: the head.
        pieces: the body; each piece is one chunk unless the delivery cuts otherwise.
        latency_ms: before the head.
        chunk_latencies_ms: between chunks, over and over; none if empty.
        delivery: the rest of how it is sent.
        echoed: the text that an echo repeats, encoded; its cuts count from each occurrence.
        echo_cut_at: byte offsets in it.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    pieces: tuple[bytes, ...]
    latency_ms: int = 0
    chunk_latencies_ms: tuple[int, ...] = ()
    delivery: Delivery = Delivery()
    echoed: bytes = b""
    echo_cut_at: tuple[int, ...] = ()


def deliver(connection: socket.socket, response: Response, pause_ms: Callable[[int], None]) -> bool:
    """Send a response; return whether the connection may carry another.

    Args:
        connection: a blocking socket; the caller closes it when the answer is False.
        response: what to send.
        pause_ms: waits; raises when the provider stops.

    Raises:
        OSError: The client went away.
    """
    delivery = response.delivery
    pause_ms(response.latency_ms)
    abort = delivery.abort
    if abort is not None and abort.after_bytes is None:
        return _end_early(connection, abort)
    headers = [*response.headers, *([] if delivery.keep_alive else [("connection", "close")])]
    connection.sendall(encode_head(response.status, headers))
    latencies = itertools.cycle(response.chunk_latencies_ms or (0,))
    left = None if abort is None else abort.after_bytes
    for number, chunk in enumerate(cut_into_chunks(response)):
        if number:
            pause_ms(next(latencies))
        if left is not None and abort is not None and len(chunk) >= left:
            if left:
                connection.sendall(encode_chunk(chunk[:left]))
            return _end_early(connection, abort)
        connection.sendall(encode_chunk(chunk))
        left = None if left is None else left - len(chunk)
    if abort is not None:
        return _end_early(connection, abort)
    connection.sendall(LAST_CHUNK)
    return delivery.keep_alive


def _end_early(connection: socket.socket, abort: Abort) -> bool:
    if abort.how == "reset":
        linger_not(connection)
    return False


def cut_into_chunks(response: Response) -> Iterator[bytes]:
    """Give out the chunks of a body: never an empty one, and together the body."""
    body = b"".join(response.pieces)
    offsets = set(response.delivery.cut_at)
    if response.delivery.chunk_sizes:
        offsets.update(_running_sums(itertools.cycle(response.delivery.chunk_sizes), len(body)))
    else:
        offsets.update(_running_sums((len(piece) for piece in response.pieces), len(body)))
    if response.delivery.cut_inside_characters:
        # A byte of the form 10xxxxxx goes on with a character.
        offsets.update(offset for offset, byte in enumerate(body) if byte & 0xC0 == 0x80)
    if response.echoed:
        found = body.find(response.echoed)
        while found >= 0:
            offsets.update(found + offset for offset in response.echo_cut_at)
            found = body.find(response.echoed, found + 1)
    edges = [0, *sorted(offset for offset in offsets if 0 < offset < len(body)), len(body)]
    return (body[start:end] for start, end in itertools.pairwise(edges) if start < end)


def _running_sums(sizes: Iterable[int], end: int) -> Iterator[int]:
    # A size below 1 would never reach the end.
    sums = itertools.accumulate(max(1, size) for size in sizes)
    return itertools.takewhile(lambda offset: offset < end, sums)


def compress(pieces: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Return the pieces as one gzip body that a reader can undo piece by piece."""
    compressor = zlib.compressobj(wbits=_GZIP_WINDOW_BITS)
    flushed = [compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
    return (*flushed, compressor.flush(zlib.Z_FINISH))
