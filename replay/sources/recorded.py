"""Inputs taken from the record, in strict order: the next one in the log, or a divergence.

Nothing here can reach outside: there is no socket, no clock and no environment in this module. An
input whose time has come while the program has not done what stands before it, or whose question
is not open, is a divergence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from replay.errors import IntegrityError
from replay.events.kinds import (
    ChunksReceived,
    Reading,
    ReadingsTaken,
    SecretRegistered,
    kind_of,
    role_of,
)
from replay.recording.divergence import Divergence, FieldChange
from replay.recording.place import place
from replay.scheduler.ports import FAR, Halted, Stalled
from replay.secrets.surrogates import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.events.entry import Entry
    from replay.events.kinds import Payload
    from replay.recording.open_records import Asked
    from replay.recording.recorder import Recorder
    from replay.sources.history import History

__all__ = ["RecordedInputs", "RecordedWorld"]

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
        entry = self._upcoming()
        if entry is None or entry.header.callbacks is not None:
            if due is None:
                raise Stalled
            if entry is None:
                return None
            # It entered a busy program, so this idle point is a timer's.
            if due > entry.header.time:
                self._stop_before(entry)
            return None
        return self._time_of(entry)

    def enter(self, time: int, callbacks: int | None) -> None:
        """Deliver the next recorded input."""
        if self._chunks is None:
            recorder = self._recorder
            entry = self._upcoming()
            assert entry is not None
            recorder.flush()
            if entry.header.seq != recorder.size:
                self._stop_before(entry)
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
        entry = self._next_busy()
        if entry is None or entry.header.callbacks != ran:
            return None
        return self._time_of(entry)

    def busy_limit(self, ran: int) -> int:
        """Return the recorded number of callbacks of the next input, if the program was busy."""
        entry = self._next_busy()
        if entry is None or entry.header.callbacks is None or entry.header.callbacks <= ran:
            return FAR
        return entry.header.callbacks

    def _next_busy(self) -> Entry | None:
        return None if self._chunks is not None else self._upcoming()

    def _upcoming(self) -> Entry | None:
        """Return the next delivered input; it stays the same until it is delivered."""
        entry = self._next
        if entry is None or entry.header.seq < self._recorder.size:
            entry = self._next = self._history.next_delivered(self._recorder.size)
        return entry

    def _time_of(self, entry: Entry) -> int:
        return entry.header.time

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
        entry = self._history.entry(seq)
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
            entry = self._history.entry(recorder.size)
            if entry is None or entry.header.kind != "ReadingsTaken":
                self._extra_reading(entry, source, argument)
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

    def next_kind(self) -> str | None:
        """Return the kind of the record after those that are still pending here."""
        entry = self._history.entry(self._recorder.size + self._recorder.pending_records)
        return None if entry is None else entry.header.kind

    def note(self, wanted: Callable[[Payload], bool] = lambda _: True) -> Payload | None:
        """Return the noted input at this very position, if it is wanted."""
        entry = self._history.entry(self._recorder.size)
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

    def _extra_reading(self, entry: Entry | None, source: str, argument: str) -> NoReturn:
        self._recorder.diverge(
            Divergence(
                seq=self._recorder.size,
                category="clock",
                recorded_kind=None if entry is None else entry.header.kind,
                replayed_kind="ReadingsTaken",
                task="",
                replayed_place=place(),
                note=f"the program read {source} {argument}".strip(),
            )
        )
        raise AssertionError("unreachable")

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
                note=f"reading {self._next_reading} of the record",
            )
        )
        raise AssertionError("unreachable")


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


class RecordedWorld:
    """Effects do not happen: their answers are in the record."""

    is_live = False

    def __init__(
        self,
        recorder: Recorder,
        notes: Callable[[], Payload | None],
        next_kind: Callable[[], str | None],
    ) -> None:
        self._recorder = recorder
        self._notes = notes
        self._next_kind = next_kind

    def secret(self, source: str, load: Callable[[], str]) -> str:
        """Return the surrogate that the record gives; the value is not loaded."""
        self._recorder.flush()
        payload = self._notes()
        if not isinstance(payload, SecretRegistered) or payload.source != source:
            self._recorder.diverge(
                Divergence(
                    seq=self._recorder.size,
                    category="clock",
                    recorded_kind=None if payload is None else type(payload).__name__,
                    replayed_kind="SecretRegistered",
                    task="",
                    note=f"the program asked for {source}",
                )
            )
            raise AssertionError("unreachable")
        self._recorder.register_surrogate(payload)
        self._recorder.note(payload)
        return payload.surrogate

    def credential(self, source: str, value: str) -> None:
        """Copy the registration of a credential, if the recording has one at this point."""
        recorder = self._recorder
        if any(value in {known.value, known.surrogate} for known in recorder.scrubber.secrets):
            return
        if self._next_kind() != "SecretRegistered":
            return
        recorder.flush()
        payload = self._notes()
        if not isinstance(payload, SecretRegistered) or payload.source != source:
            return
        # The program may hold the true value, in its own source: then it is known here too.
        if len(value) == len(payload.surrogate):
            recorder.register(
                Secret(
                    number=payload.number,
                    source=source,
                    value=value,
                    surrogate=payload.surrogate,
                    public=payload.public,
                )
            )
        else:
            recorder.register_surrogate(payload)
        recorder.note(payload)

    def inspect(self, record: int, body: bytes) -> None:
        """Copy what was suspected at this point."""
        self._recorder.flush()
        while (payload := self._notes()) is not None:
            self._recorder.note(payload)

    def begin(
        self, asked: Asked, work: Callable[..., object], *, network: bool
    ) -> Callable[[], None]:
        """Do nothing; there is nothing to cancel either."""
        return _nothing

    def detached(self, work: Callable[..., object]) -> None:
        """Do nothing."""

    def finished(self, asked: Asked) -> None:
        """Do nothing."""


def _nothing() -> None:
    return None
