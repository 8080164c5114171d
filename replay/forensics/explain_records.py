"""Records of a run as an explanation reads them: whole, payload or nothing, never an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.errors import IntegrityError
from replay.events.payload import decode_payload

if TYPE_CHECKING:
    from replay.events.entry import Entry
    from replay.events.kinds import Payload
    from replay.log.port import LogReader

__all__ = ["entry_at", "payload_of", "raw_payload"]


def entry_at(reader: LogReader, seq: int) -> Entry | None:
    """Return the record at a position, None behind the end."""
    return next(iter(reader.entries(seq, seq + 1)), None)


def raw_payload(reader: LogReader, entry: Entry) -> bytes | None:
    """Return the payload bytes of a record, None where a part of them is gone."""
    own = {part.ordinal: part.data for part in entry.brought}
    wanted = sorted({ordinal for ordinal in entry.parts if ordinal not in own})
    if wanted:
        own.update({ordinal: part.data for ordinal, part in reader.parts(wanted).items()})
    pieces: list[bytes] = []
    for ordinal in entry.parts:
        data = own.get(ordinal)
        if data is None:
            return None
        pieces.append(data)
    return b"".join(pieces)


def payload_of(reader: LogReader, entry: Entry) -> tuple[Payload, bytes] | None:
    """Return head and body of a record, None where it is gone or of an unknown kind."""
    try:
        data = raw_payload(reader, entry)
        if data is None:
            return None
        return decode_payload(entry.header.media, data, entry.header.seq)
    except IntegrityError:
        return None
