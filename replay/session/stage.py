"""The stage: scheduler, loops and doors of one run, put up around a program, taken down after."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
from _thread import allocate_lock
from typing import TYPE_CHECKING, Final, TypeVar

from replay.doors.blocking import BlockingDoor
from replay.doors.context import DoorContext, bind_thread, current, unbind_thread
from replay.doors.http import HttpDoor
from replay.doors.loops import LoopDoor
from replay.doors.output import OutputDoor
from replay.doors.readings import Readings
from replay.doors.standard_input import InputDoor
from replay.doors.threads import ThreadDoor
from replay.errors import UsageError
from replay.scheduler import handover
from replay.scheduler.loop import DeterministicLoop
from replay.scheduler.ports import Stalled
from replay.scheduler.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from replay.doors.answering import Answerer


__all__ = ["Stage"]

T = TypeVar("T")


class Stage:
    """Everything that stands around a program while it runs.

    Args:
        context: what the doors work with.
        answerer: answers clock, randomness and environment readings.
        seed: seeds the global random generator of the program.
        pass_on: takes bytes of standard output on their way out.
    """

    def __init__(
        self,
        context: DoorContext,
        answerer: Answerer,
        seed: bytes,
        pass_on: Callable[[BinaryIO, bytes], None],
    ) -> None:
        self.context = context
        self.scheduler = context.scheduler
        self._answerer = answerer
        self._seed = seed
        self._readings = Readings(self._lookup)
        self._output = OutputDoor(pass_on)
        self._workers = Workers(self.scheduler)
        self._loops: list[DeterministicLoop] = []
        context.new_loop = self._new_loop
        self._workers.on_start = lambda: bind_thread(context)
        self._workers.on_end = unbind_thread

    def _lookup(self) -> Answerer | None:
        return self._answerer if current() is self.context else None

    def play(self, program: Callable[[], T]) -> T:
        """Run a program to its end; the stage is up.

        Args:
            program: what to run on this thread. Event loops that it makes are the run's own.

        Raises:
            Halted: the scheduler stopped the program.
            Stalled: nothing could ever go on; nothing of the program is left.
            BaseException: whatever the program raised.
        """
        try:
            try:
                return program()
            finally:
                if self.scheduler.halted is None:
                    self._output.flush()
        finally:
            halted = self.scheduler.halted
            if halted is not None:
                self._tear_down()
            if isinstance(halted, Stalled):
                # How the program ended, not how the run did: that goes on to its seal, once no
                # thread of the program is left that could add to it.
                self._workers.shut_down()
                self.scheduler.halted = None
                raise halted

    def _new_loop(self) -> DeterministicLoop:
        # asyncio's abstract methods raise NotImplementedError, which is the refusal wanted.
        loop = DeterministicLoop(self.scheduler, self._workers)  # type: ignore[abstract]
        self._loops.append(loop)
        return loop

    @contextlib.contextmanager
    def up(self) -> Iterator[None]:
        """Put the stage up; take it down whatever happens.

        Raises:
            UsageError: an event loop is running in this thread, or another run in this process.
        """
        if asyncio._get_running_loop() is not None:
            raise UsageError(
                "a run cannot begin inside a running event loop",
                hint="call it from synchronous code, or from another thread",
            )
        with contextlib.ExitStack() as stack:
            # Standard output, the global random generator and the collector are one a process.
            if not _ON_STAGE.acquire(blocking=False):
                raise UsageError(
                    "another run is under way in this process",
                    hint="record one after another, or each in a process of its own",
                )
            stack.callback(_ON_STAGE.release)
            state = random.getstate()
            stack.callback(random.setstate, state)
            handover.install()
            stack.callback(handover.remove)
            _HTTP.install()
            stack.callback(_HTTP.remove)
            _LOOPS.install()
            stack.callback(_LOOPS.remove)
            _BLOCKING.install()
            stack.callback(_BLOCKING.remove)
            _THREADS.install()
            stack.callback(_THREADS.remove)
            stack.enter_context(InputDoor())
            self._output.install()
            stack.callback(self._output.remove)
            self._readings.install()
            stack.callback(self._readings.remove)
            stack.callback(self._readings.close_run, self._answerer)
            self.scheduler.late_patches.append(handover.patch_anyio)
            random.seed(int.from_bytes(self._seed, "little"))
            # Callbacks of others (profilers, test tools) are no part of the program.
            callbacks, gc.callbacks[:] = gc.callbacks[:], []
            stack.callback(gc.callbacks.__setitem__, slice(None), callbacks)
            bind_thread(self.context)
            stack.callback(unbind_thread)
            self.scheduler.start()
            stack.callback(self.scheduler.stop)
            stack.callback(self._workers.shut_down)
            yield

    def _tear_down(self) -> None:
        """Close what a halted program left, in creation order, with every door shut.

        Coroutines are closed here, on this thread, and not left to the garbage collector, which
        would run their ``finally`` blocks anywhere and at any time.
        """
        for loop in self._loops:
            left = [task for task in asyncio.all_tasks(loop) if not task.done()]
            for task in sorted(left, key=hash):
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                coroutine = task.get_coro()
                if coroutine is not None:
                    with contextlib.suppress(BaseException):
                        coroutine.close()
            if not loop.is_closed():
                loop.close()


# Process-wide, as the classes and functions they wrap are.
_ON_STAGE: Final = allocate_lock()
_HTTP: Final = HttpDoor()
_LOOPS: Final = LoopDoor()
_BLOCKING: Final = BlockingDoor()
_THREADS: Final = ThreadDoor()
