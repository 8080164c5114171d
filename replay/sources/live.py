"""Inputs from the world: real I/O on a second thread, entering in order of arrival.

The I/O thread never runs the program's code and never waits for it. What it posts carries the seq
of the question it answers; what nobody waits for any more is dropped unlogged.
"""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from replay.events.kinds import ClockAdvanced
from replay.scheduler.engine_side import EngineSide
from replay.scheduler.ports import FAR, Halted, Nudged, Stalled

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.events.kinds import Payload
    from replay.log.writer import Writer
    from replay.recording.recorder import Recorder
    from replay.sources.outside import Arrival

__all__ = ["BUSY_CALLBACKS", "LINGER_US", "LiveClock", "LiveInputs"]

#: A program that does not idle within so many callbacks gets an input anyway.
BUSY_CALLBACKS: Final = 4096
#: How long an open record of chunks may wait for the next chunk, at idle.
LINGER_US: Final = 50_000
#: Bytes not yet durable above which the program is held, at idle.
PENDING_BYTES_MAX: Final = 64 << 20

# The program's own clock may be answered by the run; the engine's threads and moments are not.
_clock_ns = time.clock_gettime_ns
_MONOTONIC = time.CLOCK_MONOTONIC
# The methods as they are: while a run is on stage, those of the type wait in its schedule.
_put: Final = SimpleQueue.put
_get: Final = SimpleQueue.get


class LiveClock:
    """The claimed clock: wall time at the start plus the monotonic clock since, in microseconds.

    A wall clock that is set backwards during a run therefore changes nothing.

    Args:
        start: the claimed time to begin with; the wall clock's, if not given.
    """

    def __init__(self, start: int | None = None) -> None:
        self.monotonic = _clock_ns(_MONOTONIC) // 1000
        self.start = _clock_ns(time.CLOCK_REALTIME) // 1000 if start is None else start

    def now(self) -> int:
        """Return the claimed time now."""
        return self.start + _clock_ns(_MONOTONIC) // 1000 - self.monotonic


class LiveInputs:
    """Delivered inputs as they arrive."""

    def __init__(self, recorder: Recorder, clock: LiveClock, writer: Writer) -> None:
        self._recorder = recorder
        self._clock = clock
        self._writer = writer
        self._arrivals: SimpleQueue[Arrival | None] = SimpleQueue()
        self._head: Arrival | None = None
        self._head_time = 0
        self._chunk_time = 0
        self._let_out = 0
        self.inputs_taken = 0
        #: Whether the program handles signals by which somebody may wake it from the outside.
        self.awaits_signals = False
        #: Takes what the program is about to get, where that may hold a credential; set by the
        #: live world, before which nothing comes.
        self.foresee: Callable[[Payload], None] = lambda _: None

    def post(self, arrival: Arrival | None) -> None:
        """Add an arrival, or None to make the scheduler look again. Callable from any thread."""
        _put(self._arrivals, arrival)

    # --- the scheduler's side -----------------------------------------------------------------

    def peek(self, due: int | None) -> int | None:
        """Wait for an arrival, at most until the earliest timer."""
        if self._head is not None and not self._is_wanted(self._head):
            self._head = None  # a timer that was due cancelled the question
        while self._head is None:
            self._check_writer()
            if self._recorder.output_waits:
                self._recorder.close_group()
            now = self._clock.now()
            until = due
            linger = self._recorder.open_chunks is not None
            if linger:
                until = min(self._chunk_time + LINGER_US, FAR if due is None else due)
            if until is None and not self._recorder.open and not self._can_be_signalled():
                raise Stalled
            try:
                timeout = None if until is None else max(0, until - now) / 1_000_000
                arrival = _get(self._arrivals, timeout=timeout)
            except Empty:
                if due is not None and self._clock.now() >= due:
                    return None
                if linger:
                    self._recorder.close_group()
                continue
            if arrival is None:
                self._check_writer()
                raise Nudged
            self._take(arrival)
        return self._head_time

    def let_output(self) -> None:
        """Close readings that output waits for, so that a program which never idles is heard."""
        recorder = self._recorder
        if not recorder.output_waits:
            return
        with EngineSide(recorder.scheduler):
            now = self._clock.now()
        if now - self._let_out > LINGER_US:
            self._let_out = now
            recorder.close_group()

    def nudge(self) -> None:
        """Break off a wait."""
        self.post(None)

    def enter(self, time: int, callbacks: int | None) -> None:
        """Record and deliver the arrival seen by ``peek``."""
        arrival, self._head = self._head, None
        if arrival is None:
            self._recorder.deliver(None, ClockAdvanced(), None, "ok", callbacks)
            return
        asked = None if arrival.seq is None else self._recorder.open[arrival.seq]
        self.inputs_taken += 1
        if arrival.payload is None:
            assert asked is not None
            self._chunk_time = time
            self._recorder.deliver_chunk(asked, arrival.body or b"", callbacks)
        else:
            if arrival.seen is not None:
                self.foresee(arrival.seen)
            self._recorder.deliver(
                asked,
                arrival.payload,
                arrival.body,
                arrival.outcome,
                callbacks,
                seen=arrival.seen,
            )

    def busy(self, ran: int, due: int | None) -> int | None:
        """Look for an arrival without waiting; a due timer alone is an input too."""
        self._check_writer()
        if self._head is not None and not self._is_wanted(self._head):
            self._head = None
        while self._head is None and not self._arrivals.empty():
            self._take(_get(self._arrivals))
        if self._head is not None:
            return self._head_time
        now = self._clock.now()
        return now if due is not None and due <= now else None

    def busy_limit(self, ran: int) -> int:
        """Return the number of callbacks at which to look again."""
        return ran + BUSY_CALLBACKS

    def _take(self, arrival: Arrival | None) -> None:
        if arrival is not None and self._is_wanted(arrival):
            self._head = arrival
            self._head_time = self._clock.now()

    def _can_be_signalled(self) -> bool:
        return self.awaits_signals or not self._arrivals.empty()

    def _is_wanted(self, arrival: Arrival) -> bool:
        return arrival.seq is None or arrival.seq in self._recorder.open

    def _check_writer(self) -> None:
        failed = self._writer.failed
        if failed is None and self._writer.pending_bytes > PENDING_BYTES_MAX:
            self._writer.flush()
            failed = self._writer.failed
        if failed is not None:
            self._recorder.scheduler.halt(failed)
            raise Halted from failed
