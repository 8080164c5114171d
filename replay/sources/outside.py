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

from replay.events.kinds import (
    ResponseStarted,
    SecretRegistered,
    SecretSuspected,
    SignalReceived,
)
from replay.own_locks import OwnLock
from replay.scheduler.engine_side import EngineSide
from replay.secrets.credentials import answered_credentials, is_met_on_the_way
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

#: Secrets of a run that it met on its way: each makes the next one, and every record, dearer.
_MET_MAX: Final = 32


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


class _Begun:
    """Work that begins on the I/O thread, or is cancelled before it does."""

    __slots__ = ("_cancelled", "_task", "_tasks", "_work", "loop")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, None],
        tasks: set[asyncio.Task[None]],
    ) -> None:
        self.loop = loop
        self._work = work
        self._tasks = tasks
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False

    def begin(self) -> None:
        """Begin; on the I/O thread."""
        if self._cancelled:
            self._work.close()
            return
        task = self._task = self.loop.create_task(self._work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        """Cancel, whether it began or not. Callable from any thread."""
        self._cancelled = True
        self.loop.call_soon_threadsafe(self._cancel_task)

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()


class Outside:
    """A thread with an ordinary event loop and real sockets, started for the first run."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = OwnLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> Callable[[], None]:
        """Start work on the I/O thread; return what cancels it. Callable from any thread."""
        begun = _Begun(self.open(), work, self._tasks)
        begun.loop.call_soon_threadsafe(begun.begin)
        return begun.cancel

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


class _Running:
    """Something that happens, or will once its question is durable; each flag is set once."""

    __slots__ = ("given_up", "stop")

    def __init__(self) -> None:
        self.given_up = False
        self.stop: Callable[[], None] | None = None

    def give_up(self) -> None:
        """Let it not begin, or stop it."""
        self.given_up = True
        if self.stop is not None:
            self.stop()


class LiveWorld:
    """Effects really happen, each once everything it depends on is durable."""

    is_live = True
    begins = True

    def __init__(self, tape: Tape, inputs: LiveInputs, recorder: Recorder) -> None:
        self._tape = tape
        self._inputs = inputs
        self._recorder = recorder
        #: By question. Only the program's threads change it: the writer's thread, which starts what
        #: is durable, may come to that when the answer is long there.
        self._running: dict[int, _Running] = {}
        self._stopped = False
        #: Registered before the record that brings them, and not noted yet; with their values.
        self._foreseen: list[tuple[str, SecretRegistered]] = []
        inputs.foresee = self._foresee
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
        running = self._running[seq] = _Running()

        def is_over() -> bool:
            return running.given_up or self._stopped

        def start() -> None:
            if is_over():
                return
            running.stop = outside.start(work(_Posting(self._inputs, seq)))
            # This may be the writer's thread: the program may have given up in between.
            if is_over():
                running.stop()

        def cancel() -> None:
            self._running.pop(seq, None)
            running.give_up()

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
        """Register a credential on the wire, if it can be told apart in text."""
        if self.noted(value) or self._is_one_too_many(source):
            return
        try:
            self.register(source, value)
        except SecretError:
            return  # too short to replace

    def noted(self, value: str) -> bool:
        """Note a credential that was foreseen, now that what brought it is on record.

        Args:
            value: the value, or its surrogate where the program holds that.

        Returns:
            Whether it is one.
        """
        for each in self._foreseen:
            if value in (each[0], each[1].surrogate):
                self._foreseen.remove(each)
                self._recorder.note(each[1])
                return True
        return False

    def _foresee(self, payload: Payload) -> None:
        """Let surrogates stand for the credentials in the head of a response, before its record."""
        if not isinstance(payload, ResponseStarted):
            return
        for source, value in answered_credentials(payload.headers):
            if self._is_one_too_many(source):
                return
            try:
                registered = self.replace(source, value)
            except SecretError:
                continue
            if registered is not None:
                self._foreseen.append((value, registered))

    def _is_one_too_many(self, source: str) -> bool:
        known = self._recorder.scrubber.secrets
        return is_met_on_the_way(source) and (
            sum(is_met_on_the_way(each.source or "") for each in known) >= _MET_MAX
        )

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
        self._stopped = True
        for running in list(self._running.values()):
            running.give_up()
        self._running.clear()


def replace_secret(recorder: Recorder, source: str, value: str) -> SecretRegistered | None:
    """Let a surrogate stand for a value; return what is to be noted, None if it is known.

    Raises:
        SecretError: the value is too short, or of a form that cannot be told apart in text.
    """
    for known in recorder.scrubber.secrets:
        if known.value == value:
            return None
    with EngineSide(recorder.scheduler):
        surrogate, public = make_surrogate(value, os.urandom, among=recorder.scrubber.secrets)
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
