"""Inputs taken from the record by identity: each question gets its own recorded answers.

For forensics and forks, where the order of things is not the recorded one. Answers of open
questions enter in order of their recorded position. A keyed replay never claims to be identical.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from replay.events.digest import derive
from replay.events.kinds import ChunksReceived, FileRead, Reading
from replay.events.payload import decode_payload
from replay.scheduler.ports import FAR, Stalled

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterator

    from replay.events.kinds import Payload
    from replay.recording.open_records import Asked
    from replay.recording.recorder import Recorder
    from replay.sources.identity import Answer, IdentityIndex

__all__ = ["KeyedInputs"]


class KeyedInputs:
    """Delivered and answered inputs of a recorded run, by identity."""

    def __init__(self, index: IdentityIndex, recorder: Recorder) -> None:
        self._index = index
        self._recorder = recorder
        #: Recorded answers of the questions that are open, by the replay's seq of the question.
        self._open: dict[int, deque[Answer]] = {}
        self._chunks: tuple[Asked, ChunksReceived, bytes] | None = None
        self._next_chunk = 0
        self._offset = 0
        self.inputs_taken = 0

    def opened(self, seq: int, recorded_seq: int) -> None:
        """A question of the replay was recognised: its answers may come."""
        answers = self._index.answers.get(recorded_seq)
        if answers:
            self._open[seq] = answers

    def peek(self, due: int | None) -> int | None:
        """Return when the next answer to an open question enters."""
        if self._chunks is not None:
            return self._chunks[1].chunks[self._next_chunk][1]
        found = self._first()
        if found is None:
            if due is None:
                raise Stalled
            return None
        return found[1][0][0].time

    @property
    def delivers(self) -> bool:
        """Whether an answer to an open question is there, or a part of one."""
        return self._chunks is not None or self._first() is not None

    def enter(self, time: int, callbacks: int | None) -> None:
        """Deliver it."""
        if self._chunks is None:
            found = self._first()
            assert found is not None
            asked, answers = found
            header, data = answers.popleft()
            self.inputs_taken += 1
            payload, body = decode_payload(header.media, data, header.seq)
            if not isinstance(payload, ChunksReceived):
                self._recorder.deliver(
                    asked,
                    payload,
                    body if header.media == "framed" else None,
                    header.outcome,
                    callbacks,
                )
                return
            self._chunks, self._next_chunk, self._offset = (asked, payload, body), 0, 0
        asked, chunks, body = self._chunks
        size = chunks.chunks[self._next_chunk][0]
        data = body[self._offset : self._offset + size]
        self._offset += size
        self._next_chunk += 1
        if self._next_chunk == len(chunks.chunks):
            self._chunks = None
        if asked.seq in self._recorder.open:
            self._recorder.deliver_chunk(asked, data, callbacks)

    def nudge(self) -> None:
        """Do nothing: a replay does not wait."""

    def file(self, path: str) -> tuple[Payload, bytes | None] | None:
        """Return the next recorded content of a file, the last one again, or that it is not there.

        Which task read it is of no moment: a file is the same for all of them.
        """
        known = self._index.files.get(path)
        self.inputs_taken += 1
        if not known:
            error = ("ENOENT", "No such file or directory")
            return FileRead(path=path, form="nothing", error=error), None
        return known.pop(0) if len(known) > 1 else known[0]

    def secrets_of(self, source: str) -> Iterator[Payload]:
        """Yield the next secrets that were registered, if they are from a source."""
        secrets = self._index.secrets
        while secrets and secrets[0].source == source:
            self._recorder.register_surrogate(secrets[0])
            yield secrets.pop(0)

    def next_kind(self) -> str | None:
        """Return the kind of the next note, if there is one."""
        return "SecretRegistered" if self._index.secrets else None

    def names(self, path: str) -> bool:
        """Return whether the recording names a path in just this spelling, anywhere."""
        index = self._index
        own = index.readings.get(self._recorder.scheduler.actor().path(), ())
        return (
            path in index.files
            or any(path == argument for _, argument in index.environment)
            or any(path == reading.argument for reading in own)
        )

    def note(self, wanted: Callable[[Payload], bool] = lambda _: True) -> Payload | None:
        """Return the next secret that the recording registered after its start, if it is wanted."""
        secrets = self._index.secrets
        return secrets.pop(0) if secrets and wanted(secrets[0]) else None

    def busy(self, ran: int, due: int | None) -> int | None:
        """Let an answer enter a busy program, as a live one would."""
        if self._chunks is None and self._first() is None:
            return due
        return self.peek(due)

    def busy_limit(self, ran: int) -> int:
        """Return the number of callbacks at which to look again."""
        started = self._index.started
        return FAR if started is None else ran + started.flags["busy_callbacks"]

    def reading(self, source: str, argument: str) -> Reading:
        """Answer a synchronous question: the task's own recorded reading, or one derived."""
        recorder = self._recorder
        actor = recorder.scheduler.actor()
        known = self._index.environment.get((source, argument))
        own = self._index.readings.get(actor.path())
        if known is None and own:
            known = next((r for r in own if r.source == source and r.argument == argument), None)
            if known is not None:
                own.remove(known)
        if known is None:
            known = self._derived(source, argument)
        recorder.reading(known)
        return known

    def _derived(self, source: str, argument: str) -> Reading:
        """Make up a reading that the recording does not have: of no moment, but repeatable."""
        scheduler = self._recorder.scheduler
        value: object = None
        if source.endswith("_ns"):
            value = scheduler.now * 1000
        elif source == "urandom":
            seed = scheduler.actor().seed
            count = str(self._recorder.size).encode()
            size = int(argument)
            raw = b""
            while len(raw) < size:
                raw += derive("ritornello keyed entropy v1", seed, count, raw)
            value = {"base64": msgspec.json.encode(raw[:size]).decode().strip('"')}
        elif source == "env_names":
            value = []
        elif source.startswith("disk."):
            value = ["ok"]
        elif source.startswith("file."):
            value = ["error", "ENOENT", "No such file or directory"]
        return Reading(source, argument, msgspec.Raw(msgspec.json.encode(value)), scheduler.now)

    def _first(self) -> tuple[Asked, deque[Answer]] | None:
        """Return the open question whose next answer stands first in the recording."""
        best: tuple[int, int] | None = None
        for seq in list(self._open):
            if not self._open[seq] or seq not in self._recorder.open:
                del self._open[seq]
                continue
            position = self._open[seq][0][0].seq
            if best is None or position < best[0]:
                best = (position, seq)
        return None if best is None else (self._recorder.open[best[1]], self._open[best[1]])
