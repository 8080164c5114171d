"""The stage: scheduler, loops and doors of one run, put up around a program, taken down after."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import random
import sys
from _thread import get_ident
from asyncio.base_events import _run_until_complete_cb  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Final, TypeVar

from replay.doors.context import DoorContext, bind_thread, current_answerer, unbind_thread
from replay.doors.http.door import HttpDoor
from replay.doors.processes.door import ProcessDoor
from replay.doors.state.adapters import AdapterDoor
from replay.doors.streams.output import OutputDoor, flush_output, give_output
from replay.doors.streams.standard_error import ErrorDoor, give_error
from replay.doors.streams.standard_input import InputDoor, give_input
from replay.doors.surroundings.global_random import GlobalRandomDoor
from replay.doors.surroundings.readings import Readings
from replay.doors.surroundings.rust_ids import RustIdDoor
from replay.doors.threads.imports import ImportDoor
from replay.doors.threads.locks import LockDoor
from replay.doors.threads.loops import LoopDoor, no_current_loop
from replay.doors.threads.pools import PoolDoor
from replay.doors.threads.signals import SignalDoor, signals_of
from replay.doors.threads.sleeping import SleepDoor
from replay.doors.threads.starting import ThreadDoor
from replay.doors.threads.tracers import spare_tracers
from replay.doors.transports import TransportDoor, refuse_connection
from replay.errors import UsageError
from replay.events.kinds import CancelRequested, SignalReceived
from replay.files.door import FilesDoor
from replay.files.program_files import Files
from replay.scheduler import handover
from replay.scheduler.loop import DeterministicLoop
from replay.scheduler.ports import Stalled, Terminated
from replay.scheduler.workers import Workers
from replay.session.coroutines import close_coroutine
from replay.session.sharing import shared_heap
from replay.session.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from replay.doors.surroundings.answering import Answerer
    from replay.doors.surroundings.setting import Setting
    from replay.events.kinds import Payload


__all__ = ["Stage"]

T = TypeVar("T")


class Stage:
    """Everything that stands around a program while it runs.

    Args:
        context: what the doors work with.
        answerer: answers clock, randomness and environment readings.
        seed: seeds the global random generator of the program.
        pass_on: takes bytes of standard output on their way out.
        setting: what the program finds without asking.
        shared: whether other runs may be on stage too; see :mod:`replay.session.sharing`.
    """

    def __init__(
        self,
        context: DoorContext,
        answerer: Answerer,
        seed: bytes,
        pass_on: Callable[[BinaryIO, bytes], None],
        setting: Setting,
        *,
        shared: bool,
    ) -> None:
        self.context = context
        self.scheduler = context.scheduler
        self._pass_on = pass_on
        self._setting = setting
        self._shared = shared
        context.answerer = answerer
        context.shared = shared
        context.random = random.Random(int.from_bytes(seed, "little"))  # noqa: S311 - the program's
        self._workers = Workers(context.threads)
        self._loops: list[DeterministicLoop] = []
        context.new_loop = self._new_loop
        context.recorder.entered = self._entered
        self.scheduler.connecting = lambda way: refuse_connection(context, way)
        context.threads.on_start = lambda: bind_thread(context)
        context.threads.on_end = unbind_thread

    def play(self, program: Callable[[], T]) -> T:
        """Run a program to its end; the stage is up.

        Args:
            program: what to run on this thread. Event loops that it makes are the run's own.

        Raises:
            Halted: the scheduler stopped the program.
            Stalled: nothing could ever go on; nothing of the program is left.
            Terminated: a signal ended the program; likewise.
            BaseException: whatever the program raised.
        """
        try:
            try:
                # What the caller has set in its context would be an input that no record has.
                return contextvars.Context().run(program)
            finally:
                if self.scheduler.halted is None:
                    self.context.threads.finish()
                    flush_output(self.context)
                    self._finish_files()
        finally:
            halted = self.scheduler.halted
            if halted is not None:
                self._tear_down()
            if isinstance(halted, Stalled | Terminated):
                # How the program ended, not how the run did: that goes on to its seal, once no
                # thread of the program is left that could add to it. One that would not end is
                # still halted: this thread alone may make the last records.
                self._workers.shut_down()
                self.scheduler.sealing = get_ident()
                self._finish_files()
                raise halted

    def _finish_files(self) -> None:
        """Put on record what the program wrote and did not close."""
        files = self.context.files
        if isinstance(files, Files):
            files.finish()

    def _new_loop(self) -> DeterministicLoop:
        # asyncio's abstract methods raise NotImplementedError, which is the refusal wanted.
        loop = DeterministicLoop(self.scheduler, self._workers)
        self._loops.append(loop)
        return loop

    def _entered(self, payload: Payload) -> None:
        """Take an input that nobody asked for."""
        if isinstance(payload, SignalReceived):
            self.scheduler.signalled(payload.name)
        if not isinstance(payload, CancelRequested):
            return
        loops = self.scheduler.participants[0].loops
        loop = loops[0] if loops else None
        if isinstance(loop, DeterministicLoop):
            # In an empty context, so it is the main thread's doing that the task is cancelled.
            loop.call_soon_threadsafe(_cancel_root, loop, context=contextvars.Context())

    @contextlib.contextmanager
    def up(self) -> Iterator[None]:
        """Put the stage up; take it down whatever happens.

        Raises:
            UsageError: an event loop is running in this thread.
            SetupError: this process cannot host a run.
        """
        if asyncio._get_running_loop() is not None:
            raise UsageError(
                "a run cannot begin inside a running event loop",
                hint="call it from synchronous code, or from another thread",
            )
        with contextlib.ExitStack() as stack:
            setting = self._setting
            stack.enter_context(setting.in_force(shared=self._shared))
            _RANDOM.install()
            stack.callback(_RANDOM.remove)
            handover.install()
            stack.callback(handover.remove)
            with _RANDOM.spared():
                _HTTP.install()
            stack.callback(_HTTP.remove)
            _LOOPS.install()
            stack.callback(_LOOPS.remove)
            stack.enter_context(no_current_loop())
            _RUST_IDS.install()
            stack.callback(_RUST_IDS.remove)
            spare_tracers()
            for door in _THREADS:
                door.install()
                stack.callback(door.remove)
            for each in (_INPUT, _OUTPUT, _ERROR, _READINGS, _PROCESSES, _FILES):
                each.install()
                stack.callback(each.remove)
            give_output(self.context, _OUTPUT.real, self._pass_on, setting.coding("stdout"))
            give_input(self.context, _INPUT.real, setting.coding("stdin"))
            give_error(self.context, _ERROR.real, setting.coding("stderr"))
            stack.callback(_READINGS.close_run, self.context.answerer)
            self.scheduler.late_patches.append(handover.patch_anyio)
            self._keep_heap(stack)
            stack.enter_context(signals_of(self.context))
            bind_thread(self.context)
            stack.callback(unbind_thread)
            adapters = tuple(self.context.adapters.values())
            _ADAPTERS.install(adapters)
            stack.callback(_ADAPTERS.remove, adapters)
            self.scheduler.start()
            stack.callback(self.scheduler.stop)
            stack.callback(self._workers.shut_down)
            watchdog = Watchdog(self.scheduler, _tell)
            self.context.threads.on_second = watchdog.start
            stack.callback(watchdog.stop)
            yield

    def _keep_heap(self, stack: contextlib.ExitStack) -> None:
        """See to it that garbage is collected where the schedule says, or on no thread of it."""
        self.scheduler.collects = not self._shared and self.scheduler.collect_every > 0
        if not self.scheduler.collects:
            stack.enter_context(shared_heap())
            return
        # Callbacks of others (profilers, test tools) are no part of the program.
        callbacks, gc.callbacks[:] = gc.callbacks[:], []
        stack.callback(gc.callbacks.__setitem__, slice(None), callbacks)

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
                    close_coroutine(coroutine)
            if not loop.is_closed():
                loop.close()


def _tell(sentence: str) -> None:
    """Say something to whoever watches the program; it is no output of the program's."""
    if sys.__stderr__ is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.__stderr__.write(f"ritornello: {sentence}\n")
            sys.__stderr__.flush()


def _cancel_root(loop: DeterministicLoop) -> None:
    """Cancel the task that a loop runs to its end; anyio finds it in the same way."""
    for task in asyncio.all_tasks(loop):
        callbacks = task._callbacks or ()
        if any(callback is _run_until_complete_cb for callback, _ in callbacks):
            task.cancel()


# Process-wide, as the classes and functions they wrap are.
_ADAPTERS: Final = AdapterDoor()
_ERROR: Final = ErrorDoor()
_FILES: Final = FilesDoor()
_HTTP: Final = HttpDoor()
_LOOPS: Final = LoopDoor()
_RUST_IDS: Final = RustIdDoor()
_INPUT: Final = InputDoor()
_OUTPUT: Final = OutputDoor()
_PROCESSES: Final = ProcessDoor()
_RANDOM: Final = GlobalRandomDoor()
_READINGS: Final = Readings(current_answerer)
_THREADS: Final = (
    SleepDoor(),
    ImportDoor(),
    LockDoor(),
    ThreadDoor(),
    PoolDoor(),
    SignalDoor(),
    TransportDoor(),
)
