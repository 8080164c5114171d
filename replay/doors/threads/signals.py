"""Signals: delivered inputs, which enter when the program idles, like everything from outside.

A run on the main thread of its process keeps the program's handlers in a table of its own. What the
system calls is a handler of the engine, which only notes that a signal came; the program's handler
runs on its main thread once that is on record. In a replay the table alone is left.
"""

from __future__ import annotations

import contextlib
import importlib
import signal
import threading
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, cast

from replay.doors.context import current
from replay.doors.counted import CountedDoor
from replay.doors.exchanging.functions import ModuleFunctionExchange
from replay.doors.exchanging.rebinding import FunctionExchange
from replay.errors import UsageError
from replay.scheduler.engine_side import EngineSide
from replay.scheduler.ports import Halted, Terminated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import BuiltinFunctionType, FrameType

    from replay.doors.context import DoorContext

__all__ = ["RunSignals", "SignalDoor", "signals_of"]

_UNCATCHABLE: Final = frozenset({"SIGKILL", "SIGSTOP"})
#: What Python itself sets at its start.
_PYTHONS: Final = {
    "SIGINT": signal.default_int_handler,
    "SIGPIPE": signal.SIG_IGN,
    "SIGXFSZ": signal.SIG_IGN,
}
#: They answer from the system's own timers and queues, of which a replay has none.
_REFUSED: Final = ("alarm", "pause", "setitimer", "sigtimedwait", "sigwait", "sigwaitinfo")
#: By these a program sends itself a signal.
_SENT: Final = ("pthread_kill", "raise_signal")

#: The functions themselves, behind those of the module that wrap them.
_BUILTIN: Final = importlib.import_module("_signal")

_set_signal: Final = FunctionExchange(cast("FunctionType", signal.signal))
_get_signal: Final = FunctionExchange(cast("FunctionType", signal.getsignal))


class RunSignals:
    """The signal handlers of one run's program.

    Args:
        context: what the doors of the run work with.
    """

    def __init__(self, context: DoorContext) -> None:
        self._context = context
        self._handlers: dict[str, Any] = dict(_PYTHONS)
        self._before: dict[int, Any] = {}
        self._noted: set[str] = set()
        #: Only there does the system's signal reach Python.
        self._at_main = threading.current_thread() is threading.main_thread()

    def open(self) -> None:
        """Take Ctrl-C over, unless it is ignored in this process."""
        context = self._context
        context.scheduler.signalled = self._received
        if self._at_main and callable(_get_signal.real(signal.SIGINT)):
            self._install(signal.SIGINT, self._note if context.world.is_live else self._stop)
        if context.world.is_live:
            self._take_termination()

    def go_live(self) -> None:
        """Take the system's signals from here on, as the program's handlers want them."""
        if not self._at_main:
            return
        if threading.current_thread() is not threading.main_thread():
            # Only there can it be said to the system; it is done when that goes on.
            self._context.scheduler.interrupts.append(self.go_live)
            return
        with EngineSide(self._context.scheduler):
            self._install_all()

    def _install_all(self) -> None:
        if callable(_get_signal.real(signal.SIGINT)):
            self._install(signal.SIGINT, self._note)
        self._take_termination()
        for name, handler in self._handlers.items():
            if name not in _PYTHONS:
                self._install(signal.Signals[name], self._note if callable(handler) else handler)
                if callable(handler):
                    self._context.world.await_signals()

    def _take_termination(self) -> None:
        """Take the request to end over, where it would end the process here and now."""
        if self._at_main and _get_signal.real(signal.SIGTERM) == signal.SIG_DFL:
            self._install(signal.SIGTERM, self._note)

    def close(self) -> None:
        """Give the process its handlers back."""
        while self._before:
            number, handler = self._before.popitem()
            _set_signal.real(number, handler)

    def get(self, number: Any) -> Any:
        """Return the program's handler."""
        return self._handlers.get(_name(number), signal.SIG_DFL)

    def set(self, number: Any, handler: Any) -> Any:
        """Set the program's handler; return the one before.

        Raises:
            ValueError: there is no such signal, or this is not the program's main thread.
            TypeError: the handler is none.
            OSError: the signal cannot be handled.
        """
        name = _name(number)
        if self._context.scheduler.current.number != 0:
            raise ValueError("signal only works in main thread of the main interpreter")
        if not callable(handler) and handler not in {signal.SIG_DFL, signal.SIG_IGN}:
            raise TypeError(
                "signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object"
            )
        if name in _UNCATCHABLE:
            raise OSError(22, "Invalid argument")
        before = self.get(number)
        self._handlers[name] = handler
        if self._at_main and self._context.world.is_live:
            ends = name == "SIGTERM" and handler == signal.SIG_DFL
            self._install(number, self._note if callable(handler) or ends else handler)
            if callable(handler) and name != "SIGINT":  # that one asyncio always handles
                self._context.world.await_signals()
        return before

    def _install(self, number: int, handler: Any) -> None:
        before = _set_signal.real(number, handler)
        self._before.setdefault(int(number), before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Take a signal of the system: at any moment, so nothing but a note is made of it."""
        name = _name(number)
        if name == "SIGINT" and name in self._noted:
            # Twice, and the program did not idle in between: it is to be stopped all the same.
            # What it did so far is on record, without a seal.
            self._stop(number, frame)
        if name == "SIGTERM" and name in self._noted and not callable(self.get(number)):
            # Asked twice; it ends as it would without us, and the run stays open.
            _set_signal.real(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self._noted.add(name)
        self._context.world.signal(name)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """End the run here and now; nothing of it is recorded any more."""
        reason = KeyboardInterrupt()
        self._context.scheduler.halt(reason)
        raise Halted from reason

    def _received(self, name: str) -> None:
        """A signal entered: its handler runs as soon as the main thread has its turn."""
        self._noted.discard(name)
        handler = self._handlers.get(name, signal.SIG_DFL)
        if name == "SIGTERM" and handler == signal.SIG_DFL:
            self._context.scheduler.halt(Terminated(signal.SIGTERM))
        if not callable(handler):
            return
        scheduler = self._context.scheduler
        number = getattr(signal, name, 0)
        scheduler.interrupts.append(lambda: handler(number, None))
        scheduler.wake(scheduler.participants[0])


class SignalDoor(CountedDoor):
    """Handlers, signals that a program sends itself, and the system's timers, which are refused."""

    def __init__(self) -> None:
        super().__init__()
        self._functions: list[tuple[str, ModuleFunctionExchange]] = []

    def put(self) -> None:
        """Put the doors in."""
        _set_signal.put(_sets)
        _get_signal.put(_gets)
        if not self._functions:
            names = [name for name in (*_REFUSED, *_SENT) if hasattr(_BUILTIN, name)]
            self._functions = [
                (name, ModuleFunctionExchange(cast("BuiltinFunctionType", getattr(_BUILTIN, name))))
                for name in names
            ]
        for name, function in self._functions:
            wrap = _sends if name in _SENT else _refuses
            function.put(wrap(name, function.real))

    def take_back(self) -> None:
        """Take them out."""
        for _, function in self._functions:
            function.take_back()
        _get_signal.take_back()
        _set_signal.take_back()


@contextlib.contextmanager
def signals_of(context: DoorContext) -> Iterator[None]:
    """Keep the signal handlers of a run's program; enter it on the run's main thread."""
    signals = RunSignals(context)
    context.signals = signals
    signals.open()
    try:
        yield
    finally:
        signals.close()


def _sets(number: Any, handler: Any) -> Any:
    context = current()
    if context is None:
        return _set_signal.real(number, handler)
    return context.signals.set(number, handler)


def _gets(number: Any) -> Any:
    context = current()
    return _get_signal.real(number) if context is None else context.signals.get(number)


def _refuses(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def refuse(*args: Any) -> Any:
        if current() is not None:
            raise UsageError(
                f"signal.{name} waits for the system, past the schedule",
                hint="use a handler, threading.Timer, or a time-out of the event loop",
            )
        return real(*args)

    return refuse


def _sends(_name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def send(*args: Any) -> Any:
        context = current()
        # In a replay the signal comes from the record, as it came to it while recording.
        return real(*args) if context is None or context.world.is_live else None

    return send


def _name(number: Any) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        raise ValueError("signal number out of range") from None
