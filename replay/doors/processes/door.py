"""Child processes: started live, answered from the record in a replay, waited for in the schedule.

``subprocess.Popen`` is the one class behind ``run``, ``call``, ``check_output``, ``getoutput`` and
``os.popen``; its methods are exchanged for threads of a run and pass through for all others. What
the class keeps of a real process (descriptors, a process to reap) such an object does not have.
"""

from __future__ import annotations

import inspect
import io
import locale
import os
import signal
import subprocess
import sys
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any, Final, cast

from replay.doors.context import current
from replay.doors.counted import CountedDoor
from replay.doors.exchanging.functions import ModuleFunctionExchange
from replay.doors.processes.child import Child
from replay.doors.processes.loop import LoopMethods
from replay.doors.processes.pipes import InputPipe, OutputPipe
from replay.doors.processes.plan import plan_of
from replay.doors.processes.refusals import RefusalDoor

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.doors.context import DoorContext

__all__ = ["ProcessDoor"]

_CHILD: Final = "_ritornello_child"
_Popen = subprocess.Popen
_METHODS: Final = ("__init__", "communicate", "poll", "send_signal", "wait", "__exit__", "__del__")
_KILLED: Final = ("kill", "killpg")


class ProcessDoor(CountedDoor):
    """Puts the door into ``subprocess``, ``os.system`` and ``os.kill``."""

    def __init__(self) -> None:
        super().__init__()
        self._refusals = RefusalDoor()
        self._loops = LoopMethods()
        self._originals: list[tuple[Any, str, Any]] = []
        self._system: ModuleFunctionExchange | None = None

    def put(self) -> None:
        """Exchange the methods and functions."""
        for name in _METHODS:
            original = getattr(_Popen, name)
            self._set(_Popen, name, _WRAPPERS[name](original))
        for name in _KILLED:
            self._set(os, name, _kills(getattr(os, name), group=name == "killpg"))
        if self._system is None:
            self._system = ModuleFunctionExchange(cast("BuiltinFunctionType", os.system))
        real = self._system.real

        def system(command: Any) -> Any:
            return real(command) if current() is None else _status(command)

        self._system.put(system)
        self._loops.install()
        self._refusals.install()

    def take_back(self) -> None:
        """Give them back."""
        self._refusals.remove()
        self._loops.remove()
        if self._system is not None:
            self._system.take_back()
        while self._originals:
            owner, name, original = self._originals.pop()
            setattr(owner, name, original)

    def _set(self, owner: Any, name: str, value: object) -> None:
        self._originals.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)


# --- subprocess.Popen ---------------------------------------------------------------------------


def _child(process: Any) -> Child | None:
    """Return the child behind an object, None for a real process."""
    child: Child | None = vars(process).get(_CHILD)
    return child


def _starts(original: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(original)
    defaults = {name: each.default for name, each in signature.parameters.items()}

    def __init__(self: Any, *args: Any, **options: Any) -> None:  # noqa: N807
        context = current()
        if context is None:
            original(self, *args, **options)
            return
        call = signature.bind(self, *args, **options)
        call.apply_defaults()
        _start(self, context, call.arguments, defaults)

    return __init__


def _start(
    process: Any, context: DoorContext, call: dict[str, Any], defaults: dict[str, Any]
) -> None:
    text, universal = call["text"], call["universal_newlines"]
    if text is not None and universal is not None and bool(text) != bool(universal):
        raise subprocess.SubprocessError(
            "Cannot disambiguate when both text and universal_newlines are supplied but different."
            " Pass one or the other."
        )
    process.args = call["args"]
    process.pid = process.returncode = None
    process.stdin = process.stdout = process.stderr = None
    process.errors, process.pipesize = call["errors"], call["pipesize"]
    process.text_mode = call["encoding"] or call["errors"] or text or universal
    process.encoding = call["encoding"] or (_text_encoding() if process.text_mode else None)
    child = Child(context, plan_of(context, call, defaults))
    child.wait_until(lambda: child.is_decided, None)
    child.started()
    vars(process)[_CHILD] = child
    process.pid = child.pid
    context.children[child.pid] = child
    size = call["bufsize"] if call["bufsize"] is not None else -1
    if call["stdin"] == subprocess.PIPE:
        process.stdin = _stream(process, InputPipe(child), size)
    for name, pipe in child.pipes.items():
        setattr(process, name, _stream(process, pipe, size))


def _text_encoding() -> str:
    """Return the encoding of text; the locale's is answered for the program."""
    return "utf-8" if sys.flags.utf8_mode else locale.getencoding()


def _stream(process: Any, raw: InputPipe | OutputPipe, size: int) -> Any:
    """Return the stream as ``subprocess`` makes it of a descriptor."""
    lines = bool(process.text_mode) and size == 1
    size = io.DEFAULT_BUFFER_SIZE if size < 0 or lines else size
    stream: Any = raw
    if size != 0:
        stream = (
            io.BufferedWriter(raw, size)
            if isinstance(raw, InputPipe)
            else io.BufferedReader(raw, size)
        )
    if not process.text_mode:
        return stream
    if isinstance(raw, InputPipe):
        return io.TextIOWrapper(
            stream,
            encoding=process.encoding,
            errors=process.errors,
            write_through=True,
            line_buffering=lines,
        )
    return io.TextIOWrapper(stream, encoding=process.encoding, errors=process.errors)


def _polls(original: Callable[..., Any]) -> Callable[..., Any]:
    def poll(self: Any) -> Any:
        child = _child(self)
        if child is None:
            return original(self)
        if self.returncode is None:
            if child.returncode is None and not child.is_over:
                child.look()
            self.returncode = child.returncode
        return self.returncode

    return poll


def _waits(original: Callable[..., Any]) -> Callable[..., Any]:
    def wait(self: Any, timeout: float | None = None) -> Any:
        child = _child(self)
        if child is None:
            return original(self, timeout=timeout)
        if not child.wait_until(lambda: child.returncode is not None, timeout):
            if child.is_over:
                return -signal.SIGKILL  # the run ended it
            raise subprocess.TimeoutExpired(self.args, cast("float", timeout))
        self.returncode = child.returncode
        return self.returncode

    return wait


def _communicates(original: Callable[..., Any]) -> Callable[..., Any]:
    def communicate(self: Any, input: Any = None, timeout: float | None = None) -> Any:
        child = _child(self)
        if child is None:
            return original(self, input=input, timeout=timeout)
        if self.stdin is not None and not self.stdin.closed:
            _feed(self, child, input)

        def complete() -> bool:
            return child.returncode is not None and all(p.ended for p in child.pipes.values())

        if not child.wait_until(complete, timeout):
            waiting = {name: pipe.waiting() or None for name, pipe in child.pipes.items()}
            raise subprocess.TimeoutExpired(
                self.args,
                cast("float", timeout),
                output=waiting.get("stdout"),
                stderr=waiting.get("stderr"),
            )
        self.returncode = child.returncode
        return _rest(self.stdout), _rest(self.stderr)

    return communicate


def _feed(process: Any, child: Child, data: Any) -> None:
    """Write all there is for the process to read, in one record, and close its input."""
    try:
        process.stdin.flush()
        if data:
            raw = (
                data.encode(process.encoding, process.errors or "strict")
                if isinstance(data, str)
                else bytes(memoryview(data).cast("B"))
            )
            child.feed(raw, end=True)
        process.stdin.close()
    except BrokenPipeError:
        return


def _rest(stream: Any) -> Any:
    if stream is None or stream.closed:
        return None
    rest = stream.read()
    stream.close()
    return rest


def _signals(original: Callable[..., Any]) -> Callable[..., Any]:
    def send_signal(self: Any, sig: int) -> None:
        child = _child(self)
        if child is None:
            original(self, sig)
        elif self.poll() is None:
            child.signal(sig)

    return send_signal


def _exits(original: Callable[..., Any]) -> Callable[..., Any]:
    def __exit__(self: Any, *details: Any) -> None:  # noqa: N807
        child = _child(self)
        if child is None:
            original(self, *details)
            return
        for stream in (self.stdout, self.stderr, self.stdin):
            if stream is not None:
                stream.close()
        if child.context.scheduler.halted is None:
            self.wait()

    return __exit__


def _deletes(original: Callable[..., Any]) -> Callable[..., Any]:
    def __del__(self: Any, *details: Any) -> None:  # noqa: N807
        # There is no process of this object to reap; the run ends what it leaves.
        if _child(self) is None:
            original(self, *details)

    return __del__


_WRAPPERS: Final[dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]]] = {
    "__init__": _starts,
    "communicate": _communicates,
    "poll": _polls,
    "send_signal": _signals,
    "wait": _waits,
    "__exit__": _exits,
    "__del__": _deletes,
}


# --- os -----------------------------------------------------------------------------------------


def _status(command: Any) -> int:
    """Do what ``os.system`` does; return its wait status."""
    code: int = subprocess.call(command, shell=True)  # noqa: S602 - what the program asked for
    return -code if code < 0 else code << 8


def _kills(original: Callable[[int, int], None], *, group: bool) -> Callable[[int, int], None]:
    def kill(pid: int, sig: int, /) -> None:
        context = current()
        child = None if context is None else context.children.get(pid)
        if child is None:
            original(pid, sig)
        elif child.returncode is not None:
            raise ProcessLookupError(3, "No such process")
        elif sig != 0:
            child.signal(signal.Signals(sig), group=group)

    return kill
