"""Secrets in token streams: a value split over the deltas of an event stream.

A model that repeats a key sends it a few characters at a time, each inside a JSON event of its own,
so no run of bytes holds it. The strings of one member (``text``, ``partial_json`` …) are one
channel, and each channel is scrubbed as the stream of characters that the program will put
together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from replay.secrets.scrub import Scrubber, StreamScrubber

__all__ = ["DeltaScrubber"]

#: Members whose strings providers send piece by piece.
_OPENING: Final = re.compile(
    rb'"(arguments|completion|content|delta|partial_json|reasoning|reasoning_content|refusal'
    rb'|response|text|thinking)"\s{0,8}:\s{0,8}"'
)
#: Longer than any opening: what must be remembered of a chunk to find one across the cut.
_OPENING_BYTES_MAX: Final = 48
_STRING: Final = re.compile(rb'(?:[^"\\]|\\.)*', re.DOTALL)


class DeltaScrubber:
    """Scrubs the chunks of one body, as bytes and as the channels of text inside them."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._whole = scrubber.stream()
        self._channels: dict[bytes, StreamScrubber] = {}
        # Where the last chunk ended: inside a channel's string, after a backslash, or before.
        self._inside: StreamScrubber | None = None
        self._escaped = False
        self._tail = b""

    def feed(self, chunk: bytes) -> bytes:
        """Return the scrubbed chunk, of the same length; nothing is held back."""
        kept = self._whole.feed(chunk)
        changed: bytearray | None = None
        for start, end, channel in self._strings(chunk):
            piece = chunk[start:end]
            own = channel.feed(piece)
            if own == piece:
                continue
            changed = bytearray(kept) if changed is None else changed
            for offset, (before, after) in enumerate(zip(piece, own, strict=True)):
                if before != after:
                    changed[start + offset] = after
        return kept if changed is None else bytes(changed)

    def _strings(self, chunk: bytes) -> Iterator[tuple[int, int, StreamScrubber]]:
        """Yield where the strings of channels stand in a chunk, and whose they are."""
        position = 0
        while position < len(chunk):
            if self._inside is None:
                found = self._opening(chunk, position)
                if found is None:
                    self._tail = (self._tail + chunk[position:])[-_OPENING_BYTES_MAX:]
                    return
                position, name = found
                self._inside = self._channels.setdefault(name, self._scrubber.stream())
                self._escaped = False
                continue
            start = position
            if self._escaped:
                position += 1
                self._escaped = False
            match = _STRING.match(chunk, position)
            position = match.end() if match is not None else position
            if position < len(chunk) and chunk[position] == 0x5C:  # a backslash ends the chunk
                position += 1
                self._escaped = True
            if position > start:
                yield start, position, self._inside
            if position < len(chunk):
                self._inside, self._tail = None, b""
                position += 1

    def _opening(self, chunk: bytes, position: int) -> tuple[int, bytes] | None:
        """Return where the next string of a channel begins, and the member's name."""
        joined = self._tail + chunk[position:]
        match = _OPENING.search(joined)
        if match is None:
            return None
        begin = match.end() - len(self._tail) + position
        self._tail = b""
        return begin, match.group(1)
