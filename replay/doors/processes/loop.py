"""asyncio's subprocesses: what ``create_subprocess_exec`` and ``_shell`` ask of an event loop.

The transports call a protocol as asyncio's own do, so ``asyncio.subprocess.Process``, anyio and the
clients of servers on standard streams work on them unchanged.
"""

from __future__ import annotations

import asyncio
import inspect
import subprocess
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final

from replay.doors.context import current
from replay.doors.counted import CountedDoor
from replay.doors.processes.child import Child
from replay.doors.processes.plan import plan_of
from replay.scheduler.loop import DeterministicLoop

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.doors.processes.plan import Plan

__all__ = ["LoopMethods"]

_SIGNATURE: Final = inspect.signature(subprocess.Popen.__init__)
_DEFAULTS: Final = {name: each.default for name, each in _SIGNATURE.parameters.items()}
_NAMES: Final = {1: "stdout", 2: "stderr"}
_DESCRIPTORS: Final = {name: number for number, name in _NAMES.items()}


class LoopMethods(CountedDoor):
    """Gives the loops of runs the two methods."""

    def put(self) -> None:
        """Put them in place of those that raise NotImplementedError."""
        setattr(DeterministicLoop, "subprocess_exec", _subprocess_exec)  # noqa: B010
        setattr(DeterministicLoop, "subprocess_shell", _subprocess_shell)  # noqa: B010

    def take_back(self) -> None:
        """Take them away."""
        delattr(DeterministicLoop, "subprocess_exec")
        delattr(DeterministicLoop, "subprocess_shell")


async def _subprocess_exec(
    loop: DeterministicLoop,
    protocol_factory: Callable[[], Any],
    program: Any,
    *args: Any,
    **options: Any,
) -> tuple[Any, Any]:
    """Start a program; see ``loop.subprocess_exec``."""
    return await _connect(loop, protocol_factory, [program, *args], options, shell=False)


async def _subprocess_shell(
    loop: DeterministicLoop, protocol_factory: Callable[[], Any], cmd: Any, **options: Any
) -> tuple[Any, Any]:
    """Start a command line; see ``loop.subprocess_shell``."""
    if not isinstance(cmd, bytes | str):
        raise ValueError("cmd must be a string")  # noqa: TRY004 - as asyncio does
    return await _connect(loop, protocol_factory, cmd, options, shell=True)  # noqa: S604


async def _connect(
    loop: DeterministicLoop,
    protocol_factory: Callable[[], Any],
    arguments: Any,
    options: dict[str, Any],
    *,
    shell: bool,
) -> tuple[Any, Any]:
    context = current()
    if context is None:
        raise RuntimeError("a process is started on a thread of the run only")
    if options.pop("shell", shell) is not shell:
        raise ValueError(f"shell must be {shell}")
    for name, wanted in (("universal_newlines", False), ("text", False), ("bufsize", 0)):
        if options.pop(name, None):
            raise ValueError(f"{name} must be {wanted}")
    for name in ("encoding", "errors"):
        if options.pop(name, None) is not None:
            raise ValueError(f"{name} must be None")
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    call = _SIGNATURE.bind(None, arguments, shell=shell, **{**streams, **options})
    call.apply_defaults()
    plan = plan_of(context, call.arguments, _DEFAULTS)
    transport = _Transport(loop, plan)
    transport.child = child = Child(context, plan, transport.seen)
    try:
        await transport.decided
    except asyncio.CancelledError:
        child.signal(9)
        raise
    child.started()
    context.children[child.pid] = child
    protocol = protocol_factory()
    transport.connect(protocol)
    return transport, protocol


class _Transport(asyncio.SubprocessTransport):
    """One process on a loop."""

    def __init__(self, loop: DeterministicLoop, plan: Plan) -> None:
        super().__init__()
        self.child: Child
        self.decided: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        # Callbacks belong to whoever started the process.
        self._variables = copy_context()
        self._protocol: Any = None
        self._early: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._exits: list[asyncio.Future[int]] = []
        self._returncode: int | None = None
        self._closed = False
        self._pipes: dict[int, Any] = {}
        if plan.stdin == "pipe":
            self._pipes[0] = _InputTransport(self)
        for number, name in _NAMES.items():
            if getattr(plan, name) == "pipe":
                self._pipes[number] = _OutputTransport()
        self._open = {number for number in self._pipes if number}

    # --- what comes in ------------------------------------------------------------------------

    def seen(self, name: str, data: bytes) -> None:
        """Take what the child did; runs in the engine, so the program hears of it by the loop."""
        if name:
            self._soon(self._read, _DESCRIPTORS[name], data)
        elif self.child.returncode is not None:
            self._soon(self._exited)
        elif not self.decided.done():
            self.decided.set_result(None)

    def connect(self, protocol: Any) -> None:
        """Tell the protocol of its process, then what has come since."""
        self._protocol = protocol
        protocol.connection_made(self)
        for callback, args in self._early:
            self._loop.call_soon(callback, *args)
        self._early.clear()

    def _soon(self, callback: Callable[..., None], *args: Any) -> None:
        if self._protocol is None:
            self._early.append((callback, args))
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *args, context=self._variables)

    def _read(self, number: int, data: bytes) -> None:
        if data:
            self._protocol.pipe_data_received(number, data)
        elif number in self._open:
            self._open.discard(number)
            self._protocol.pipe_connection_lost(number, None)
            self._finish()

    def _exited(self) -> None:
        self._returncode = code = self.child.returncode or 0
        self._protocol.process_exited()
        if 0 in self._pipes:
            self._pipes[0].close()
        for future in self._exits:
            if not future.done():
                future.set_result(code)
        self._finish()

    def _finish(self) -> None:
        if self._returncode is not None and not self._open and not self._closed:
            self._closed = True
            self._protocol.connection_lost(None)

    # --- what the program asks ----------------------------------------------------------------

    def get_pid(self) -> int:
        """Return the number of the process."""
        return self.child.pid

    def get_returncode(self) -> int | None:
        """Return how it ended, None before."""
        return self._returncode

    def get_pipe_transport(self, fd: int) -> Any:
        """Return the transport of a captured stream."""
        return self._pipes.get(fd)

    async def _wait(self) -> int:
        """Wait for its end."""
        if self._returncode is None:
            future: asyncio.Future[int] = self._loop.create_future()
            self._exits.append(future)
            return await future
        return self._returncode

    def send_signal(self, signal: int) -> None:
        """Send it a signal."""
        if self._returncode is not None:
            raise ProcessLookupError
        self.child.signal(signal)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(15)

    def kill(self) -> None:
        """End it."""
        self.send_signal(9)

    def is_closing(self) -> bool:
        """Return whether the end was told."""
        return self._closed

    def close(self) -> None:
        """Close its streams, and end it if it has not ended."""
        for pipe in self._pipes.values():
            pipe.close()
        if self.child.returncode is None and self.child.context.scheduler.halted is None:
            self.child.signal(9)

    def soon_lost(self) -> None:
        """Tell the protocol that the input is closed."""
        self._soon(self._protocol.pipe_connection_lost, 0, None)

    def feed(self, data: bytes, *, end: bool) -> None:
        """Write to the process."""
        if end:
            self.child.end_input()
        else:
            self.child.feed(data, end=False)


class _InputTransport(asyncio.WriteTransport):
    """The standard input of a process; nothing waits in it."""

    def __init__(self, process: _Transport) -> None:
        super().__init__()
        self._process = process
        self._closing = False

    def write(self, data: Any) -> None:
        """Hand bytes over; those after the end of the process go nowhere."""
        if not self._closing and self._process.child.returncode is None:
            self._process.feed(bytes(data), end=False)

    def can_write_eof(self) -> bool:
        """Return True."""
        return True

    def write_eof(self) -> None:
        """Say that nothing will follow."""
        self.close()

    def close(self) -> None:
        """Say that nothing will follow."""
        if not self._closing:
            self._closing = True
            self._process.feed(b"", end=True)
            self._process.soon_lost()

    def abort(self) -> None:
        """Close."""
        self.close()

    def is_closing(self) -> bool:
        """Return whether it was closed."""
        return self._closing

    def get_write_buffer_size(self) -> int:
        """Return 0: all was handed over."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Do nothing: there is no buffer."""


class _OutputTransport(asyncio.ReadTransport):
    """A captured stream of a process; it is read in any case."""

    def __init__(self) -> None:
        super().__init__()
        self._closing = False

    def pause_reading(self) -> None:
        """Do nothing: what has entered is kept by the reader."""

    def resume_reading(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Note that nobody reads on."""
        self._closing = True

    def is_closing(self) -> bool:
        """Return whether it was closed."""
        return self._closing
