"""Answers what the program asks about the machine and its accounts.

The one invariant: what `platform` and `uuid` keep for the process is never what a run gets.
Versions of Python and of libraries are not here: what the replaying side is stands in the report.
"""

from __future__ import annotations

import os
import platform
import socket
import sys
import uuid
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any, Final, cast

from replay.doors.exchanging.callbacks import Door
from replay.doors.exchanging.rebinding import FunctionExchange
from replay.doors.surroundings.answering import ANSWERING, KEPT
from replay.doors.surroundings.facts import INTEGER, TEXT, Fact, Form, numbers, openings_of, texts
from replay.doors.surroundings.opening import Opening

__all__ = ["machine_openings"]

_UNAME: Final = KEPT + "platform"
_early_platform = platform.platform


def machine_openings() -> Iterator[Opening]:
    """Yields one opening for each function that this platform has."""
    yield from openings_of(_system())
    yield from openings_of(_platform())
    yield from openings_of(_accounts())
    exchange = FunctionExchange(cast("FunctionType", platform.platform))
    door = _without_cache(exchange.real)
    yield Opening("platform.platform", exchange, door, _early_platform, _UNAME, ["probe"] * 5)


def _system() -> Iterator[Fact]:
    if hasattr(os, "uname"):
        yield Fact("os.uname", os.uname, KEPT + "uname", texts(os.uname_result, 5, list))
    yield Fact(
        "os.cpu_count",
        os.cpu_count,
        KEPT + "cpu_count",
        Form(lambda count: count or 0, lambda *given: INTEGER.unpack(*given) or None, 1),
    )
    if hasattr(os, "sched_getaffinity"):
        affinity = numbers(set, -1)
        yield Fact(
            "os.sched_getaffinity",
            os.sched_getaffinity,
            "sched_getaffinity",
            Form(lambda cores: [str(core) for core in sorted(cores)], affinity.unpack, ["0"]),
            argument=str,
            example=(0,),
        )
    if hasattr(os, "sysconf"):
        yield Fact(
            "os.sysconf",
            os.sysconf,
            KEPT + "sysconf",
            INTEGER,
            argument=lambda name: name if name in os.sysconf_names else None,
            example=("SC_PAGESIZE",),
        )
    yield Fact("socket.gethostname", socket.gethostname, KEPT + "host", TEXT)
    yield Fact("socket.getfqdn", socket.getfqdn, KEPT + "host_in_full", TEXT, _text)
    yield Fact("uuid.getnode", uuid.getnode, KEPT + "node", INTEGER)


def _platform() -> Iterator[Fact]:
    # Not by index: that would ask for the processor, which starts a process.
    fields = ("system", "node", "release", "version", "machine")
    uname = texts(
        lambda given: platform.uname_result(*given),
        5,
        lambda found: [getattr(found, field) for field in fields],
    )
    yield Fact("platform.uname", platform.uname, _UNAME, uname)
    finder = vars(platform).get("_Processor")
    if finder is not None:
        yield Fact(
            "platform.processor",
            finder.get.__func__,
            KEPT + "processor",
            TEXT,
            argument=lambda _cls: "",
            example=(finder,),
        )
    pair = texts(tuple, 2, list)
    yield Fact("platform.libc_ver", platform.libc_ver, KEPT + "libc", pair, _executable)
    yield Fact(
        "platform.architecture", platform.architecture, KEPT + "architecture", pair, _executable
    )


def _accounts() -> Iterator[Fact]:
    for module, entry, numbers_at in (("pwd", "passwd", (2, 3)), ("grp", "group", (2,))):
        try:
            found = __import__(module)
        except ImportError:
            continue
        yield from _of_accounts(found, entry, numbers_at)


def _of_accounts(module: ModuleType, entry: str, numbers_at: tuple[int, ...]) -> Iterator[Fact]:
    build: Callable[[list[object]], object] = getattr(module, f"struct_{entry}")
    source = KEPT + entry

    def unpack(given: list[str]) -> object:
        fields: list[object] = [
            int(text) if at in numbers_at else text for at, text in enumerate(given)
        ]
        return build([*fields[:3], fields[3:]] if entry == "group" else fields)

    def pack(found: Any) -> list[str]:
        plain = [str(field) for field in found if not isinstance(field, list)]
        return plain + [name for field in found if isinstance(field, list) for name in field]

    made = texts(unpack, 7 if entry == "passwd" else -1, pack)
    form = Form(made.pack, made.unpack, ["0"] * 7)
    by_number, by_name = ("getpwuid", "getpwnam") if entry == "passwd" else ("getgrgid", "getgrnam")
    for name, example in ((by_number, 0), (by_name, "root")):
        kind = str if name == by_name else int
        yield Fact(
            f"{module.__name__}.{name}",
            getattr(module, name),
            source,
            form,
            argument=_question_of(name, kind),
            example=(example,),
            absent=KeyError,
        )


def _question_of(name: str, kind: type) -> Callable[..., str | None]:
    return lambda asked: f"{name} {asked}" if type(asked) is kind else None


def _executable(executable: str | None = None, /) -> str | None:
    own = executable is None or executable == sys.executable
    return "" if own else None


def _text(name: str = "") -> str:
    return str(name)


def _without_cache(real: Callable[..., object]) -> Door:
    kept: dict[object, object] = vars(platform).get("_platform_cache", {})

    def composed(*args: object, **kwargs: object) -> object:
        if ANSWERING.lookup() is None:
            return real(*args, **kwargs)
        kept.clear()
        try:
            return real(*args, **kwargs)
        finally:
            kept.clear()

    return composed
