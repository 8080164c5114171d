"""Inputs taken from the record, in strict order: the next one in the log, or a divergence.

Nothing here can reach outside: there is no socket, no clock and no environment in this module. An
input whose time has come while the program has not done what stands before it, or whose question
is not open, is a divergence.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from replay.errors import IntegrityError
from replay.events.file_kinds import CaptureGap, FileRead
from replay.events.kinds import (
    ChunksReceived,
    Reading,
    ReadingsTaken,
    SecretRegistered,
    kind_of,
    role_of,
)
from replay.recording.divergence import Divergence, FieldChange
from replay.recording.place import library, place
from replay.scheduler.ports import FAR, Halted, Stalled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replay.events.entry import Entry
    from replay.events.kinds import Payload
    from replay.recording.recorder import Recorder
    from replay.sources.history import History

__all__ = ["RecordedInputs"]

#: Records in which a reading that came too early is looked for.
_LOOK_AHEAD: Final = 64
_NAMES_A_PATH: Final = frozenset({"ReadingsTaken", "FileRead", "CaptureGap", "SecretRegistered"})
_NO_READINGS: Final[tuple[Reading, ...]] = ()


class RecordedInputs:
    """The delivered and answered inputs of a recorded run.

    Args:
        history: the recorded run.
        recorder: the replay's own recorder; what it has recorded so far says where we are.
        missing: builds the divergence for a recorded record that the program did not bring.
    """

    def __init__(
        self,
        history: History,
        recorder: Recorder,
        missing: Callable[[Entry], Divergence],
    ) -> None:
        self._history = history
        self._recorder = recorder
        self._missing = missing
        self.inputs_taken = 0
        self._next: Entry | None = None
        # The record of chunks being delivered, chunk by chunk.
        self._chunks: ChunksReceived | None = None
        self._body = b""
        self._next_chunk = 0
        self._offset = 0
        # The record of readings being answered, reading by reading.
        self._readings = _NO_READINGS
        self._next_reading = 0
        self._readings_seq = -1

    # --- delivered ----------------------------------------------------------------------------

    def peek(self, due: int | None) -> int | None:
        """Return when the next recorded input enters, None if there is no further one."""
        if self._chunks is not None:
            return self._chunks.chunks[self._next_chunk][1]
        entry = self._next or self._upcoming()
        if entry is None or entry.header.callbacks is not None:
            if due is None:
                raise Stalled
            if entry is None:
                return None
            # It entered a busy program, so this idle point is a timer's.
            if due > entry.header.time:
                self._stop_before(entry)
            return None
        return entry.header.time

    def enter(self, time: int, callbacks: int | None) -> None:
        """Deliver the next recorded input."""
        if self._chunks is None:
            recorder = self._recorder
            entry = self._next or self._upcoming()
            assert entry is not None
            recorder.flush()
            if entry.header.seq != recorder.size:
                self._stop_before(entry)
            self._next = None
            if entry.header.kind != "ChunksReceived":
                self._deliver(entry, callbacks)
                return
            payload, self._body = self._payload(entry)
            assert isinstance(payload, ChunksReceived)
            self._chunks, self._next_chunk, self._offset = payload, 0, 0
            self.inputs_taken += 1
        self._deliver_chunk(callbacks)

    def nudge(self) -> None:
        """Do nothing: a replay does not wait."""

    def busy(self, ran: int, due: int | None) -> int | None:
        """Return when the input enters that entered at this very number of callbacks."""
        entry = None if self._chunks is not None else self._next or self._upcoming()
        if entry is None or entry.header.callbacks != ran:
            return None
        return entry.header.time

    def busy_limit(self, ran: int) -> int:
        """Return the recorded number of callbacks of the next input, if the program was busy."""
        entry = None if self._chunks is not None else self._next or self._upcoming()
        callbacks = None if entry is None else entry.header.callbacks
        return FAR if callbacks is None or callbacks <= ran else callbacks

    @property
    def delivers(self) -> bool:
        """Whether a delivered input is still to come, or a part of one."""
        return self._chunks is not None or self._upcoming() is not None

    @property
    def answers(self) -> bool:
        """Whether the record of readings that was begun has another one."""
        return self._next_reading < len(self._readings)

    def _upcoming(self) -> Entry | None:
        """Return the next delivered input; it stays the same until it is delivered."""
        if self._next is None:
            self._next = self._history.next_delivered(self._recorder.size)
        return self._next

    def _deliver(self, entry: Entry, callbacks: int | None) -> None:
        payload, body = self._payload(entry)
        header = entry.header
        asked = None
        if header.answers is not None:
            asked = self._recorder.open.get(header.answers)
            if asked is None:
                self._refuse(entry)
        self.inputs_taken += 1
        self._recorder.deliver(
            asked,
            payload,
            body if header.media == "framed" else None,
            header.outcome,
            callbacks,
        )

    def _deliver_chunk(self, callbacks: int | None) -> None:
        chunks = self._chunks
        assert chunks is not None
        seq = self._recorder.size if self._next_chunk == 0 else self._recorder.size - 1
        entry = self._history.input(seq)
        answers = None if entry is None else entry.header.answers
        asked = None if answers is None else self._recorder.open.get(answers)
        if asked is None:
            assert entry is not None
            self._refuse(entry)
        size = chunks.chunks[self._next_chunk][0]
        data = self._body[self._offset : self._offset + size]
        self._offset += size
        fresh = self._next_chunk == 0
        self._next_chunk += 1
        if self._next_chunk == len(chunks.chunks):
            self._chunks, self._body = None, b""
        self._recorder.deliver_chunk(asked, data, callbacks, fresh=fresh)

    # --- answered -----------------------------------------------------------------------------

    def reading(self, source: str, argument: str) -> Reading:
        """Answer a synchronous question from the record, or stop the replay.

        Raises:
            Halted: the recording has no such reading here.
        """
        recorder = self._recorder
        fresh = False
        if self._next_reading == len(self._readings) or recorder.reading_actor is not (
            recorder.scheduler.actor()
        ):
            recorder.flush()
            entry = self._history.input(recorder.size)
            if entry is None or entry.header.kind != "ReadingsTaken":
                self._extra_reading(self._history.kind(recorder.size), source, argument)
            payload, _ = self._payload(entry)
            assert isinstance(payload, ReadingsTaken)
            self._readings, self._next_reading = payload.readings, 0
            self._readings_seq = recorder.size
            self.inputs_taken += 1
            fresh = True
        reading = self._readings[self._next_reading]
        if (reading.source, reading.argument) != (source, argument):
            self._other_reading(reading, source, argument)
        self._next_reading += 1
        recorder.reading(reading, fresh=fresh)
        return reading

    def file(self, path: str) -> tuple[Payload, bytes | None] | None:
        """Return the file that was read at this very point, whichever it was; None if none was."""
        return self._taken("FileRead")

    def code(self) -> tuple[Payload, bytes | None] | None:
        """Return the note of the program's source, if it stands at this very point."""
        return self._taken("CodeLoaded")

    def _taken(self, kind: str) -> tuple[Payload, bytes | None] | None:
        entry = self._history.input(self._recorder.size)
        if entry is None or entry.header.kind != kind:
            return None
        payload, body = self._payload(entry)
        self.inputs_taken += 1
        return payload, body if entry.header.media == "framed" else None

    def secrets_of(self, source: str) -> Iterator[Payload]:
        """Yield the secrets from a source that were registered here; each is recorded in turn."""

        def wanted(note: Payload) -> bool:
            return isinstance(note, SecretRegistered) and note.source == source

        while isinstance(payload := self.note(wanted), SecretRegistered):
            self._recorder.register_surrogate(payload)
            yield payload

    def next_kind(self) -> str | None:
        """Return the kind of the record after those that are still pending here."""
        return self._history.kind(self._recorder.size + self._recorder.pending_records)

    def names(self, path: str) -> bool:
        """Return whether the input that comes next names a path in just this spelling."""
        if self.answers and _names(self._readings[self._next_reading], path):
            return True
        first = self._recorder.size + self._recorder.pending_records
        for seq in range(first, first + _LOOK_AHEAD):
            entry = self._history.input(seq)
            if entry is None or entry.header.kind not in _NAMES_A_PATH:
                return False
            payload, _ = self._payload(entry)
            if isinstance(payload, ReadingsTaken):
                return bool(payload.readings) and _names(payload.readings[0], path)
            if isinstance(payload, FileRead):
                return path == payload.path
            if isinstance(payload, CaptureGap):
                return path == payload.name
        return False

    def note(self, wanted: Callable[[Payload], bool] = lambda _: True) -> Payload | None:
        """Return the noted input at this very position, if it is wanted."""
        entry = self._history.input(self._recorder.size)
        if entry is None or role_of(entry.header.kind) != "noted":
            return None
        payload, _ = self._payload(entry)
        if not wanted(payload):
            return None
        self.inputs_taken += 1
        return payload

    def _payload(self, entry: Entry) -> tuple[Payload, bytes]:
        """Read an input, or stop: without it nothing that the program does means anything."""
        try:
            payload, body = self._history.payload(entry)
            _check(entry, payload, body)
        except IntegrityError as error:
            self._recorder.scheduler.halt(error)
            raise Halted from error
        return payload, body

    # --- divergences --------------------------------------------------------------------------

    def _stop_before(self, delivered: Entry) -> NoReturn:
        """The program idles although records before the next input are still to come."""
        self._recorder.flush()
        entry = self._history.entry(self._recorder.size) or delivered
        self._recorder.diverge(self._missing(entry))
        raise AssertionError("unreachable")

    def _refuse(self, entry: Entry) -> NoReturn:
        self._recorder.diverge(
            Divergence(
                seq=entry.header.seq,
                category="missing",
                recorded_kind=entry.header.kind,
                replayed_kind=None,
                task="",
                note=f"the question it answers (event {entry.header.answers}) is not open",
            )
        )
        raise AssertionError("unreachable")

    def _extra_reading(self, kind: str | None, source: str, argument: str) -> NoReturn:
        # The reading itself may be right, and what stands before it is what the program left out.
        comes = self._comes_later(source, argument)
        self._recorder.diverge(
            Divergence(
                seq=self._recorder.size,
                category="missing" if comes else "clock",
                recorded_kind=kind,
                replayed_kind="ReadingsTaken",
                task="",
                fields=(FieldChange("source", None, source),),
                replayed_place=place(),
                library=library(sys._getframe()),
                note=f"the program read {source} {argument}".strip(),
            )
        )
        raise AssertionError("unreachable")

    def _comes_later(self, source: str, argument: str) -> bool:
        """Return whether the record has such a reading soon after a derived record here."""
        here = self._recorder.size
        for seq in range(here, min(here + _LOOK_AHEAD, self._history.size)):
            entry = self._history.entry(seq)
            if entry is not None and entry.header.kind == "ReadingsTaken":
                payload, _ = self._payload(entry)
                if isinstance(payload, ReadingsTaken):
                    first = payload.readings[0]
                    return seq > here and (first.source, first.argument) == (source, argument)
        return False

    def _other_reading(self, reading: Reading, source: str, argument: str) -> NoReturn:
        fields = (
            FieldChange("source", reading.source, source),
            FieldChange("argument", reading.argument, argument),
        )
        self._recorder.diverge(
            Divergence(
                seq=self._readings_seq,
                category="clock",
                recorded_kind="ReadingsTaken",
                replayed_kind="ReadingsTaken",
                task="",
                fields=tuple(f for f in fields if f.recorded != f.replayed),
                replayed_place=place(),
                library=library(sys._getframe()),
                note=f"reading {self._next_reading} of the record",
            )
        )
        raise AssertionError("unreachable")


def _names(reading: Reading, path: str) -> bool:
    """Return whether a reading of files is about a path: alone, with details, or one of a pair."""
    argument = reading.argument
    if not reading.source.startswith(("file.", "disk.")):
        return False
    try:
        return path in msgspec.json.decode(argument, type=tuple[str, str])
    except msgspec.DecodeError:
        return f" {path} " in f" {argument} "


def _check(entry: Entry, payload: Payload, body: bytes) -> None:
    """Refuse what no recorder writes; a record is hostile."""
    fits = kind_of(payload) == entry.header.kind
    if isinstance(payload, ChunksReceived):
        sizes = [size for size, _ in payload.chunks]
        fits = fits and bool(sizes) and min(sizes) >= 0 and sum(sizes) == len(body)
    elif isinstance(payload, ReadingsTaken):
        fits = fits and bool(payload.readings)
    if not fits:
        raise IntegrityError(
            "the payload is not one that a recorder writes", where=f"event {entry.header.seq}"
        )
