"""The records of a run as the verbs read them: header, payload if it is there, place."""

from __future__ import annotations

import base64
import contextlib
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from replay.errors import IntegrityError
from replay.events.digest import content_hash
from replay.events.entry import Entry, PartState
from replay.events.header import Header
from replay.events.kinds import CATALOGUE, Payload
from replay.events.payload import decode_payload
from replay.log.port import LogReader
from replay.session.opening import open_run

__all__ = ["Event", "PayloadState", "iter_events", "opened"]

_CACHE_BYTES_MAX: Final = 16 << 20

#: ``unknown``: of a kind that this version does not know; it verifies all the same.
PayloadState = Literal["present", "erased", "withheld", "missing", "unknown"]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record.

    Attributes:
        name: the event's content hash, hex.
        header: its header.
        state: whether the payload is here, and why not.
        payload: the head of the payload, None unless it is present.
        body: what follows the head, where it is UTF-8 text.
        body_base64: what follows the head, where it is not.
        place: where in the program, for people; hashed nowhere.
    """

    name: str
    header: Header
    state: PayloadState
    payload: Payload | None = None
    body: str | None = None
    body_base64: str | None = None
    place: str | None = None


@contextlib.contextmanager
def opened(run: str, workspace: Path) -> Iterator[LogReader]:
    """Open a run of the workspace, or a bundle, and close it again."""
    reader = open_run(run, workspace=workspace)
    try:
        yield reader
    finally:
        reader.close()


def iter_events(reader: LogReader, first: int = 0, last: int | None = None) -> Iterator[Event]:
    """Yield the records of a run, in order.

    Raises:
        IntegrityError: one of them cannot be read.
    """
    kept: OrderedDict[int, bytes] = OrderedDict()  # a dict finds its oldest ever more slowly
    size_bytes = 0
    for entry in reader.entries(first, last):
        for part in entry.brought:
            if part.data is not None:
                kept[part.ordinal] = part.data
                size_bytes += len(part.data)
        yield _event(entry, reader, kept)
        while size_bytes > _CACHE_BYTES_MAX:
            size_bytes -= len(kept.popitem(last=False)[1])


def _event(entry: Entry, reader: LogReader, kept: dict[int, bytes]) -> Event:
    header, name = entry.header, content_hash(entry.raw)
    data, state = _payload(entry, reader, kept)
    if data is None:
        return Event(name=name, header=header, state=state, place=entry.place)
    if header.kind not in CATALOGUE:
        return Event(name=name, header=header, state="unknown", place=entry.place)
    payload, body = decode_payload(header.media, data, header.seq)
    text: str | None = None
    coded: str | None = None
    if header.media == "framed":
        try:
            text = body.decode()
        except UnicodeDecodeError:
            coded = base64.b64encode(body).decode()
    return Event(
        name=name,
        header=header,
        state="present",
        payload=payload,
        body=text,
        body_base64=coded,
        place=entry.place,
    )


def _payload(
    entry: Entry, reader: LogReader, kept: dict[int, bytes]
) -> tuple[bytes | None, PartState]:
    own = {part.ordinal: part for part in entry.brought}
    wanted = sorted({n for n in entry.parts if n not in own and n not in kept})
    if wanted:
        own.update(reader.parts(wanted))
    pieces: list[bytes] = []
    for ordinal in entry.parts:
        part = own.get(ordinal)
        data = kept.get(ordinal) if part is None else part.data
        if data is None:
            if part is None:
                raise IntegrityError("a part is missing", where=f"event {entry.header.seq}")
            return None, part.state
        pieces.append(data)
    return b"".join(pieces), "present"
