"""A decoder of server-sent events: bytes in, events out.

The one invariant: the events depend on the bytes only, never on where they were cut. No I/O.
Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

__all__ = ["EventStreamDecoder", "StreamEvent"]

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_DEFAULT_NAME: Final = "message"


class StreamEvent(msgspec.Struct, frozen=True):
    """One event: its name (``message`` if none was given) and its data."""

    name: str
    data: str


class EventStreamDecoder:
    """Decodes one stream, fed piece by piece.

    An event that no blank line ends is never given out, as the specification asks. ``id`` and
    ``retry`` are ignored: they steer reconnecting, and nobody reconnects here.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._at_start = True
        self._after_carriage_return = False
        # The event that is being collected.
        self._name = ""
        self._data: list[str] = []

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take the next bytes and return the events that they complete, in order."""
        events: list[StreamEvent] = []
        if self._after_carriage_return and data:
            # The line ended at the CR; an LF that follows in the next piece belongs to it.
            data = data.removeprefix(b"\n")
            self._after_carriage_return = False
        self._buffer += data
        start = 0
        while found := _LINE_END.search(self._buffer, max(start, self._searched)):
            line = bytes(self._buffer[start : found.start()])
            start = found.end()
            if found.group() == b"\r" and start == len(self._buffer):
                self._after_carriage_return = True
            event = self._take_line(line)
            if event is not None:
                events.append(event)
        del self._buffer[:start]
        self._searched = len(self._buffer)
        return events

    def _take_line(self, line: bytes) -> StreamEvent | None:
        if self._at_start:
            line = line.removeprefix(_BYTE_ORDER_MARK)
            self._at_start = False
        if not line:
            return self._dispatch()
        # Line ends are ASCII, so a line holds whole characters; the specification asks for
        # replacement of what is not UTF-8.
        field, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        return None

    def _dispatch(self) -> StreamEvent | None:
        name, lines = self._name or _DEFAULT_NAME, self._data
        self._name, self._data = "", []
        return StreamEvent(name, "\n".join(lines)) if lines else None
