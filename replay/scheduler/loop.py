"""The deterministic event loop: a ready queue and timers, no selector, no socket.

What it does not offer is refused by name, or by asyncio itself. What it
runs is decided by :class:`replay.scheduler.core.Scheduler`; it only keeps callbacks in order.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import signal
import sys
import weakref
from _thread import get_ident
from asyncio import events, tasks
from asyncio.base_events import _run_until_complete_cb  # type: ignore[attr-defined]
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from replay.errors import UsageError
from replay.scheduler.core import ACTOR, Scheduler
from replay.scheduler.handle import Handle, TimerHandle
from replay.scheduler.outside import OutsideMethods
from replay.scheduler.ports import FAR, Halted
from replay.scheduler.tasks import Future, Task
from replay.scheduler.workers import Workers, run_in_worker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
    from contextvars import Context

    from replay.scheduler.core import Participant

__all__ = ["DeterministicLoop"]

T = TypeVar("T")


class DeterministicLoop(OutsideMethods):
    """An event loop of one run."""

    def __init__(self, scheduler: Scheduler, workers: Workers) -> None:
        self.scheduler = scheduler
        self._workers = workers
        self._ready: deque[Handle | TimerHandle] = deque()
        self._participant: Participant | None = None
        self._stopping = False
        self._closed = False
        self._debug = False
        self._exception_handler: Callable[..., object] | None = None
        self._task_factory: Callable[..., Any] | None = None
        #: Functions of this loop in worker threads, and who waits for the last of them.
        self._jobs = 0
        self._jobs_done: Future[Any] | None = None
        # A dictionary, for its order: a set's is that of addresses.
        self._asyncgens: weakref.WeakKeyDictionary[AsyncGenerator[Any, Any], None] = (
            weakref.WeakKeyDictionary()
        )

    # --- time and callbacks -------------------------------------------------------------------

    def time(self) -> float:
        """Return loop time in seconds."""
        return self.scheduler.time()

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        """Run a callback after those already in line."""
        if self._closed:
            raise RuntimeError("Event loop is closed")
        handle = Handle(callback, args, self, context)
        self._ready.append(handle)
        if (own := self._participant) is not None and own is not self.scheduler.current:
            self.scheduler.wake(own)  # an answer may enter while another thread has the baton
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        """Run a callback; the caller is another participant of this run."""
        # The loop's own thread may be in a signal handler while another one runs.
        own = self._participant is not None and self._participant.ident == get_ident()
        if not own and not self.scheduler.owns_this_thread() and not self.scheduler.inside:
            raise RuntimeError(
                "call_soon_threadsafe from a thread that this run does not schedule; "
                "use asyncio.to_thread or loop.run_in_executor"
            )
        handle = self.call_soon(callback, *args, context=context)
        if self.scheduler.inside:
            self.scheduler.inputs.nudge()  # a signal handler ran while the engine waited
        return handle

    def enqueue(self, handle: TimerHandle) -> None:
        """Put a fired timer in line."""
        self._ready.append(handle)
        if self._participant is not None:
            self.scheduler.wake(self._participant)

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> TimerHandle:
        """Run a callback after a delay in seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> TimerHandle:
        """Run a callback at a loop time in seconds."""
        if self._closed:
            raise RuntimeError("Event loop is closed")
        handle = TimerHandle(when, callback, args, self, context)
        deadline = self.scheduler.deadline(when)
        if deadline < FAR:
            self.scheduler.timers.add(deadline, handle)
            handle._scheduled = True
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        if handle._scheduled:  # type: ignore[attr-defined]
            self.scheduler.timers.note_cancelled()

    # --- futures, tasks, threads --------------------------------------------------------------

    def create_future(self) -> Future[Any]:
        """Return a future of this loop."""
        return Future.of(self)

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
        **options: Any,
    ) -> asyncio.Task[T]:
        """Return a task of this loop; a task factory set by the program is asked first."""
        if self._closed:
            raise RuntimeError("Event loop is closed")
        factory = self._task_factory
        if factory is None:
            return Task(coro, loop=self, name=name, context=context, **options)
        if factory is getattr(asyncio, "eager_task_factory", None):
            return Task(coro, loop=self, name=name, context=context, eager_start=True, **options)
        if context is not None:
            options["context"] = context
        if sys.version_info >= (3, 13) and name is not None:
            options["name"] = name
        task: asyncio.Task[T] = factory(self, coro, **options)
        if sys.version_info < (3, 13) and name is not None:
            task.set_name(name)
        return task

    def set_task_factory(self, factory: Callable[..., Any] | None) -> None:
        """Set the program's task factory."""
        self._task_factory = factory

    def get_task_factory(self) -> Callable[..., Any] | None:
        """Return the program's task factory."""
        return self._task_factory

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., T], *args: Any
    ) -> Future[T]:
        """Run a function in a worker thread of the schedule, or in a pool of the program's."""
        if executor is None:
            return run_in_worker(self._workers, self, func, args)
        if not isinstance(executor, concurrent.futures.ThreadPoolExecutor):
            raise UsageError(
                f"{type(executor).__name__} runs code outside the schedule",
                hint="use threads, or wrap the call in an effect",
            )
        waited: Future[T] = asyncio.wrap_future(  # type: ignore[assignment]
            executor.submit(func, *args), loop=self
        )
        return waited

    def set_default_executor(self, executor: object) -> None:
        """Accept and ignore: worker threads belong to the schedule."""

    def add_signal_handler(  # type: ignore[override]
        self, sig: int, callback: Callable[..., object], *args: Any
    ) -> None:
        """Run a callback when a signal enters; only the program's main thread may ask."""
        handle = Handle(callback, args, self, None)

        def receive(_number: int, _frame: object) -> None:
            if not self._closed:
                self.call_soon_threadsafe(handle._run)

        signal.signal(sig, receive)

    def remove_signal_handler(self, sig: int) -> bool:
        """Give a signal back to Python; return whether it had a handler."""
        default = signal.default_int_handler if sig == signal.SIGINT else signal.SIG_DFL
        return signal.signal(sig, default) not in {default, None}

    # --- debugging and errors -----------------------------------------------------------------

    def get_debug(self) -> bool:
        """Return whether debug mode is set; it changes nothing here."""
        return self._debug

    def set_debug(self, enabled: bool) -> None:  # noqa: FBT001 - asyncio's signature
        """Set debug mode."""
        self._debug = enabled

    def get_exception_handler(self) -> Callable[..., object] | None:
        """Return the program's exception handler."""
        return self._exception_handler

    def set_exception_handler(self, handler: Callable[..., object] | None) -> None:
        """Set the program's exception handler."""
        self._exception_handler = handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Report as asyncio does, through its logger."""
        if self.scheduler.halted is None:
            asyncio.BaseEventLoop.default_exception_handler(self, context)  # type: ignore[arg-type]

    _current_handle = None  # read by the borrowed handler above

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Report through the program's handler, or the default one."""
        if self._exception_handler is None:
            self.default_exception_handler(context)
        else:
            self._exception_handler(self, context)

    # --- running ------------------------------------------------------------------------------

    def is_running(self) -> bool:
        """Return whether the loop is running."""
        return self._participant is not None

    def is_closed(self) -> bool:
        """Return whether the loop was closed."""
        return self._closed

    def stop(self) -> None:
        """Stop after the callbacks already in line."""
        self._stopping = True

    def close(self) -> None:
        """Drop what is left."""
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        self._closed = True
        self._ready.clear()

    def run_forever(self) -> None:
        """Run until stopped."""
        if self.is_running():
            raise RuntimeError("This event loop is already running")
        if events._get_running_loop() is not None:
            raise RuntimeError("Cannot run the event loop while another loop is running")
        if self._closed:
            raise RuntimeError("Event loop is closed")
        scheduler = self.scheduler
        if scheduler.halted is not None:
            raise Halted from scheduler.halted
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._opened, finalizer=self._finalize)
        self._participant = participant = scheduler.current
        participant.loops.append(self)
        events._set_running_loop(self)
        ready = self._ready
        try:
            while True:
                self._run_ready()
                if self._stopping:
                    break
                if not ready:
                    scheduler.wait(ready)
        finally:
            self._stopping = False
            self._participant = None
            participant.loops.pop()
            events._set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)

    def _run_ready(self) -> None:
        """Run the callbacks that are in line now, as one iteration of asyncio's loop does."""
        scheduler = self.scheduler
        ready = self._ready
        for _ in range(len(ready)):
            if scheduler.unsettled:
                scheduler.ledger.settle()
            if scheduler.ran >= scheduler.limit:
                scheduler.busy()
                if scheduler.interrupts:
                    scheduler.interrupt()
            handle = ready.popleft()
            if handle._cancelled:
                continue
            scheduler.ran += 1
            context = handle._context
            stamp = handle.stamp
            if stamp is not None:
                actor = context.get(ACTOR)
                if actor is not None:
                    actor.receive_end(stamp)
            try:
                context.run(handle._callback, *handle._args)
            except (SystemExit, KeyboardInterrupt, Halted):
                raise
            except BaseException as error:  # noqa: BLE001 - as asyncio's handles do
                self.call_exception_handler(
                    {
                        "message": f"Exception in callback {handle._callback!r}",
                        "exception": error,
                        "handle": handle,
                    }
                )
            if scheduler.halted is not None:
                raise Halted from scheduler.halted
            # A traceback may keep this frame, and with it a task that should go now.
            del handle, context

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        """Run until a future is done and return its result."""
        new = not asyncio.isfuture(future)
        waited: asyncio.Future[T] = tasks.ensure_future(future, loop=self)  # type: ignore[arg-type]
        # anyio finds the root task by this very callback.
        waited.add_done_callback(_run_until_complete_cb)
        try:
            self.run_forever()
        except BaseException:
            if new and waited.done() and not waited.cancelled():
                waited.exception()
            raise
        finally:
            waited.remove_done_callback(_run_until_complete_cb)
        if not waited.done():
            raise RuntimeError("Event loop stopped before Future completed.")
        return waited.result()

    def _opened(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._asyncgens[generator] = None

    def _finalize(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._asyncgens.pop(generator, None)
        if not self._closed:
            self.call_soon_threadsafe(self.create_task, generator.aclose())

    def shutdown_asyncgens(self) -> Awaitable[None]:  # type: ignore[override]
        """Close async generators that are still open, in order of their first step."""
        generators = list(self._asyncgens)
        self._asyncgens.clear()
        if generators:
            return self._close_generators(generators)
        return self._done()  # no task, hence no record, where there is nothing to do

    async def _close_generators(self, generators: list[AsyncGenerator[Any, Any]]) -> None:
        await asyncio.gather(
            *[generator.aclose() for generator in generators], return_exceptions=True
        )

    def shutdown_default_executor(  # type: ignore[override]
        self, timeout: float | None = None
    ) -> Awaitable[None]:
        """Wait for what still runs in worker threads; the threads themselves are the run's."""
        if not self._jobs:
            return self._done()
        self._jobs_done = done = self.create_future()
        if timeout is not None:
            self.call_later(timeout, _complete, done)
        return done

    def job_started(self) -> None:
        """Count a function that runs in a worker thread."""
        self._jobs += 1

    def job_ended(self, callback: Callable[..., object], *args: Any) -> None:
        """Hand over what came of such a function; nobody is there after the loop was closed."""
        self._jobs -= 1
        if self._closed:
            return
        self.call_soon_threadsafe(callback, *args)
        if not self._jobs and self._jobs_done is not None:
            self.call_soon_threadsafe(_complete, self._jobs_done)

    def _done(self) -> Awaitable[None]:
        future = self.create_future()
        future.set_result(None)
        return future


def _complete(future: Future[Any]) -> None:
    if not future.done():
        future.set_result(None)
