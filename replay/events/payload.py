"""Payload bytes: how a payload is written, cut into parts, and read.

Two media. ``json``: the payload is the head, one JSON object. ``framed``: the head, a line feed,
then a body whose exact bytes were on a wire or a stream. Bodies are cut by a versioned splitter so
that what repeats is stored once: a JSON body at its messages, other bodies above 16 KiB where their
own content says so.
"""

from __future__ import annotations

from typing import Final

import msgspec

from replay.errors import IntegrityError
from replay.events.header import Media
from replay.events.kinds import Payload

__all__ = ["SPLITTER_VERSION", "decode_payload", "encode_head", "split"]

SPLITTER_VERSION: Final = 1

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final[msgspec.json.Decoder[Payload]] = msgspec.json.Decoder(Payload)
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
#: The members that hold a conversation in the request bodies of today's providers.
_CONVERSATIONS: Final = ("messages", "contents", "input")

_CUT_ABOVE: Final = 16 * 1024
_CUT_MIN: Final = 2 * 1024
_CUT_MASK: Final = 0x7FF
_CUT_MULTIPLIER: Final = 0x9E3779B97F4A7C15

encode_head = _ENCODER.encode
"""Encode a payload head to its JSON bytes."""


def split(head: bytes, body: bytes | None) -> list[bytes]:
    """Cut a payload into the pieces that become its parts. Their concatenation is the payload.

    Args:
        head: encoded head.
        body: exact body bytes of a framed payload, or None for a payload that is its head.
    """
    if body is None:
        return [head] if len(head) <= _CUT_ABOVE else _cut_by_content(head)
    pieces = [head + b"\n"]
    if not body:
        return pieces
    if body[:1] == b"{":
        messages = _cut_at_messages(body)
        if messages is not None:
            return pieces + messages
    return pieces + ([body] if len(body) <= _CUT_ABOVE else _cut_by_content(body))


def decode_payload(media: Media, data: bytes, seq: int | None = None) -> tuple[Payload, bytes]:
    """Read a payload: its head and its body (empty for ``json``).

    Raises:
        IntegrityError: the head is not of the catalogue.
    """
    head, body = data, b""
    if media == "framed":
        head, separator, body = data.partition(b"\n")
        if not separator:
            raise IntegrityError("framed payload has no body", where=_where(seq))
    try:
        return _DECODER.decode(head), body
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise IntegrityError(f"payload cannot be read: {error}", where=_where(seq)) from None


def _where(seq: int | None) -> str:
    return "" if seq is None else f"event {seq}"


def _cut_at_messages(body: bytes) -> list[bytes] | None:
    """Cut a JSON object around each element of its conversation, or return None."""
    try:
        members = _OBJECT.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    for name in _CONVERSATIONS:
        raw = bytes(members.get(name, b""))
        if raw[:1] != b"[":
            continue
        try:
            elements = _ARRAY.decode(raw)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return None
        start = body.find(raw)
        if not elements or start < 0:
            return None
        cuts = [start + 1]
        position = start + 1
        for element in elements:
            text = bytes(element)
            position = body.find(text, position) + len(text)
            cuts.append(position)
        return [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True) if a < b]
    return None


def _cut_by_content(data: bytes) -> list[bytes]:
    """Cut at word boundaries whose neighbourhood hashes low: an insertion moves few cuts."""
    pieces: list[bytes] = []
    start = 0
    end = len(data)
    while end - start > _CUT_ABOVE:
        cut = start + _CUT_ABOVE
        position = start + _CUT_MIN
        while position < cut:
            position = _next_boundary(data, position, cut)
            word = int.from_bytes(data[position - 8 : position], "little")
            if not (word * _CUT_MULTIPLIER >> 40) & _CUT_MASK:
                cut = position
                break
            position += 1
        pieces.append(data[start:cut])
        start = cut
    pieces.append(data[start:])
    return pieces


def _next_boundary(data: bytes, position: int, limit: int) -> int:
    """Return the position after the next blank or line feed, at most ``limit``."""
    blank = data.find(b" ", position, limit)
    line = data.find(b"\n", position, limit if blank < 0 else blank)
    found = line if line >= 0 else blank
    return limit if found < 0 else found + 1
