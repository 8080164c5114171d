"""Answers what the program asks about its process and where that stands.

The one invariant: a question or signal that names this process by the recorded number reaches this
process and no other one.
"""

from __future__ import annotations

import _thread
import os
import time
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, SimpleNamespace
from typing import Any, Final, cast

from replay.doors.exchanging.callbacks import Door
from replay.doors.exchanging.functions import ModuleFunctionExchange
from replay.doors.surroundings.answering import (
    ANSWERING,
    KEPT,
    Value,
    ask,
    checked_integer,
    checked_text,
)
from replay.doors.surroundings.facts import INTEGER, TEXT, Fact, Form, numbers, openings_of, texts
from replay.doors.surroundings.opening import Opening

__all__ = ["CHANGE_DIRECTORY", "DIRECTORY", "surroundings_openings"]

#: Sources of the working directory, and of a change of it; its answer is the new directory.
DIRECTORY: Final = KEPT + "directory"
CHANGE_DIRECTORY: Final = "chdir"
_PID: Final = KEPT + "pid"
# Finding the program's code is no question of the program: a replay imports from where it is.
_IMPORT_SYSTEM: Final = (
    "_frozen_importlib_external",
    "importlib._bootstrap_external",
    "runpy",
    "zipimport",
)
_CLOCKS: Final = ("time", "monotonic", "perf_counter", "process_time", "thread_time")
_early_kill = os.kill  # the door of processes puts another one there
_IDENTITIES: Final = ("getuid", "geteuid", "getgid", "getegid", "getppid", "getpgrp")


def surroundings_openings() -> Iterator[Opening]:
    """Yields one opening for each function that this platform has."""
    yield from openings_of(_process())
    yield from openings_of(_used())
    yield from _directory()
    if hasattr(os, "kill"):
        yield from _signals()


def _process() -> Iterator[Fact]:
    yield Fact("os.getcwd", os.getcwd, DIRECTORY, TEXT, past=_IMPORT_SYSTEM)
    raw = Form(os.fsdecode, lambda *given: os.fsencode(checked_text(*given)), "probe")
    yield Fact("os.getcwdb", os.getcwdb, DIRECTORY, raw, past=_IMPORT_SYSTEM)
    yield Fact("os.getpid", os.getpid, _PID, INTEGER)
    for name in _IDENTITIES:
        if hasattr(os, name):
            yield Fact(f"os.{name}", getattr(os, name), name, INTEGER)
    if hasattr(os, "getgroups"):
        yield Fact("os.getgroups", os.getgroups, "getgroups", numbers(list, -1))
    if hasattr(os, "getlogin"):
        yield Fact("os.getlogin", os.getlogin, KEPT + "login", TEXT)
    native = getattr(_thread, "get_native_id", None)
    if native is not None:
        # `threading` asks for itself when a thread starts, which may be before it is the run's.
        past = ("threading",)
        yield Fact("threading.get_native_id", native, "native_id", INTEGER, past=past)


def _used() -> Iterator[Fact]:
    """Yields what says how much was used, and how exact it is."""
    yield Fact("os.times", os.times, "times", numbers(os.times_result, 5))
    if hasattr(os, "getloadavg"):
        yield Fact("os.getloadavg", os.getloadavg, "getloadavg", numbers(tuple, 3))
    if hasattr(os, "statvfs"):
        form = numbers(os.statvfs_result, 11)
        form = Form(_shown_statvfs, form.unpack, form.probe)
        yield Fact("os.statvfs", os.statvfs, "statvfs", form, _path, ("/",), of_path=True)
    clock_info = texts(_clock_info, 4, _shown_clock_info)
    yield Fact(
        "time.get_clock_info",
        time.get_clock_info,
        KEPT + "clock_info",
        clock_info,
        argument=lambda name: name if name in _CLOCKS else None,
        example=("time",),
    )
    try:
        import resource
    except ImportError:
        return
    thread = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)
    known = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN, thread)
    yield Fact(
        "resource.getrusage",
        resource.getrusage,
        "getrusage",
        numbers(resource.struct_rusage, 16),
        argument=lambda who: str(who) if who in known else None,
        example=(resource.RUSAGE_SELF,),
    )


def _directory() -> Iterator[Opening]:
    """Yields the changes of the working directory.

    A replay does not change its own: the recorded directory need not be there.
    """
    here = cast("Callable[[], str]", ModuleFunctionExchange(_builtin(os.getcwd)).real)
    for name in ("chdir", "fchdir"):
        function = getattr(os, name, None)
        if function is None:
            continue
        exchange = ModuleFunctionExchange(_builtin(function))
        yield Opening(
            f"os.{name}",
            exchange,
            _change(exchange.real, here),
            _call(function, 0 if name == "fchdir" else "/"),
            CHANGE_DIRECTORY,
            "probe",
        )


def _change(real: Callable[..., object], here: Callable[[], str]) -> Door:
    def change(*args: object, **kwargs: object) -> object:
        answerer = ANSWERING.lookup()
        if answerer is None:
            return real(*args, **kwargs)

        def live() -> Value:
            real(*args, **kwargs)
            return here()

        # Where to is not asserted: a program goes where its own file lies, wherever that is.
        path = args[0] if args else None
        checked_text(ask(answerer, CHANGE_DIRECTORY, "", live, path), CHANGE_DIRECTORY, "")
        return None

    return change


def _signals() -> Iterator[Opening]:
    """Yields `os.kill`: the recorded number may be another process by now."""
    own = cast("Callable[[], int]", ModuleFunctionExchange(_builtin(os.getpid)).real)
    exchange = ModuleFunctionExchange(_builtin(_early_kill))
    # To itself, as far as the probe says, and nothing is sent.
    yield Opening("os.kill", exchange, _kill(exchange.real, own), _call(_early_kill, 1, 0), _PID, 1)


def _kill(real: Callable[..., object], own: Callable[[], int]) -> Door:
    def kill(target: object, signal: object, /) -> object:
        answerer = ANSWERING.lookup()
        if answerer is not None:
            number = checked_integer(ask(answerer, _PID, "", own), _PID, "")
            if target == number and signal == 0:
                return None  # it is there
            if target == number and isinstance(signal, int):

                def live() -> Value:
                    real(own(), signal)
                    return None

                # In a replay what it does comes from the record: a signal is an input.
                ask(answerer, "kill", str(int(signal)), live)
                return None
        return real(target, signal)

    return kill


def _call(function: Callable[..., object], *args: object) -> Callable[[], object]:
    return lambda: function(*args)


def _builtin(function: Callable[..., object]) -> BuiltinFunctionType:
    return cast("BuiltinFunctionType", function)


def _path(path: Any) -> str | None:
    if isinstance(path, int):
        return None
    return os.fsdecode(path).encode("utf-8", "backslashreplace").decode()


def _shown_statvfs(result: os.statvfs_result) -> list[str]:
    return [*map(repr, result), repr(result.f_fsid)]


def _clock_info(given: list[str]) -> SimpleNamespace:
    implementation, monotonic, adjustable, resolution = given
    return SimpleNamespace(
        implementation=implementation,
        monotonic=monotonic == "True",
        adjustable=adjustable == "True",
        resolution=float(resolution),
    )


def _shown_clock_info(info: SimpleNamespace) -> list[str]:
    return [info.implementation, str(info.monotonic), str(info.adjustable), repr(info.resolution)]
