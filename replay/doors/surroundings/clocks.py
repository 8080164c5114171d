"""Answers what the program reads from clocks and calendars.

The one invariant: each call takes one answer, an integer number of nanoseconds; every float,
`struct_time` and datetime is computed from it, so a record holds integers only. Sleeping is not
here: it is a timer of the scheduler.
"""

from __future__ import annotations

import functools
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import date, datetime, tzinfo
from types import BuiltinFunctionType
from typing import Final, cast

from replay.doors.exchanging.callbacks import Door
from replay.doors.exchanging.functions import ClassMethodExchange, ModuleFunctionExchange
from replay.doors.surroundings.answering import ANSWERING, Answerer, refused
from replay.doors.surroundings.opening import Opening

__all__ = ["CLOCK_SOURCES", "clock_openings", "real_monotonic"]

_SECOND_NS: Final = 1_000_000_000
# name of the clock -> the source that answers it
_CLOCKS: Final = {
    "time": "time_ns",
    "monotonic": "monotonic_ns",
    "perf_counter": "perf_counter_ns",
    "process_time": "process_time_ns",
    "thread_time": "thread_time_ns",
}
#: All sources that are clocks: their answers are integers, and a reading moves the run's time.
CLOCK_SOURCES: Final = frozenset({*_CLOCKS.values(), "clock_gettime_ns"})
_CLOCK_IDS: Final = {
    "CLOCK_REALTIME": "time",
    "CLOCK_MONOTONIC": "monotonic",
    "CLOCK_PROCESS_CPUTIME_ID": "process_time",
    "CLOCK_THREAD_CPUTIME_ID": "thread_time",
}

_Nanoseconds = Callable[[], int]

# Bound before any exchange, as a program's own early imports are.
_early_now = datetime.now
_early_utcnow = datetime.utcnow
_early_datetime_today = datetime.today
_early_date_today = date.today


@functools.cache
def real_monotonic() -> _Nanoseconds:
    """Returns the monotonic clock as it is, with no door before it, in nanoseconds.

    The first call comes before any exchange is put in.
    """
    return cast("_Nanoseconds", _of_time("monotonic_ns").real)


def clock_openings() -> Iterator[Opening]:
    """Yields one opening for each clock function that this platform has."""
    real_monotonic()
    reals: dict[str, _Nanoseconds] = {}
    for name, source in _CLOCKS.items():
        if hasattr(time, name):
            exchange = _of_time(f"{name}_ns")
            reals[name] = cast("_Nanoseconds", exchange.real)
            door: Door = _nanoseconds(source, reals[name])
            early = cast("_Nanoseconds", getattr(time, f"{name}_ns"))
            yield Opening(f"time.{name}_ns", exchange, door, early, source)
            exchange = _of_time(name)
            door = _seconds(source, reals[name], exchange.real)
            yield Opening(f"time.{name}", exchange, door, getattr(time, name), source)
    yield from _calendar(reals["time"])
    yield from _by_number(reals)
    now = ClassMethodExchange(datetime, "now")
    yield Opening("datetime.now", now, _now(now.real, reals["time"]), _early_now, "time_ns")
    utcnow = ClassMethodExchange(datetime, "utcnow")
    door = _utcnow(reals["time"])
    yield Opening("datetime.utcnow", utcnow, door, _quiet(_early_utcnow), "time_ns")
    # Their C code calls time.time(), so they have no exchange of their own; the check holds it.
    yield Opening("datetime.today", None, None, _early_datetime_today, "time_ns")
    yield Opening("date.today", None, None, _early_date_today, "time_ns")


def _of_time(name: str) -> ModuleFunctionExchange:
    return ModuleFunctionExchange(cast("BuiltinFunctionType", getattr(time, name)))


def _ask(answerer: Answerer, source: str, argument: str, live: _Nanoseconds) -> int:
    value = answerer.answer(source, argument, live)
    if type(value) is not int:
        raise refused(source, argument, value, "an integer")
    return value


def _nanoseconds(source: str, real: _Nanoseconds) -> _Nanoseconds:
    def read_ns() -> int:
        answerer = ANSWERING.lookup()
        if answerer is None:
            return real()
        value = answerer.answer(source, "", real)
        if type(value) is not int:
            raise refused(source, "", value, "an integer")
        return value

    return read_ns


def _seconds(source: str, real_ns: _Nanoseconds, real: Callable[..., object]) -> Door:
    def read() -> object:
        answerer = ANSWERING.lookup()
        if answerer is None:
            return real()
        value = answerer.answer(source, "", real_ns)
        if type(value) is not int:  # as _ask does; a program may read its clock in a loop
            raise refused(source, "", value, "an integer")
        return value / 1e9

    return read


def _calendar(real_ns: _Nanoseconds) -> Iterator[Opening]:
    """Yields the functions that take the present moment when they are given none."""
    local = _of_time("localtime")

    def with_seconds(real: Callable[..., object]) -> Door:
        def read(*given: object) -> object:
            if given and given != (None,):
                return real(*given)
            answerer = ANSWERING.lookup()
            if answerer is None:
                return real()
            return real(_ask(answerer, "time_ns", "", real_ns) // _SECOND_NS)

        return read

    def with_moment(real: Callable[..., object], before: int) -> Door:
        def read(*given: object) -> object:
            if len(given) != before:
                return real(*given)
            answerer = ANSWERING.lookup()
            if answerer is None:
                return real(*given)
            moment = _ask(answerer, "time_ns", "", real_ns)
            return real(*given, local.real(moment // _SECOND_NS))

        return read

    for name in ("localtime", "gmtime", "ctime"):
        exchange = local if name == "localtime" else _of_time(name)
        early = getattr(time, name)
        yield Opening(f"time.{name}", exchange, with_seconds(exchange.real), early, "time_ns")
    exchange = _of_time("asctime")
    yield Opening("time.asctime", exchange, with_moment(exchange.real, 0), time.asctime, "time_ns")
    exchange = _of_time("strftime")
    door = with_moment(exchange.real, 1)
    strftime = time.strftime
    yield Opening("time.strftime", exchange, door, lambda: strftime("%Y"), "time_ns")


def _by_number(reals: dict[str, _Nanoseconds]) -> Iterator[Opening]:
    """Yields `clock_gettime` and `clock_gettime_ns`: the clocks above by their numbers."""
    if not hasattr(time, "clock_gettime_ns"):
        return
    numbers: dict[object, tuple[str, _Nanoseconds]] = {
        getattr(time, constant): (_CLOCKS[name], reals[name])
        for constant, name in _CLOCK_IDS.items()
        if hasattr(time, constant) and name in reals
    }
    exchange_ns = _of_time("clock_gettime_ns")
    real_ns = cast("Callable[[object], int]", exchange_ns.real)
    exchange = _of_time("clock_gettime")
    real = exchange.real

    def ask(answerer: Answerer, number: int) -> int:
        known = numbers.get(number)
        if known is not None:
            return _ask(answerer, known[0], "", known[1])
        return _ask(answerer, "clock_gettime_ns", str(number), lambda: real_ns(number))

    def read_ns(number: object, /) -> object:
        answerer = ANSWERING.lookup()
        if answerer is None or type(number) is not int:
            return real_ns(number)
        return ask(answerer, number)

    def read(number: object, /) -> object:
        answerer = ANSWERING.lookup()
        if answerer is None or type(number) is not int:
            return real(number)
        return ask(answerer, number) / 1e9

    early_ns, early = time.clock_gettime_ns, time.clock_gettime
    number = time.CLOCK_REALTIME
    yield Opening(
        "time.clock_gettime_ns", exchange_ns, read_ns, lambda: early_ns(number), "time_ns"
    )
    yield Opening("time.clock_gettime", exchange, read, lambda: early(number), "time_ns")


def _now(real: Callable[..., object], real_ns: _Nanoseconds) -> Door:
    from_timestamp = cast("Callable[..., object]", vars(datetime)["fromtimestamp"])

    def now(cls: type[datetime], tz: tzinfo | None = None) -> object:
        answerer = ANSWERING.lookup()
        if answerer is None:
            return real(cls, tz)
        # A float has exact microseconds until the year 2242, and the C code rounds to them. The
        # base's method is meant: `now` does not ask a subclass for its `fromtimestamp` either.
        return from_timestamp(cls, _ask(answerer, "time_ns", "", real_ns) // 1000 / 1e6, tz)

    return now


def _utcnow(real_ns: _Nanoseconds) -> Door:
    """Builds the door of `utcnow`.

    It never calls the real one, whose deprecation warning would name this module.
    """
    read_ns = _nanoseconds("time_ns", real_ns)

    def utcnow(cls: type[datetime]) -> object:
        if sys.version_info >= (3, 12):
            warnings.warn(_UTCNOW_WARNING, DeprecationWarning, stacklevel=3)
        seconds, rest_ns = divmod(read_ns(), _SECOND_NS)
        at = time.gmtime(seconds)
        return cls(*at[:5], min(at.tm_sec, 59), rest_ns // 1000, None)

    return utcnow


def _quiet(early: Callable[[], datetime]) -> Callable[[], datetime]:
    def call() -> datetime:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return early()

    return call


_UTCNOW_WARNING: Final = (
    "datetime.datetime.utcnow() is deprecated and scheduled for removal in a future version. Use "
    "timezone-aware objects to represent datetimes in UTC: "
    "datetime.datetime.now(datetime.UTC)."
)
