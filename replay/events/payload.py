"""Payload bytes: how a payload is written, cut into parts, and read.

Two media. ``json``: the payload is the head, one JSON object. ``framed``: the head, a line feed,
then a body whose exact bytes were on a wire or a stream. Payloads are cut by a versioned splitter
so that what repeats is stored once: a JSON body at its messages, then whatever is above 16 KiB
where its own content says so. A small body that is not cut stays with its head: a part of its own
costs a salt, a commitment and a row.
"""

from __future__ import annotations

import re
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

#: A body of at most so many bytes that has no conversation is one part with its head.
_JOINED_MAX: Final = 1024

_CUT_ABOVE: Final = 16 * 1024
_CUT_MIN: Final = 1024


def _rests(*rests: int) -> bytes:
    """Return a pattern of bytes that leave these rests, one after the other, divided by 5."""
    classes = (bytes(byte for byte in range(256) if byte % 5 == rest) for rest in rests)
    return b"".join(b"[" + b"".join(b"\\x%02x" % byte for byte in each) + b"]" for each in classes)


#: The end of a word, or a letter beyond ASCII, behind three bytes as one place in 60 has them. Of
#: documents, code, JSON and prose read again with small changes this kept 20 to 40 % of the bytes;
#: a hash of the eight bytes before, which Python computes at a seventh of the speed, 25 to 90 %.
_CUT: Final = re.compile(
    b"(?:" + _rests(1, 3, 0) + b"|" + _rests(4, 2, 1) + b")[ \\n,\\x80-\\xff]", re.DOTALL
)

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
    line = head + b"\n"
    if body[:1] == b"{":
        messages = _cut_at_messages(body)
        if messages is not None:
            pieces = [line]
            for message in messages:
                if len(message) <= _CUT_ABOVE:
                    pieces.append(message)
                else:
                    pieces += _cut_by_content(message)
            return pieces
    if len(body) <= _JOINED_MAX:
        return [line + body]
    return [line, body] if len(body) <= _CUT_ABOVE else [line, *_cut_by_content(body)]


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
        once = _each_name_once(head)
        if once is not None:
            return once, body
        raise IntegrityError(f"payload cannot be read: {error}", where=_where(seq)) from None


def _each_name_once(head: bytes) -> Payload | None:
    """Return a head in which repeated names were in the way, None if it is none without them.

    Of a repeated name the last counts; a typed decoder asks for the type of all. But a head begins
    with its kind, and is of no other one further on.
    """
    try:
        payload = _DECODER.decode(_ENCODER.encode(_OBJECT.decode(head)))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return payload if head.startswith(b'{"kind":"%b"' % type(payload).__name__.encode()) else None


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
    """Cut where the neighbourhood says so: an insertion moves few cuts."""
    pieces: list[bytes] = []
    start = 0
    end = len(data)
    while end - start > _CUT_ABOVE:
        found = _CUT.search(data, start + _CUT_MIN, start + _CUT_ABOVE)
        cut = start + _CUT_ABOVE if found is None else found.end()
        pieces.append(data[start:cut])
        start = cut
    pieces.append(data[start:])
    return pieces
