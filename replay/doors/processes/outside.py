"""The real process of a recording: started, fed and read on threads of the engine.

What it writes is posted as it comes. The program's own descriptors are given to no process: its
output is passed on by the run, so that it is in the record and comes again in a replay.
"""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import os
import selectors
import signal
import subprocess
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from replay.doors.failures import failure_of
from replay.events.process_kinds import ProcessEnded, ProcessSpawned, ProcessWrote

if TYPE_CHECKING:
    from replay.doors.context import Post
    from replay.doors.processes.plan import Plan

__all__ = ["RealProcess"]

_READ_SIZE: Final = 64 * 1024
#: How long the end of a stream waits for the end of the process, which says both.
_END_WAIT_S: Final = 0.05
_WAKE: Final = "wake"


class RealProcess:
    """One process; see the module docstring. Only :meth:`feed` and :meth:`signal` are called twice.

    Args:
        plan: what to start.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._process: subprocess.Popen[bytes] | None = None
        self._input: SimpleQueue[bytes | None] = SimpleQueue()
        self._given_up = False

    async def work(self, post: Post) -> None:
        """Run it to its end; being cancelled ends it."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def finish() -> None:
            if not done.done():
                done.set_result(None)

        def body() -> None:
            try:
                self._run(post)
            finally:
                loop.call_soon_threadsafe(finish)

        _thread.start_new_thread(body, ())
        try:
            await done
        except asyncio.CancelledError:
            self._given_up = True
            self.signal(signal.SIGKILL, group=False)
            raise

    def feed(self, data: bytes, *, end: bool) -> None:
        """Write to its standard input, in order of the calls."""
        if data:
            self._input.put(data)
        if end:
            self._input.put(None)

    def signal(self, number: int, *, group: bool) -> None:
        """Send it a signal if it still runs."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(OSError):
            if group:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)

    # --- on its own thread --------------------------------------------------------------------

    def _run(self, post: Post) -> None:
        plan = self._plan
        try:
            process = self._process = subprocess.Popen(  # noqa: S603 - asked for
                plan.real_arguments,
                stdin=subprocess.DEVNULL if plan.stdin == "null" else subprocess.PIPE,
                stdout=subprocess.DEVNULL if plan.stdout == "null" else subprocess.PIPE,
                stderr={"null": subprocess.DEVNULL, "merged": subprocess.STDOUT}.get(
                    plan.stderr, subprocess.PIPE
                ),
                bufsize=0,
                **plan.real_options,
            )
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the answer
            file = getattr(error, "filename", None)
            named = os.fsdecode(file) if isinstance(file, str | bytes) else None
            post(ProcessSpawned(failure=failure_of(error), file=named), None, "error")
            return
        if self._given_up:
            process.kill()
        post(ProcessSpawned(pid=process.pid), None, "ok")
        if process.stdin is not None:
            _thread.start_new_thread(_write, (process.stdin, self._input))
            if plan.given is not None:
                self.feed(plan.given, end=True)
        _Reader(process, plan, post).run()
        self._input.put(None)


def _write(stdin: Any, queue: SimpleQueue[bytes | None]) -> None:
    """Write what is put into a queue, until nothing more comes or nobody reads it."""
    with contextlib.suppress(OSError), stdin:
        while (data := queue.get()) is not None:
            view = memoryview(data)
            while view:
                view = view[stdin.write(view) :]


class _Reader:
    """Posts what a process writes, and how it ends."""

    def __init__(self, process: subprocess.Popen[bytes], plan: Plan, post: Post) -> None:
        self._process = process
        self._post = post
        self._captured = {n for n in ("stdout", "stderr") if getattr(plan, n) == "pipe"}
        self._selector = selectors.DefaultSelector()
        self._ended = False
        #: Captured streams whose end is not posted.
        self._finished: list[str] = []

    def run(self) -> None:
        """Read until the process has ended and nobody holds its streams open."""
        process, selector = self._process, self._selector
        woken, waker = os.pipe()

        def wait() -> None:
            process.wait()
            os.close(waker)

        selector.register(woken, selectors.EVENT_READ, _WAKE)
        for name in ("stdout", "stderr"):
            stream = getattr(process, name)
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                selector.register(stream.fileno(), selectors.EVENT_READ, name)
        _thread.start_new_thread(wait, ())
        while selector.get_map():
            ready = selector.select(_END_WAIT_S if self._finished and not self._ended else None)
            if not ready:
                self._say_finished()
            for key, _ in ready:
                if key.data == _WAKE:
                    selector.unregister(key.fd)
                    self._end()
                elif key.fd in selector.get_map():
                    self._read(key.fd, key.data)
        os.close(woken)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        selector.close()

    def _read(self, descriptor: int, name: str) -> bool:
        """Read once; return whether there may be more now."""
        try:
            data = os.read(descriptor, _READ_SIZE)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        captured = name in self._captured
        if data:
            # After the end, what others write to a stream of the program's own is nobody's.
            if captured or not self._ended:
                self._say(ProcessWrote(stream=name), data)  # type: ignore[arg-type]
            return True
        self._selector.unregister(descriptor)
        if captured:
            self._finished.append(name)
            if self._ended:
                self._say_finished()
        return False

    def _end(self) -> None:
        """The process has ended: read what is there, then say so."""
        for key in list(self._selector.get_map().values()):
            while self._read(key.fd, key.data):
                pass
        left = {key.data for key in self._selector.get_map().values()} & self._captured
        code = self._process.returncode
        self._say(ProcessEnded(returncode=code, open=tuple(sorted(left))), None)
        self._finished.clear()
        self._ended = True

    def _say_finished(self) -> None:
        while self._finished:
            self._say(ProcessWrote(stream=self._finished.pop(0), end=True), b"")  # type: ignore[arg-type]

    def _say(self, payload: ProcessWrote | ProcessEnded, body: bytes | None) -> None:
        self._post(payload, body, "ok")
