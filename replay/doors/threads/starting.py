"""Threads that a program starts: each joins the schedule, and is joined in it.

``_thread.start_new_thread`` is where all of them begin, under whatever name it was imported; from
Python 3.13 on there is a second one. What Python counts for the whole process, the numbers in the
names of threads, is counted for each run.
"""

from __future__ import annotations

import _thread
import logging
import re
import sys
import threading
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, cast

from replay.doors.context import DoorContext, current
from replay.doors.counted import CountedDoor
from replay.doors.exchanging.functions import ModuleFunctionExchange
from replay.doors.exchanging.rebinding import FunctionExchange
from replay.scheduler.engine_side import EngineSide
from replay.scheduler.ports import Halted
from replay.scheduler.threads import Started

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ThreadDoor", "finish_threads"]

_STARTED: Final = "_ritornello_started"
_GIVEN_NAME: Final = re.compile(r"Thread-\d+( \(.*\))?")
#: The engine's threads begin with this; they are none of the program's.
_OURS: Final = "ritornello-"
_ENUMERATE: Final = FunctionExchange(cast("FunctionType", threading.enumerate))
_COUNT: Final = FunctionExchange(cast("FunctionType", threading.active_count))
_HAS_HANDLES: Final = sys.version_info >= (3, 13)


class ThreadDoor(CountedDoor):
    """Starting, joining and naming threads."""

    def __init__(self) -> None:
        super().__init__()
        self._functions: list[ModuleFunctionExchange] = []
        self._attributes: list[tuple[Any, str, Any]] = []

    def put(self) -> None:
        """Put the doors in."""
        if not self._functions:
            names = ["start_new_thread", "start_new"]
            names += ["start_joinable_thread"] if _HAS_HANDLES else []
            self._functions = [ModuleFunctionExchange(getattr(_thread, name)) for name in names]
        for function in self._functions:
            function.put(_starts(function.real))
        if _HAS_HANDLES:
            self._set(threading.Thread, "join", _joins(threading.Thread.join))
            self._set(threading.Thread, "is_alive", _lives(threading.Thread.is_alive))
        else:
            waits: Callable[..., Any] = vars(threading.Thread)["_wait_for_tstate_lock"]
            self._set(threading.Thread, "_wait_for_tstate_lock", _waits(waits))
        self._set(threading, "_counter", _counts(vars(threading)["_counter"]))
        self._set(threading, "excepthook", _reports(threading.excepthook))
        self._listing = [
            (exchange, wrap(exchange.real))
            for exchange, wrap in ((_ENUMERATE, _lists), (_COUNT, _counted))
        ]
        for listing, door in self._listing:
            listing.put(door)
        # For good: a hash must not change while somebody may hold the object in a set.
        _number_threads()
        logging.getLogger("concurrent.futures").addFilter(_not_halted)

    def take_back(self) -> None:
        """Take the doors out."""
        for function in self._functions:
            function.take_back()
        for listing, _ in self._listing:
            listing.take_back()
        while self._attributes:
            owner, name, value = self._attributes.pop()
            setattr(owner, name, value)
        logging.getLogger("concurrent.futures").removeFilter(_not_halted)

    def _set(self, owner: Any, name: str, value: Any) -> None:
        self._attributes.append((owner, name, vars(owner)[name]))
        setattr(owner, name, value)


def finish_threads() -> None:
    """Wait for the threads that the running program does not end without."""
    context = current()
    if context is not None and context.scheduler.halted is None:
        context.threads.finish()


def _starts(real: Callable[..., Any]) -> Callable[..., Any]:
    def start(function: Any, *more: Any, **options: Any) -> Any:
        context = current()
        if context is None:
            return real(function, *more, **options)
        thread = getattr(function, "__self__", None)
        if not isinstance(thread, threading.Thread):
            thread = None
        # ``start_joinable_thread`` takes keywords only, and no arguments for the function.
        args, keywords = more if len(more) > 1 else ((*more, (), {})[0], {})
        started, launched = context.threads.start(
            lambda: function(*args, **keywords),
            _label(function, thread),
            lambda body: real(body, **options) if options else real(body, ()),
            waited_for=thread is not None and not thread.daemon,
        )
        if thread is not None:
            vars(thread)[_STARTED] = started
        return launched

    return start


def _label(function: Any, thread: threading.Thread | None) -> str:
    """Return the name that the program gave, or else that of what the thread runs."""
    if thread is not None:
        if not _GIVEN_NAME.fullmatch(thread.name):
            return thread.name
        target = vars(thread).get("_target")
        function = thread.run if target is None else target
    return getattr(function, "__qualname__", None) or type(function).__qualname__


def _waits(real: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap what ``join`` and ``is_alive`` ask, up to Python 3.12."""

    def _wait_for_tstate_lock(thread: Any, block: Any = True, timeout: float = -1) -> Any:  # noqa: FBT002
        context, started = current(), vars(thread).get(_STARTED)
        if context is None or started is None:
            return real(thread, block, timeout)
        if _ends(context, started, (None if timeout < 0 else timeout) if block else 0):
            return _outside(context, lambda: real(thread))
        return None

    return _wait_for_tstate_lock


def _joins(real: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``join``, from Python 3.13 on."""

    def join(thread: Any, timeout: float | None = None) -> Any:
        context, started = current(), vars(thread).get(_STARTED)
        if context is None or started is None or thread is threading.current_thread():
            return real(thread, timeout)
        if _ends(context, started, timeout):
            return _outside(context, lambda: real(thread))
        return None

    return join


def _lives(real: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``is_alive``, from Python 3.13 on."""

    def is_alive(thread: Any) -> Any:
        context, started = current(), vars(thread).get(_STARTED)
        if context is None or started is None:
            return real(thread)
        return not _ends(context, started, 0)

    return is_alive


def _ends(context: DoorContext, started: Started, timeout: float | None) -> bool:
    return context.threads.wait_end(started, timeout)


def _outside(context: DoorContext, call: Callable[[], Any]) -> Any:
    """Wait for real: what the thread does last, after its last turn, takes no turn."""
    with EngineSide(context.scheduler):
        return call()


def _lists(real: Callable[..., Any]) -> Callable[..., Any]:
    def enumerate_threads() -> Any:
        found = real()
        if current() is not None:
            found = [thread for thread in found if not thread.name.startswith(_OURS)]
        return found

    return enumerate_threads


def _counted(real: Callable[..., Any]) -> Callable[..., Any]:
    def active_count() -> Any:
        return real() if current() is None else len(threading.enumerate())

    return active_count


def _counts(real: Callable[[], int]) -> Callable[[], int]:
    def counter() -> int:
        context = current()
        return real() if context is None else next(context.threads.thread_numbers)

    return counter


def _reports(real: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def excepthook(args: Any, /) -> Any:
        if not issubclass(args.exc_type, Halted):  # the engine's own way to end a thread
            real(args)

    return excepthook


def _not_halted(record: logging.LogRecord) -> bool:
    """Tell whether a pool's report is about anything but a thread that the engine ended."""
    info = record.exc_info
    return not (isinstance(info, tuple) and info[0] is not None and issubclass(info[0], Halted))


def _number_threads() -> None:
    """Let threads hash by number: sets of them stand in Python's own pools."""
    if "__hash__" in vars(threading.Thread):
        return
    real_init = threading.Thread.__init__

    def __hash__(thread: threading.Thread) -> int:  # noqa: N807
        number: int | None = vars(thread).get("_ritornello_number")
        return object.__hash__(thread) if number is None else number

    def __init__(thread: Any, *args: Any, **options: Any) -> None:  # noqa: N807
        context = current()
        if context is not None:
            vars(thread)["_ritornello_number"] = context.scheduler.number()
        real_init(thread, *args, **options)

    setattr(threading.Thread, "__hash__", __hash__)  # noqa: B010 - mypy knows they are methods
    setattr(threading.Thread, "__init__", __init__)  # noqa: B010
