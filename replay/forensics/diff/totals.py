"""What a run did and spent, by task and as a whole: for putting two runs side by side.

The one invariant: what is not known is counted as unknown, never as nothing. Texts are kept up to a
limit, and beyond it by size and digest.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from replay.events.kinds import (
    CodeLoaded,
    FileWritten,
    OutputWritten,
    Payload,
    ResponseReceived,
    RunEnded,
    RunSealed,
    RunStarted,
)

if TYPE_CHECKING:
    from replay.events.header import Header

__all__ = ["FILES_MAX", "Stream", "TaskTotals", "Totals", "WrittenFile"]

FILES_MAX: Final = 10_000
_TEXT_MAX: Final = 256 << 10
_SOURCES_BYTES_MAX: Final = 16 << 20


class TaskTotals(msgspec.Struct, kw_only=True):
    """What one task did, itself and not by its children.

    Attributes:
        records: its records.
        requests: requests and effects that it sent.
        input_tokens, output_tokens: sums of what providers said.
        unknown: responses that said nothing about it.
        first_us, last_us: claimed times of its first and last record.
    """

    records: int = 0
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    unknown: int = 0
    first_us: int = 0
    last_us: int = 0


class Stream:
    """All that was written to one stream: the beginning of its text, its size and digest."""

    def __init__(self) -> None:
        self.text = bytearray()
        self.size = 0
        self._hasher = hashlib.blake2b(digest_size=16)

    def write(self, data: bytes) -> None:
        """Take what was written next."""
        self._hasher.update(data)
        self.size += len(data)
        if len(self.text) < _TEXT_MAX:
            self.text += data[: _TEXT_MAX - len(self.text)]

    def same_as(self, other: Stream) -> bool:
        """Return whether the same was written to both."""
        return (self.size, self._hasher.digest()) == (other.size, other._hasher.digest())


class WrittenFile(msgspec.Struct, frozen=True, kw_only=True):
    """A written file as it was closed last.

    Attributes:
        seq: the record.
        size: bytes of the whole file.
        content: a digest of what is on record of it; None where that is itself a keyed digest.
    """

    seq: int
    size: int
    content: bytes | None


class Totals:
    """Sums over the records of a run.

    Attributes:
        tasks: by the number of their path, in order of their first record.
        streams, files: by name.
        omitted_files: files beyond the limit.
    """

    def __init__(self) -> None:
        self.tasks: dict[int, TaskTotals] = {}
        self.streams: dict[str, Stream] = {}
        self.files: dict[str, WrittenFile] = {}
        self.omitted_files = 0
        #: The program's own source files: text, or what is known instead.
        self.sources: dict[str, str] = {}
        self.distributions: dict[str, str] = {}
        self.started: RunStarted | None = None
        self.ended: RunEnded | None = None
        self.reason: str | None = None
        self.first_us = 0
        self.last_us = 0

    def add(self, header: Header, path: int, payload: Payload | None, body: bytes) -> None:
        """Take a record."""
        time = header.time
        task = self.tasks.get(path)
        if task is None:
            task = self.tasks[path] = TaskTotals(first_us=time)
        if not header.seq:
            self.first_us = time
        self.last_us = task.last_us = time
        task.records += 1
        if header.kind in {"RequestSent", "EffectStarted", "ProcessStarted"}:
            task.requests += 1
        match payload:
            case ResponseReceived():
                if payload.input_tokens is None or payload.output_tokens is None:
                    task.unknown += 1
                task.input_tokens += payload.input_tokens or 0
                task.output_tokens += payload.output_tokens or 0
            case OutputWritten():
                if payload.stream in self.streams or len(self.streams) < 8:
                    self.streams.setdefault(payload.stream, Stream()).write(body)
            case FileWritten():
                self._wrote(header.seq, payload, body)
            case CodeLoaded():
                self._loaded(payload, body)
            case RunStarted():
                self.started = payload
            case RunEnded():
                self.ended = payload
            case RunSealed():
                self.reason = payload.reason
            case _:
                pass

    def _loaded(self, payload: CodeLoaded, body: bytes) -> None:
        self.distributions = dict(payload.distributions)
        start = 0
        for file in payload.files:
            if file.state != "kept":
                self.sources[file.path] = f"({file.state}, {file.size} bytes)"
                continue
            end = start + file.size
            text = body[start:end] if end <= _SOURCES_BYTES_MAX else b"(too much source)"
            self.sources[file.path] = text.decode("utf-8", "backslashreplace")
            start = end

    def _wrote(self, seq: int, payload: FileWritten, body: bytes) -> None:
        known = self.files.get(payload.path)
        if known is None and len(self.files) >= FILES_MAX:
            self.omitted_files += 1
            return
        content: bytes | None = None
        if payload.digest is None:
            # Of a file that was appended to, the record has what is new: its past goes with it.
            past = b"" if known is None or not payload.offset else known.content or b""
            content = hashlib.blake2b(past + b"\0" + body, digest_size=16).digest()
        self.files[payload.path] = WrittenFile(seq=seq, size=payload.size, content=content)
