"""A child process as the program knows it: what came in about it so far, and how to wait for it."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections import deque
from typing import TYPE_CHECKING, Any, Literal

from replay.doors.context import bound
from replay.doors.failures import failure_of, rebuild
from replay.doors.processes.outside import RealProcess
from replay.doors.processes.pipes import OutputPipe
from replay.events.process_kinds import (
    ProcessEnded,
    ProcessFed,
    ProcessSignalled,
    ProcessSpawned,
    ProcessWrote,
)
from replay.scheduler.blocking import arm
from replay.scheduler.ports import Halted

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from replay.doors.context import DoorContext, Post
    from replay.doors.processes.plan import Plan
    from replay.events.header import Outcome
    from replay.events.kinds import Payload
    from replay.recording.in_flight import OnResume
    from replay.recording.open_records import Asked
    from replay.scheduler.actor import Stamp
    from replay.scheduler.core import Participant

__all__ = ["Child"]


class Child:
    """One child process of a run, live or from the record.

    Args:
        context: the run.
        plan: what to start.
        seen: takes the bytes of a captured stream and an empty piece at its end, and is called
            without a name for anything else; None to read the streams as pipes.

    Attributes:
        pipes: the captured streams.
        pid: its number; 0 before it runs.
        returncode: how it ended; None before.
    """

    def __init__(
        self,
        context: DoorContext,
        plan: Plan,
        seen: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self.context = context
        self.pid = 0
        self.returncode: int | None = None
        self.pipes = {
            name: OutputPipe(self, name)
            for name in ("stdout", "stderr")
            if getattr(plan, name) == "pipe"
        }
        self._plan = plan
        self._seen = seen
        self._failed: ProcessSpawned | None = None
        self._input_open = plan.stdin == "pipe"
        self._waiters: list[tuple[Participant, deque[object]]] = []
        self._stamp: Stamp = context.scheduler.actor().stamp()
        self._real: RealProcess | None = None
        self._asked: Asked = context.recorder.ask(plan.started, plan.given, self)
        if context.world.begins:
            self._real = real = RealProcess(plan)
            context.world.begin(self._asked, real.work, network=False, flight=self)

    @property
    def is_decided(self) -> bool:
        """Whether it is known if the process could be started."""
        return bool(self.pid) or self._failed is not None

    def started(self) -> None:
        """Return if it could be started.

        Raises:
            Exception: what ``subprocess.Popen`` raised.
        """
        failed = self._failed
        if failed is None:
            return
        assert failed.failure is not None
        error = rebuild(failed.failure)
        if isinstance(error, OSError) and failed.file is not None:
            error.filename = failed.file
        raise error

    def receive(self, payload: Payload, body: bytes, outcome: Outcome) -> None:
        """Take what is known about the process from now on. Runs as the actor that asked."""
        self._stamp = self.context.scheduler.actor().stamp()
        name = ""
        if isinstance(payload, ProcessSpawned):
            if payload.failure is None:
                self.pid = payload.pid or -1
            else:
                self._failed = payload
                self._close()
        elif isinstance(payload, ProcessWrote):
            name = payload.stream
            if payload.end:
                self._stream_ended(name)
            else:
                self._wrote(name, body)
        elif isinstance(payload, ProcessEnded):
            self.returncode = payload.returncode
            for each in self.pipes:
                if each not in payload.open:
                    self._stream_ended(each)
        if self.returncode is not None and all(pipe.ended for pipe in self.pipes.values()):
            self._close()
        if self._seen is not None and not name:
            self._seen("", b"")
        for participant, marks in self._waiters:
            marks.append(True)
            self.context.scheduler.wake(participant)

    def wait_until(self, ready: Callable[[], bool], timeout: float | None) -> bool:
        """Block the calling thread in the schedule; return whether it came to be in time.

        Args:
            ready: looks at this child.
            timeout: seconds to wait at most, None for ever.
        """
        scheduler = self.context.scheduler
        if self.is_over:
            return ready()
        if not ready():
            me = scheduler.current
            marks: deque[object] = deque()
            waiter = (me, marks)
            self._waiters.append(waiter)
            alarm = None if timeout is None else arm(scheduler, me, marks, max(0.0, timeout))
            try:
                while not ready():
                    if alarm is not None and alarm.rang:
                        return False
                    scheduler.wait(marks)
                    marks.clear()
            finally:
                self._waiters.remove(waiter)
                if alarm is not None:
                    alarm.cancel()
        scheduler.actor().receive(self._stamp)
        return True

    @property
    def is_over(self) -> bool:
        """Whether its run is over, and the process with it: only finalizers ask now."""
        return bound() is not self.context or isinstance(self.context.scheduler.halted, Halted)

    def look(self) -> None:
        """Let a program that looks again and again be heard: inputs enter as into a busy loop."""
        self.context.scheduler.count_turn()
        self.context.scheduler.actor().receive(self._stamp)

    def feed(self, data: bytes, *, end: bool) -> None:
        """Write to its standard input.

        Raises:
            BrokenPipeError: it has ended, or its standard input was closed.
        """
        if self.returncode is not None or not self._input_open or self.is_over:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        if not data and not end:
            return
        self._input_open = not end
        real = self._real

        async def work(_post: Post) -> None:
            if real is not None:
                real.feed(data, end=end)

        self._tell(ProcessFed(process=self._asked.seq, end=end), data, work)

    def end_input(self) -> None:
        """Close its standard input, if that is open."""
        if self._input_open and self.context.scheduler.halted is None:
            with contextlib.suppress(BrokenPipeError):
                self.feed(b"", end=True)
        self._input_open = False

    def signal(self, number: int, *, group: bool = False) -> None:
        """Send it a signal, if it has not ended."""
        if self.returncode is not None or self.is_over:
            return
        real = self._real

        async def work(_post: Post) -> None:
            if real is not None:
                real.signal(number, group=group)

        payload = ProcessSignalled(process=self._asked.seq, signal=int(number), group=group)
        self._tell(payload, None, work)

    # --- after a crash ------------------------------------------------------------------------

    on_resume: OnResume = "ask"
    destination = None
    carried = b""

    @property
    def label(self) -> str:
        """The command."""
        return f"process {' '.join(self._plan.started.arguments)[:80]}"

    def rewrite(self, change: Callable[[bytes], bytes]) -> None:
        """Do nothing: a process gets what the program gives it."""

    def failure(self, why: str) -> tuple[Payload, Outcome]:
        """Return how a process ends that is not there any more."""
        if not self.is_decided:
            return ProcessSpawned(failure=failure_of(OSError(errno.EIO, why))), "error"
        return ProcessEnded(returncode=-signal.SIGKILL), "error"

    @property
    def repeatable(self) -> bool:
        """Whether the program has seen nothing of it yet."""
        return self._asked.parts == 0

    def behind(
        self, post: Post, scrub: Callable[[bytes], bytes], differs: Callable[[], None]
    ) -> Post:
        """Return what was given: nothing has come."""
        return post

    def _tell(
        self,
        payload: ProcessFed | ProcessSignalled,
        body: bytes | None,
        work: Callable[[Post], Coroutine[Any, Any, None]],
    ) -> None:
        """Record what the program did to it, and do it once that is durable."""
        recorder, world = self.context.recorder, self.context.world
        asked = recorder.ask(payload, body, self)
        recorder.close(asked)
        world.begin(asked, work, network=False, flight=self)

    def _wrote(self, name: Literal["stdout", "stderr"], data: bytes) -> None:
        target = getattr(self._plan, name)
        if name in self.pipes:
            if self._seen is None:
                self.pipes[name].feed(data)
            else:
                self._seen(name, data)
        elif target == "file":
            _write_all(self._plan.files[name], data)
        else:
            # As the program's own: what it writes is recorded, and leaves once that is durable.
            context = self.context
            stream = context.stderr if target == "stderr" else context.stdout
            before, context.scheduler.inside = context.scheduler.inside, False
            try:
                stream.buffer.write(data)
                stream.buffer.flush()
            finally:
                context.scheduler.inside = before

    def _stream_ended(self, name: str) -> None:
        pipe = self.pipes.get(name)
        if pipe is not None and not pipe.ended:
            pipe.ended = True
            if self._seen is not None:
                self._seen(name, b"")

    def _close(self) -> None:
        self.context.recorder.close(self._asked)
        self.context.world.finished(self._asked)
        while self._plan.files:
            os.close(self._plan.files.popitem()[1])


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
