"""The stage: scheduler, loops and doors of one run, put up around a program and taken down again."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from replay.doors.context import DoorContext, bind_thread, current, unbind_thread
from replay.doors.http import HttpDoor
from replay.doors.output import OutputDoor
from replay.doors.readings import Readings
from replay.errors import UsageError
from replay.scheduler import handover
from replay.scheduler.loop import DeterministicLoop
from replay.scheduler.workers import Workers, sleep, wait_for_result

if TYPE_CHECKING:
    import concurrent.futures
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

    def _lookup(self) -> Answerer | None:
        return self._answerer if current() is self.context else None

    def play(self, program: Callable[[], T]) -> T:
        """Run a program to its end; the stage is up.

        Args:
            program: what to run on this thread. Event loops that it makes are the run's own.

        Raises:
            Halted: the scheduler stopped the program.
            BaseException: whatever the program raised.
        """
        try:
            return program()
        finally:
            if self.scheduler.halted is not None:
                self._tear_down()

    def _new_loop(self) -> DeterministicLoop:
        loop = DeterministicLoop(self.scheduler, self._workers)
        self._loops.append(loop)
        return loop

    @contextlib.contextmanager
    def up(self) -> Iterator[None]:
        """Put the stage up; take it down whatever happens.

        Raises:
            UsageError: an event loop is running in this thread.
        """
        if asyncio._get_running_loop() is not None:  # noqa: SLF001 - no error where there is none
            raise UsageError(
                "a run cannot begin inside a running event loop",
                hint="call it from synchronous code, or from another thread",
            )
        with contextlib.ExitStack() as stack:
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
            self._output.install()
            stack.callback(self._output.remove)
            self._readings.install()
            stack.callback(self._readings.remove)
            stack.callback(self._readings.close_run, self._answerer)
            self.scheduler.late_patches.append(handover.patch_anyio)
            random.seed(int.from_bytes(self._seed, "little"))
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
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
                coroutine = task.get_coro()
                if coroutine is not None:
                    with contextlib.suppress(BaseException):
                        coroutine.close()
            if not loop.is_closed():
                loop.close()


class _CountedHttpDoor:
    """The HTTP door is in place while at least one run is on stage."""

    def __init__(self) -> None:
        self._door = HttpDoor()
        self._count = 0
        self._lock = threading.Lock()

    def install(self) -> None:
        with self._lock:
            self._count += 1
            if self._count == 1:
                self._door.install()

    def remove(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0:
                self._door.remove()


class _Loops:
    """``asyncio.run`` and its like give an owned thread a loop of its run."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    def install(self) -> None:
        with self._lock:
            self._count += 1
            if self._count > 1:
                return
            self._real = real = asyncio.new_event_loop

            def new_event_loop() -> asyncio.AbstractEventLoop:
                context = current()
                return real() if context is None else context.new_loop()

            asyncio.new_event_loop = asyncio.events.new_event_loop = new_event_loop

    def remove(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0:
                asyncio.new_event_loop = asyncio.events.new_event_loop = self._real


class _Blocking:
    """``time.sleep`` and ``Future.result`` of owned threads give up the baton."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    def install(self) -> None:
        from concurrent.futures import Future  # noqa: PLC0415 - the class that is patched

        with self._lock:
            self._count += 1
            if self._count > 1:
                return
            self._sleep, self._result = time.sleep, Future.result
            real_sleep, real_result = self._sleep, self._result

            def sleep_door(seconds: float, /) -> None:
                context = current()
                if context is None:
                    real_sleep(seconds)
                else:
                    sleep(context.scheduler, seconds)

            def result_door(
                future: concurrent.futures.Future[Any], timeout: float | None = None
            ) -> Any:
                context = current()
                if context is not None and not wait_for_result(
                    context.scheduler, future, timeout
                ):
                    raise TimeoutError
                return real_result(future, timeout)

            time.sleep = sleep_door
            Future.result = result_door  # type: ignore[method-assign]

    def remove(self) -> None:
        from concurrent.futures import Future  # noqa: PLC0415

        with self._lock:
            self._count -= 1
            if self._count == 0:
                time.sleep = self._sleep
                Future.result = self._result  # type: ignore[method-assign]


# Process-wide, as the classes and functions they wrap are.
_HTTP = _CountedHttpDoor()
_LOOPS = _Loops()
_BLOCKING = _Blocking()
