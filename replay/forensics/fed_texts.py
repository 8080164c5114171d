"""Inputs of a run as texts that a program may have used: answers, readings, files, results."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from replay.events.kinds import (
    ChunksReceived,
    EffectReturned,
    EffectStarted,
    FileRead,
    ProcessWrote,
    Reading,
    ReadingsTaken,
    ResponseReceived,
    RunStarted,
    ToolCalled,
)
from replay.forensics.explain_records import entry_at, payload_of

if TYPE_CHECKING:
    from replay.events.entry import Entry
    from replay.log.port import LogReader

__all__ = ["Text", "leaves_of", "texts_of"]

_TEXT_MAX: Final = 256 << 10
_LEAVES_MAX: Final = 2000
_DEPTH_MAX: Final = 32
_LEAST: Final = 6
_RESULT_LEAST: Final = 4
_KINDS: Final = frozenset(
    {
        "ChunksReceived",
        "EffectReturned",
        "FileRead",
        "ProcessWrote",
        "ReadingsTaken",
        "ResponseReceived",
        "RunStarted",
        "ToolCalled",
    }
)


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """One text of an input.

    Attributes:
        event, kind: the record.
        what: what it is, for people.
        path: where in the record.
        text: the text.
        is_raw: whether it is bytes of a wire, which a dialect may have read as well.
        least: characters that a whole text must have to say anything; results of functions are
            known for what they are, so shorter ones count.
    """

    event: int
    kind: str
    what: str
    path: str
    text: str
    is_raw: bool = False
    least: int = _LEAST


def texts_of(reader: LogReader, entries: Sequence[Entry]) -> Iterator[Text]:
    """Yield the texts of records, in their order; then each body that came in chunks as one text.

    Args:
        reader: the run.
        entries: the records, nearest first.
    """
    bodies: dict[int, list[tuple[int, bytes]]] = {}
    for entry in entries:
        header = entry.header
        if header.kind not in _KINDS:
            continue
        read = payload_of(reader, entry)
        if read is None:
            continue
        payload, body = read
        if isinstance(payload, ChunksReceived):
            bodies.setdefault(header.answers or 0, []).append((header.seq, body))
            continue
        for what, path, text, least in _texts(reader, entry, payload, body):
            yield Text(
                event=header.seq,
                kind=header.kind,
                what=what,
                path=path,
                text=text[:_TEXT_MAX],
                least=least,
            )
    for asked, chunks in bodies.items():
        chunks.reverse()
        body = b"".join(data for _, data in chunks)[:_TEXT_MAX]
        for path, text in _wire(body):
            what = f"answer to event {asked}"
            yield Text(
                event=chunks[0][0],
                kind="ChunksReceived",
                what=what,
                path=path,
                text=text,
                is_raw=True,
                least=_LEAST,
            )


def _texts(
    reader: LogReader, entry: Entry, payload: object, body: bytes
) -> Iterator[tuple[str, str, str, int]]:
    """Yield (what, path, text, least length) of one record."""
    match payload:
        case ResponseReceived():
            yield "answer text", "text", payload.text, _LEAST
            yield "answer's thinking", "thinking", payload.thinking, _LEAST
        case ToolCalled():
            for path, text in leaves_of(payload.arguments.encode(), "arguments"):
                yield f"call of tool {payload.name}", path, text, _RESULT_LEAST
        case EffectReturned():
            name = _effect(reader, entry)
            for path, text in leaves_of(bytes(payload.value), "value"):
                yield f"result of {name}", path, text, _RESULT_LEAST
        case ReadingsTaken():
            for number, reading in enumerate(payload.readings):
                what = f"reading {reading.source} {reading.argument}".strip()
                for text in _readings(reading):
                    yield what, f"readings[{number}]", text, _LEAST
        case FileRead():
            yield f"file {payload.path}", "body", body.decode("utf-8", "replace"), _LEAST
        case ProcessWrote():
            what = f"{payload.stream} of a process"
            yield what, "body", body.decode("utf-8", "replace"), _LEAST
        case RunStarted():
            for number, argument in enumerate(payload.argv[1:], 1):
                yield "command line", f"argv[{number}]", argument, _RESULT_LEAST
        case _:
            return


def _effect(reader: LogReader, entry: Entry) -> str:
    asked = None if entry.header.answers is None else entry_at(reader, entry.header.answers)
    read = None if asked is None else payload_of(reader, asked)
    return read[0].name if read is not None and isinstance(read[0], EffectStarted) else "an effect"


def _readings(reading: Reading) -> Iterator[str]:
    """Yield the forms in which a program is likely to have used a reading."""
    try:
        value = msgspec.json.decode(reading.value)
    except msgspec.MsgspecError:
        return
    if isinstance(value, dict):
        for key, text in value.items():
            if key == "base64" and isinstance(text, str):
                try:
                    yield base64.b64decode(text, validate=True).hex()
                except (binascii.Error, ValueError):
                    continue
            elif isinstance(text, str):
                yield text
    elif reading.source == "time_ns" and isinstance(value, int):
        seconds = value // 1_000_000_000
        yield str(seconds)
        try:
            moment = datetime.fromtimestamp(seconds, UTC)
        except (OverflowError, ValueError, OSError):
            return
        yield moment.strftime("%Y-%m-%d")
        yield moment.strftime("%H:%M:%S")
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _wire(body: bytes) -> Iterator[tuple[str, str]]:
    """Yield the texts of a body: leaves of JSON, joined ones of a stream of JSON, or all of it."""
    leaves = list(leaves_of(body, "body"))
    if leaves:
        yield from leaves
        return
    joined: dict[str, list[str]] = {}
    for line in body.splitlines():
        if line.startswith(b"data:"):
            for path, text in leaves_of(line[5:].strip(), "data"):
                if len(joined) < _LEAVES_MAX:
                    joined.setdefault(path, []).append(text)
    if joined:
        yield from ((path, "".join(pieces)) for path, pieces in joined.items())
    else:
        yield "body", body.decode("utf-8", "replace")


def leaves_of(data: bytes, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield (path, text) of what a JSON value holds, at most 2000; numbers as they are written."""
    try:
        value: object = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return
    waiting: list[tuple[str, object, int]] = [(prefix, value, 0)]
    count = 0
    while waiting and count < _LEAVES_MAX:
        path, each, depth = waiting.pop()
        if isinstance(each, dict) and depth < _DEPTH_MAX:
            waiting += [(f"{path}.{key}", inner, depth + 1) for key, inner in each.items()][::-1]
        elif isinstance(each, list) and depth < _DEPTH_MAX:
            waiting += [(f"{path}[{n}]", inner, depth + 1) for n, inner in enumerate(each)][::-1]
        elif isinstance(each, str):
            count += 1
            yield path, each
        elif isinstance(each, int | float) and not isinstance(each, bool):
            count += 1
            yield path, msgspec.json.encode(each).decode()
