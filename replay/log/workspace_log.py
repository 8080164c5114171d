"""The workspace log: one framed record for each run that began, ended, left or came in.

The one invariant: it only grows, and what was acknowledged is there. Several processes append at
once under the file's lock; each first reads what the others wrote. The head beside the file tells
an interrupted append, whose bytes nobody was told of, from a log that lost records.

Frame: header size, header, number of parts of the payload, their ordinals, then each part that the
record brings: state, salt size, data size, commitment, salt, data. Numbers are unsigned little
endian, of 32 bits but for state and salt size (8). The frame around it is that of
:mod:`replay.log.frames`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from replay.errors import IntegrityError
from replay.events.digest import COMMITMENT_BYTES, SALT_BYTES
from replay.events.entry import Entry, Part, PartState
from replay.events.header import Header, decode_header, encode_header
from replay.events.parts import PartTable, check_part
from replay.events.payload import encode_head, split
from replay.events.workspace_kinds import (
    TailCut,
    WorkspaceCreated,
    WorkspacePayload,
    decode_workspace_payload,
)
from replay.log.frames import FrameFile, Frames, encode_frame, read_frames
from replay.log.head import read_head, write_head
from replay.log.run_id import new_run_id
from replay.tree import Checkpoint, Frontier, workspace_leaf

__all__ = ["LOG_NAME", "WorkspaceLog", "decode_entry", "encode_entry", "payloads_of"]

LOG_NAME: Final = "workspace.log"
_ORIGIN: Final = "ritornello/workspace/"
_STATES: Final[tuple[PartState, ...]] = ("present", "erased", "withheld", "missing")


class WorkspaceLog:
    """Appends to the log of one workspace directory and reads it.

    Args:
        directory: the workspace directory.
        entropy: gives so many random bytes, for salts and the workspace id.

    What is remembered between appends is written only under the file's lock, which also keeps
    threads apart; reading the log anew needs none of it.
    """

    def __init__(self, directory: Path, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._directory = directory
        self._path = directory / LOG_NAME
        self._entropy = entropy
        self._forget()

    def append(self, payload: WorkspacePayload, now_us: int) -> None:
        """Append a record durably.

        Args:
            payload: what happened.
            now_us: claimed time in microseconds since the Unix epoch.

        Raises:
            IntegrityError: the log is damaged; nothing was written.
            LogError: the record could not be made durable.

        Complexity: linear in what was written since this object last looked.
        """
        with FrameFile.locked(self._path) as file:
            try:
                self._append_locked(file, payload, now_us)
            except BaseException:
                self._forget()
                raise

    def erase(self, parts: frozenset[int]) -> None:
        """Write the log anew without some parts; its records, size and root stay.

        Args:
            parts: ordinals.

        Raises:
            IntegrityError: the log is damaged; nothing was written.
            LogError: the disk refuses; the old log or the new one is in place, whole.
        """
        with FrameFile.locked(self._path) as file:
            self._forget()
            frames = file.read()
            if frames.tail_bytes:
                raise IntegrityError("the end of the log cannot be read", where=str(self._path))
            file.replace([encode_entry(_without(entry, parts)) for entry in _decode_all(frames, 0)])

    def entries(self) -> tuple[list[Entry], int]:
        """Return all whole records and the number of bytes after them. Changes nothing.

        Raises:
            IntegrityError: a frame is whole but does not hold a record.
            LogError: the file cannot be read.
        """
        entries, tail_bytes, damage = self.readable()
        if damage is not None:
            raise IntegrityError(damage, where=f"workspace record {len(entries)}")
        return entries, tail_bytes

    def readable(self) -> tuple[list[Entry], int, str | None]:
        """Return as :meth:`entries`, and what is wrong with the first record that is not one."""
        entries: list[Entry] = []
        if not self._path.exists():
            return entries, 0, None
        frames = read_frames(self._path)
        try:
            entries.extend(_decode_all(frames, 0))
        except IntegrityError as error:
            return entries, frames.tail_bytes, error.message
        return entries, frames.tail_bytes, None

    def head(self) -> Checkpoint | None:
        """Return the checkpoint beside the log, if there is one."""
        return read_head(self._directory)

    def _forget(self) -> None:
        self._end = 0
        # The last frame that was read, by which a log that was written anew since is known.
        self._last = b""
        self._frontier = Frontier()
        self._indexes: Counter[str] = Counter()
        self._table = PartTable(lambda _: self._entropy(SALT_BYTES))
        self._origin = ""

    def _append_locked(self, file: FrameFile, payload: WorkspacePayload, now_us: int) -> None:
        cut_bytes = self._catch_up(file)
        payloads: list[WorkspacePayload] = []
        if not self._frontier.size:
            workspace = new_run_id(now_us // 1000, self._entropy(10))
            payloads.append(WorkspaceCreated(workspace=workspace))
            self._origin = _ORIGIN + workspace
        if cut_bytes:
            payloads.append(TailCut(size_bytes=cut_bytes))
        payloads.append(payload)
        entries = [self._enter(each, now_us) for each in payloads]
        frames = [encode_entry(entry) for entry in entries]
        self._end += file.append(frames)
        self._last = encode_frame(frames[-1])
        head = Checkpoint(self._origin, self._frontier.size, self._frontier.root())
        write_head(self._directory, head)

    def _catch_up(self, file: FrameFile) -> int:
        """Read what others appended; cut a torn tail off and return its size."""
        head = read_head(self._directory)
        known: tuple[int, bytes] | None = None
        if not file.has(self._last, self._end):
            # Written anew, if its tree goes on where it was.
            known = self._frontier.size, self._frontier.root()
            self._forget()
        frames = file.read(self._end)
        agrees = head is None or head.size < self._frontier.size
        for entry in _decode_all(frames, self._frontier.size, len(self._table)):
            agrees = agrees or self._agrees(head)
            self._remember(entry)
            if known is not None and known == (self._frontier.size, self._frontier.root()):
                known = None
        if known is not None:
            raise IntegrityError(
                "the workspace log does not hold any more what it held",
                where=str(self._path),
                hint="restore the directory from a copy",
            )
        if not agrees and not self._agrees(head):
            raise IntegrityError(
                "the workspace log is shorter than its head, or another one",
                where=str(self._path),
                hint="restore the directory from a copy; `ritornello runs --verify` says more",
            )
        if frames.ends:
            self._end = frames.ends[-1]
            self._last = encode_frame(frames.frames[-1])
        if frames.tail_bytes:
            if head is None and self._frontier.size:
                raise IntegrityError(
                    "the end of the workspace log cannot be read, and its head is gone",
                    where=str(self._path),
                    hint="restore both from a copy",
                )
            file.cut_tail(self._end)
        return frames.tail_bytes

    def _agrees(self, head: Checkpoint | None) -> bool:
        """Return whether the records so far are those that the head speaks of."""
        return (
            head is not None
            and head.size == self._frontier.size
            and head.root == self._frontier.root()
        )

    def _remember(self, entry: Entry) -> None:
        for part in entry.brought:
            check_part(part, f"workspace record {entry.header.seq}")
            self._table.known(part)
        self._frontier.append(workspace_leaf(entry.raw))
        self._indexes[entry.header.kind] += 1
        if not self._origin:
            _, payload = next(payloads_of([entry]))
            if not isinstance(payload, WorkspaceCreated):
                raise IntegrityError(
                    "the workspace log does not begin with WorkspaceCreated",
                    where=str(self._path),
                )
            self._origin = _ORIGIN + payload.workspace

    def _enter(self, payload: WorkspacePayload, now_us: int) -> Entry:
        """Make the next record, whose only cause is the one before."""
        seq = self._frontier.size
        kind = str(payload.__struct_config__.tag)
        refs, brought, commitment, size = self._table.commit(split(encode_head(payload), None))
        header = Header(
            causes=(seq - 1,) if seq else (),
            commitment=commitment,
            index=self._indexes[kind],
            kind=kind,
            lamport=seq,
            media="json",
            participant=0,
            seq=seq,
            size=size,
            task=0,
            time=now_us,
            v=1,
        )
        raw = encode_header(header)
        self._indexes[kind] += 1
        self._frontier.append(workspace_leaf(raw))
        return Entry(header=header, raw=raw, parts=refs, brought=brought)


def payloads_of(entries: Iterable[Entry]) -> Iterator[tuple[Header, WorkspacePayload | None]]:
    """Yield what each record of a whole log says, or None where that was erased.

    Raises:
        IntegrityError: a payload cannot be read.
    """
    parts: list[bytes | None] = []
    for entry in entries:
        parts += [part.data for part in entry.brought]
        where = f"workspace record {entry.header.seq}"
        if not all(ref < len(parts) for ref in entry.parts):
            raise IntegrityError("the payload names a part that the log never had", where=where)
        pieces = [parts[ref] for ref in entry.parts]
        known = [piece for piece in pieces if piece is not None]
        payload = None
        if len(known) == len(pieces):
            payload = decode_workspace_payload(b"".join(known), entry.header.seq)
        yield entry.header, payload


def encode_entry(entry: Entry) -> bytes:
    """Return the content of a record's frame."""
    out = [len(entry.raw).to_bytes(4, "little"), entry.raw]
    out += [number.to_bytes(4, "little") for number in (len(entry.parts), *entry.parts)]
    for part in entry.brought:
        out.append(bytes((_STATES.index(part.state), len(part.salt))))
        out += [part.size.to_bytes(4, "little"), part.commitment, part.salt, part.data or b""]
    return b"".join(out)


def decode_entry(frame: bytes, seq: int, parts: int) -> Entry:
    """Read a record from its frame.

    Args:
        frame: the content of the frame.
        seq: position at which it was found.
        parts: number of parts that the records before it brought.

    Raises:
        IntegrityError: the frame does not hold a record at that position.
    """
    where = f"workspace record {seq}"
    reader = _Bytes(frame, where)
    raw = reader.take(reader.number(4))
    header = decode_header(raw, seq)
    refs = tuple(reader.number(4) for _ in range(reader.count(4)))
    brought: list[Part] = []
    while reader.left:
        state, salt_bytes, size = reader.number(1), reader.number(1), reader.number(4)
        if state >= len(_STATES):
            raise IntegrityError(f"part in an unknown state {state}", where=where)
        commitment = reader.take(COMMITMENT_BYTES)
        salt = reader.take(salt_bytes)
        data = None if state else reader.take(size)
        brought.append(
            Part(
                ordinal=parts + len(brought),
                salt=salt,
                commitment=commitment,
                size=size,
                data=data,
                state=_STATES[state],
            )
        )
    return Entry(header=header, raw=raw, parts=refs, brought=tuple(brought))


def _without(entry: Entry, parts: frozenset[int]) -> Entry:
    brought = tuple(
        msgspec.structs.replace(part, data=None, salt=b"", state="erased")
        if part.ordinal in parts
        else part
        for part in entry.brought
    )
    return msgspec.structs.replace(entry, brought=brought)


def _decode_all(frames: Frames, seq: int, parts: int = 0) -> Iterator[Entry]:
    for position, frame in enumerate(frames.frames, seq):
        entry = decode_entry(frame, position, parts)
        parts += len(entry.brought)
        yield entry


class _Bytes:
    """Takes bytes from the front of a frame and refuses to take what is not there."""

    def __init__(self, data: bytes, where: str) -> None:
        self._data = data
        self._position = 0
        self._where = where

    @property
    def left(self) -> int:
        return len(self._data) - self._position

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise IntegrityError("the frame is cut short", where=self._where)
        self._position += size
        return self._data[self._position - size : self._position]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def count(self, size: int) -> int:
        """Take a number of items of so many bytes each."""
        items = self.number(4)
        if items * size > self.left:
            raise IntegrityError("the frame is cut short", where=self._where)
        return items
