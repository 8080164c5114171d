"""The canonical header of a record: a closed schema whose bytes are the evidence.

Canonical JSON on the domain where RFC 8785 and msgspec agree: sorted ASCII keys, strings, integers
within plus or minus 2**53 - 1, lists; no floats. A field at its default is absent. Reading decodes,
encodes again and compares bytes, which refuses duplicate keys, white space, escapes, ``-0`` and
every other second spelling at once. Numbers, enumerations and commitments only: no header field can
hold free text.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from replay.errors import IntegrityError

__all__ = [
    "FORMAT_VERSION",
    "HEADER_SIZE_MAX",
    "INTEGER_MAX",
    "Header",
    "Media",
    "Outcome",
    "Trigger",
    "decode_header",
    "encode_header",
    "kind_in",
    "read_header",
]

FORMAT_VERSION: Final = 1
INTEGER_MAX: Final = 2**53 - 1
#: A gather over 100,000 tasks lists as many causes; anything longer is an attack.
HEADER_SIZE_MAX: Final = 1 << 20

Count = Annotated[int, msgspec.Meta(ge=0, le=INTEGER_MAX)]
# `$` alone would also match before a final line feed.
KindName = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
Commitment = Annotated[str, msgspec.Meta(min_length=64, max_length=64)]

#: How the payload is to be read; see :mod:`replay.events.payload`.
Media = Literal["json", "framed"]
Outcome = Literal["ok", "error", "cancelled", "timeout"]
#: What set the program going when this record was made: the start of the run, a delivered input,
#: a timer, or a delivery into a program that would not idle.
Trigger = Literal["start", "delivery", "timer", "busy"]


class Header(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    gc=False,
):
    """One record's header, format version 1. Fields stand in sorted order: the encoding is theirs.

    Attributes:
        answers: on inputs, the seq of the record that asked.
        callbacks: callbacks run since the last delivery; only on a delivery into a busy program.
        causes: seqs this record depends on directly, ascending, each below ``seq``.
        commitment: hex commitment to the payload's list of parts.
        index: ordinal of the record among those of its kind and task; an answer carries the
            index of the record that asked.
        kind: name from the catalogue of kinds.
        lamport: Lamport time, one more than the largest among the causes.
        media: how the payload is to be read.
        origin, principal, resource: seq of the record whose erasable payload holds them.
        outcome: how what is recorded ended.
        part: ordinal of this answer among the answers to the same question.
        participant: number of the thread, in order of creation; 0 is the main thread.
        seq: position in the log, from 0, without gaps.
        size: payload size in bytes.
        task: seq of the record that spawned the task or thread; 0 for the main thread.
        time: claimed time in microseconds since the Unix epoch, that of the last input.
        trigger: what set the program going.
        v: format version.
    """

    answers: Count | None = None
    callbacks: Count | None = None
    causes: tuple[Count, ...]
    commitment: Commitment
    index: Count
    kind: KindName
    lamport: Count
    media: Media
    origin: Count | None = None
    outcome: Outcome = "ok"
    part: Count | None = None
    participant: Count
    principal: Count | None = None
    resource: Count | None = None
    seq: Count
    size: Count
    task: Count
    time: Count
    trigger: Trigger = "delivery"
    v: Literal[1]


# Declared order is sorted order (a test holds it), so the plain encoder writes RFC 8785.
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Header)

encode_header = _ENCODER.encode
"""Encode a header to its canonical bytes."""

_decode = _DECODER.decode
_fromhex = bytes.fromhex
_KIND_KEY: Final = b'"kind":"'


def decode_header(raw: bytes, seq: int | None = None) -> Header:
    """Decode canonical header bytes.

    Args:
        raw: the bytes as stored.
        seq: the position at which they were found, if the caller knows it.

    Raises:
        IntegrityError: the bytes are not the canonical encoding of a known header version, or
            the header claims another position.
    """
    if len(raw) > HEADER_SIZE_MAX:
        raise _refused(f"header of {len(raw)} bytes is over the limit", seq)
    try:
        header = _decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _refused(f"header cannot be read: {error}", seq) from None
    if encode_header(header) != raw:
        raise _refused("header bytes are not canonical", seq)
    # A pattern in the schema would be a regular expression in Python, and half of the cost.
    kind, commitment = header.kind, header.commitment
    if not (kind.isalpha() and kind.isascii()):
        raise _refused("header names no kind", seq)
    try:
        if _fromhex(commitment).hex() != commitment:  # capitals, blanks
            raise _refused("header holds no commitment", seq)
    except ValueError:
        raise _refused("header holds no commitment", seq) from None
    if seq is not None and header.seq != seq:
        raise _refused(f"header claims position {header.seq}", seq)
    return header


def read_header(raw: bytes, seq: int | None = None) -> Header:
    """Decode header bytes that will be compared with bytes made here.

    So it is left to the comparison whether they are the canonical ones, which is half of the cost
    of :func:`decode_header`.

    Args:
        raw: the bytes as stored.
        seq: the position at which they were found.

    Raises:
        IntegrityError: the bytes are no header of a known version, or it claims another position.
    """
    try:
        header = _decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _refused(f"header cannot be read: {error}", seq) from None
    if seq is not None and header.seq != seq:
        raise _refused(f"header claims position {header.seq}", seq)
    return header


def kind_in(raw: bytes) -> bytes:
    """Return the kind that header bytes name, without decoding them; empty if there is none.

    What stands before it in a canonical header are numbers and hexadecimal digits. Bytes that are
    not one may name any kind here, and :func:`decode_header` refuses them.
    """
    start = raw.find(_KIND_KEY) + 8
    return raw[start : raw.find(b'"', start)] if start > 8 else b""


def _refused(message: str, seq: int | None) -> IntegrityError:
    return IntegrityError(message, where="" if seq is None else f"event {seq}")
