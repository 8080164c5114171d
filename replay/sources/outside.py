"""Outside: the thread on which real I/O happens, and the live world behind the doors.

One I/O thread serves all runs of the process, because a program's HTTP client may outlive a run and
its connections belong to the loop that opened them. Effects have a second one: their bodies are the
user's code and must not hold up the network.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from replay.events.kinds import SecretRegistered, SecretSuspected, SignalReceived
from replay.own_locks import OwnEvent, OwnLock
from replay.secrets.patterns import Secret, SecretError, make_surrogate
from replay.sources.pool import DaemonPool

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from replay.events.header import Outcome
    from replay.events.kinds import Payload, WireObserved
    from replay.recording.in_flight import InFlight
    from replay.recording.open_records import Asked
    from replay.recording.recorder import Recorder
    from replay.recording.tape import Tape
    from replay.sources.live import LiveInputs

__all__ = ["EFFECTS", "NETWORK", "Arrival", "LiveWorld", "Outside", "replace_secret"]

# The engine's own threads; they are started before a run is on stage, and are no part of it.
_Thread = threading.Thread
_start = threading.Thread.start


class Arrival:
    """Something that came from outside: an answer to a question, or a chunk of one."""

    __slots__ = ("body", "outcome", "payload", "seen", "seq")

    def __init__(
        self,
        seq: int | None,
        payload: Payload | None,
        body: bytes | None,
        outcome: Outcome,
        seen: Payload | None,
    ) -> None:
        #: Of the question; None for what nobody asked for.
        self.seq = seq
        #: What the program gets, where that holds a credential that the record must not.
        self.seen = seen
        #: None for a chunk, whose bytes are the body.
        self.payload = payload
        self.body = body
        self.outcome = outcome


class Outside:
    """A thread with an ordinary event loop and real sockets, started for the first run."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = OwnLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> Callable[[], None]:
        """Start work on the I/O thread; return what cancels it. Callable from any thread."""
        loop = self.open()
        started: list[asyncio.Task[None]] = []
        cancelled = OwnEvent()

        def begin() -> None:
            if cancelled.is_set():
                work.close()
                return
            task = loop.create_task(work)
            started.append(task)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        def cancel() -> None:
            cancelled.set()
            loop.call_soon_threadsafe(lambda: [task.cancel() for task in started])

        loop.call_soon_threadsafe(begin)
        return cancel

    def open(self) -> asyncio.AbstractEventLoop:
        """Start the thread if it is not there; return its loop. Not for threads of a program."""
        with self._lock:
            if self._loop is None:
                # Made on its own thread: on the program's a real loop is refused.
                made: SimpleQueue[asyncio.AbstractEventLoop] = SimpleQueue()
                # In no context of the run that happens to be the first: it serves them all.
                serve = contextvars.Context().run
                arguments = (_serve, made, self._name)
                _start(_Thread(target=serve, args=arguments, name=self._name, daemon=True))
                self._loop = made.get()
            return self._loop


def _serve(made: SimpleQueue[asyncio.AbstractEventLoop], name: str) -> None:
    loop = asyncio.SelectorEventLoop()
    loop.set_default_executor(DaemonPool(f"{name}-worker"))
    made.put(loop)
    while True:
        # An effect may raise what asyncio lets end a loop; others still wait on this one.
        with contextlib.suppress(SystemExit, KeyboardInterrupt):
            loop.run_forever()


NETWORK: Final = Outside("ritornello-io")
EFFECTS: Final = Outside("ritornello-effects")


class _Posting:
    """Hands what comes of one question to the run."""

    __slots__ = ("_inputs", "_seq")

    def __init__(self, inputs: LiveInputs, seq: int) -> None:
        self._inputs = inputs
        self._seq = seq

    def __call__(
        self,
        payload: Payload | None,
        body: bytes | None,
        outcome: Outcome,
        seen: Payload | None = None,
    ) -> None:
        self._inputs.post(Arrival(self._seq, payload, body, outcome, seen))


class LiveWorld:
    """Effects really happen, each once everything it depends on is durable."""

    is_live = True
    begins = True

    def __init__(self, tape: Tape, inputs: LiveInputs, recorder: Recorder) -> None:
        self._tape = tape
        self._inputs = inputs
        self._recorder = recorder
        self._running: dict[int, Callable[[], None]] = {}
        self._stopped = OwnEvent()
        # Now: on the program's threads a thread that is started is one of the program's.
        NETWORK.open()
        EFFECTS.open()

    def begin(
        self,
        asked: Asked,
        work: Callable[[_Posting], Coroutine[Any, Any, None]],
        *,
        network: bool,
        flight: InFlight,
    ) -> Callable[[], None]:
        """Start work when the question is durable; return what cancels it."""
        seq = asked.seq
        outside = NETWORK if network else EFFECTS
        given_up = OwnEvent()

        def start() -> None:
            if given_up.is_set() or self._stopped.is_set():
                return
            stop = self._running[seq] = outside.start(work(_Posting(self._inputs, seq)))
            # This may be the writer's thread: the program may have given up in between.
            if given_up.is_set() or self._stopped.is_set():
                stop()

        def cancel() -> None:
            given_up.set()
            stop = self._running.pop(seq, None)
            if stop is not None:
                stop()

        self._tape.after(seq, start)
        return cancel

    def observed(self, asked: Asked, wire: WireObserved) -> None:
        """Do nothing: what went out is on record."""

    def secret(self, source: str, load: Callable[[], str]) -> str:
        """Fetch a value, register it, and return it as it is.

        Raises:
            SecretError: the value is too short, or of a form that cannot be told apart in text.
        """
        value = load()
        self.register(source, value)
        return value

    def credential(self, source: str, value: str) -> None:
        """Register a credential that goes out with a request, if it can be told apart in text."""
        try:
            self.register(source, value)
        except SecretError:
            return  # too short to replace; it is recorded by name only in any case

    def register(self, source: str, value: str) -> None:
        """Let a surrogate stand for a value in every payload from now on, and note that."""
        registered = self.replace(source, value)
        if registered is not None:
            self._recorder.note(registered)

    def replace(self, source: str, value: str) -> SecretRegistered | None:
        """Let a surrogate stand for a value; return what is to be noted, None if it is known.

        Raises:
            SecretError: the value is too short, or of a form that cannot be told apart in text.
        """
        return replace_secret(self._recorder, source, value)

    def inspect(self, record: int, body: bytes) -> None:
        """Note the secrets that a body held in an encoding, where they could not be replaced."""
        if self._recorder.scrubbing:
            for number in self._recorder.scrubber.suspects(body):
                self._recorder.note(SecretSuspected(record=record, number=number))

    def detached(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Let something happen on the network thread that nothing waits for."""
        NETWORK.start(_quietly(work))

    def await_signals(self) -> None:
        """Wait for signals where nothing else can come any more."""
        self._inputs.awaits_signals = True

    def signal(self, name: str) -> None:
        """Let a signal enter when the program idles."""
        self._inputs.post(Arrival(None, SignalReceived(name=name), None, "ok", None))
        # A program that is busy hears of it at its next callback: it may end before it idles.
        self._recorder.scheduler.limit = 0

    def finished(self, asked: Asked) -> None:
        """Forget a question that was answered in full."""
        self._running.pop(asked.seq, None)

    def stop(self) -> None:
        """Cancel what is still under way at the end of a run, and let nothing begin any more."""
        self._stopped.set()
        for stop in list(self._running.values()):
            stop()
        self._running.clear()


def replace_secret(recorder: Recorder, source: str, value: str) -> SecretRegistered | None:
    """Let a surrogate stand for a value; return what is to be noted, None if it is known.

    Raises:
        SecretError: the value is too short, or of a form that cannot be told apart in text.
    """
    for known in recorder.scrubber.secrets:
        if known.value == value:
            return None
    scheduler = recorder.scheduler
    before, scheduler.inside = scheduler.inside, True
    try:
        surrogate, public = make_surrogate(value, os.urandom, among=recorder.scrubber.secrets)
    finally:
        scheduler.inside = before
    number = len(recorder.scrubber.secrets)
    recorder.register(
        Secret(number=number, source=source, value=value, surrogate=surrogate, public=public)
    )
    return SecretRegistered(number=number, source=source, surrogate=surrogate, public=public)


async def _quietly(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Close connections; one that is gone already needs no closing."""
    try:
        await work()
    except (OSError, RuntimeError):
        return
