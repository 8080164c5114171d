"""HTTP/1.1 as far as a scripted provider needs it: reads requests, writes heads and chunks.

The one invariant: a request is bounded before it is read. Written on plain sockets, so that every
chunk and every reset is exactly where the script wants it, and so that nothing here depends on an
event loop that an engine under test has taken over.
"""

from __future__ import annotations

import re
import socket
import struct
from typing import Final

import msgspec

__all__ = [
    "LAST_CHUNK",
    "Head",
    "RefusedRequestError",
    "RequestReader",
    "encode_chunk",
    "encode_head",
    "linger_not",
]

#: What ends a chunked body.
LAST_CHUNK: Final = b"0\r\n\r\n"


HEAD_SIZE_MAX: Final = 65_536
_RECEIVE_SIZE: Final = 65_536
_REQUEST_LINE: Final = re.compile(rb"([A-Z]{1,16}) (/[^ ]*) HTTP/1\.1")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", re.DOTALL)
_DIGITS: Final = re.compile(r"[0-9]{1,12}")
_REASONS: Final = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found",
    405: "Method Not Allowed", 411: "Length Required", 413: "Content Too Large",
    429: "Too Many Requests", 431: "Request Header Fields Too Large",
    500: "Internal Server Error", 503: "Service Unavailable", 529: "Overloaded",
}  # fmt: skip


class RefusedRequestError(Exception):
    """A request that is not read; the connection ends after the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Request line and header fields of a request; names in lower case."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]

    def values(self, name: str) -> list[str]:
        """Return all values of a header."""
        return [value for key, value in self.headers if key == name]


class RequestReader:
    """Reads one request after the other from a connection.

    Args:
        connection: a blocking socket; its owner closes it.
        body_size_max: bytes of a body that are accepted at most.
    """

    def __init__(self, connection: socket.socket, body_size_max: int) -> None:
        self._connection = connection
        self._body_size_max = body_size_max
        self._buffer = bytearray()

    def read(self) -> tuple[Head, bytes] | None:
        """Return the next request, or None when the client is done.

        Raises:
            RefusedRequestError: The request is malformed or too large.
            OSError: The connection broke.
        """
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > HEAD_SIZE_MAX:
                raise RefusedRequestError(431, "the head is too large")
            if not self._receive():
                return None
        if end > HEAD_SIZE_MAX:
            raise RefusedRequestError(431, "the head is too large")
        head = _parse_head(bytes(self._buffer[:end]))
        del self._buffer[: end + 4]
        size = self._body_size(head)
        if "100-continue" in [value.lower() for value in head.values("expect")]:
            self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(self._buffer) < size:
            if not self._receive():
                return None
        body = bytes(self._buffer[:size])
        del self._buffer[:size]
        return head, body

    def _receive(self) -> bool:
        data = self._connection.recv(_RECEIVE_SIZE)
        self._buffer += data
        return bool(data)

    def _body_size(self, head: Head) -> int:
        if head.values("transfer-encoding"):
            raise RefusedRequestError(411, "a body needs a content-length")
        lengths = head.values("content-length")
        if not lengths:
            return 0
        if len(lengths) > 1 or not _DIGITS.fullmatch(lengths[0]):
            raise RefusedRequestError(400, "the content-length is malformed")
        if int(lengths[0]) > self._body_size_max:
            raise RefusedRequestError(413, "the body is too large")
        return int(lengths[0])


def _parse_head(data: bytes) -> Head:
    request_line, *lines = data.split(b"\r\n")
    matched = _REQUEST_LINE.fullmatch(request_line)
    if matched is None:
        raise RefusedRequestError(400, "the request line is malformed")
    path, _, query = matched[2].decode("latin-1").partition("?")
    headers: list[tuple[str, str]] = []
    for line in lines:
        found = _FIELD.fullmatch(line)
        if found is None:
            raise RefusedRequestError(400, "a header field is malformed")
        headers.append((found[1].decode("ascii").lower(), found[2].decode("latin-1")))
    return Head(method=matched[1].decode(), path=path, query=query, headers=tuple(headers))


def encode_head(status: int, headers: list[tuple[str, str]]) -> bytes:
    """Return the head of a response with a chunked body.

    Raises:
        ValueError: A header would break the head.
    """
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Scripted')}"]
    for name, value in [*headers, ("transfer-encoding", "chunked")]:
        if "\r" in name + value or "\n" in name + value:
            raise ValueError(f"header {name!r} holds a line end")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def encode_chunk(data: bytes) -> bytes:
    """Return one chunk; empty data would end the body and is a mistake."""
    assert data
    return b"%x\r\n%s\r\n" % (len(data), data)


def linger_not(connection: socket.socket) -> None:
    """Make the next close of a connection send a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
