"""The local time zone, which C code reads without asking: noted when a run starts, and put back.

A zone is the bytes of its TZif file (RFC 9636), or the text of a `TZ` that names none. A replay
gives those bytes to the C library, so it needs no zone of that name and no such data. They come
from a record, which is hostile: the one invariant is that nothing reaches the C library's parser
whose tables do not lie wholly inside the bytes.
"""

from __future__ import annotations

import os
import re
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import BuiltinFunctionType
from typing import Final, cast

from replay.doors.exchanging.functions import ModuleFunctionExchange
from replay.doors.surroundings.answering import ANSWERING, Value, ask, refused
from replay.doors.surroundings.opening import Opening
from replay.errors import IntegrityError

__all__ = ["applied_zone", "checked_zone", "local_zone", "zone_openings"]

_SYSTEM: Final = Path("/etc/localtime")
_DATA: Final = (Path("/usr/share/zoneinfo"), Path("/usr/lib/zoneinfo"))
_SIZE_MAX: Final = 64 * 1024
_MAGIC: Final = b"TZif"
_HEADER: Final = struct.Struct(">4sc15x6l")
# A zone by rules, as POSIX has it: "JST-9", "<+0330>-3:30", "CET-1CEST,M3.5.0,M10.5.0/3".
_RULES: Final = re.compile(
    rb"(?:[A-Za-z]{3,10}|<[A-Za-z0-9+-]{3,10}>)[+-]?\d{1,3}(?::\d\d){0,2}[A-Za-z0-9<>+,./:-]{0,80}"
)
_UTC: Final = b"UTC0"
# The real ones: a door stands in their place while a run is on stage beside others.
_putenv, _unsetenv = os.putenv, os.unsetenv


def local_zone() -> bytes:
    """Returns the zone in force: of the real `TZ`, or of the system."""
    named = os.environ.get("TZ")
    if named is None:
        return _file(_SYSTEM) or _UTC
    name = named.removeprefix(":")
    if not name:
        return _UTC
    places = (
        [Path(name)]
        if name.startswith("/")
        else [root / name for root in _DATA if ".." not in Path(name).parts]
    )
    for place in places:
        found = _file(place)
        if found is not None:
            return found
    rules = os.fsencode(name)
    return rules if _RULES.fullmatch(rules) and not rules.startswith(_MAGIC) else _UTC


def _file(place: Path) -> bytes | None:
    try:
        with place.open("rb") as file:
            data = file.read(_SIZE_MAX + 1)
        return checked_zone(data) if data.startswith(_MAGIC) else None
    except (OSError, IntegrityError):
        return None


def checked_zone(zone: bytes) -> bytes:
    """Returns a zone that the C library can be given.

    Raises:
        IntegrityError: It is neither rules nor a whole TZif file of at most 64 KiB.
    """
    if _RULES.fullmatch(zone) and not zone.startswith(_MAGIC):
        return zone
    if len(zone) > _SIZE_MAX or not _is_whole(zone):
        raise refused("zone", "", zone, "a time zone")
    return zone


def _is_whole(zone: bytes) -> bool:
    end = _end_of_block(zone, 0, 4)
    if end is None:
        return False
    if zone[4:5] == b"\0":
        return end == len(zone)
    end = _end_of_block(zone, end, 8)
    if end is None:
        return False
    footer = zone[end:]
    rules = footer[1:-1]
    framed = len(footer) >= 2 and footer[:1] == footer[-1:] == b"\n"
    return framed and (not rules or _RULES.fullmatch(rules) is not None)


def _end_of_block(zone: bytes, start: int, width: int) -> int | None:
    """Returns where a data block ends; None if it does not lie inside, or points outside."""
    if len(zone) < start + _HEADER.size:
        return None
    magic, _, is_ut, is_std, leaps, times, types, chars = _HEADER.unpack_from(zone, start)
    counts = (is_ut, is_std, leaps, times, types, chars)
    if magic != _MAGIC or min(counts) < 0 or max(counts) > _SIZE_MAX:
        return None
    if not 1 <= types <= 256 or not 1 <= chars <= 256 or is_ut not in {0, types}:
        return None
    if is_std not in {0, types}:
        return None
    at = start + _HEADER.size + times * width
    indexes = zone[at : at + times]
    at += times
    kinds = zone[at : at + types * 6]
    at += types * 6
    names = zone[at : at + chars]
    at += chars + leaps * (width + 4) + is_std + is_ut
    if at > len(zone) or not names.endswith(b"\0"):
        return None
    inside = all(index < types for index in indexes)
    named = all(kinds[each * 6 + 5] < chars and kinds[each * 6 + 4] < 2 for each in range(types))
    return at if inside and named else None


@contextmanager
def applied_zone(zone: bytes | None) -> Iterator[None]:
    """Puts a recorded zone in force, process-wide, and what was there back at the end.

    Args:
        zone: The zone; None leaves what is there, which is put back all the same.
    """
    before = _ZONE.current
    try:
        if zone is not None:
            _put(checked_zone(zone))
        else:
            _ZONE.current = local_zone()
        yield
    finally:
        _ZONE.current = before
        if _ZONE.changed:
            _ZONE.changed = False
            named = os.environ.get("TZ")
            if named is None:
                _unsetenv("TZ")
            else:
                _putenv("TZ", named)
            _ZONE.tzset()


class _Zone:
    """The zone of the process, as far as runs know it."""

    def __init__(self) -> None:
        self.current: bytes | None = None
        self.changed = False
        #: Makes the C library look at `TZ`; the real one, once there is another.
        self.tzset: Callable[[], object] = getattr(time, "tzset", lambda: None)


# Process-wide, as the zone is.
_ZONE: Final = _Zone()
_early_tzset: Final = _ZONE.tzset


def zone_openings() -> Iterator[Opening]:
    """Yields the opening of `time.tzset`, where there is one."""
    if not hasattr(time, "tzset"):
        return
    exchange = ModuleFunctionExchange(cast("BuiltinFunctionType", _early_tzset))
    _ZONE.tzset = exchange.real
    yield Opening("time.tzset", exchange, _set_again, _early_tzset, "tzset", None)


def _set_again() -> object:
    answerer = ANSWERING.lookup()
    # `_strptime` calls it for its own tables, once a process: the zone in force is the run's.
    if answerer is None or sys._getframe(1).f_globals.get("__name__") == "_strptime":
        return _ZONE.tzset()
    called: list[bytes] = []

    def live() -> Value:
        _ZONE.tzset()
        called.append(local_zone())
        return None if called[0] == _ZONE.current else called[0]

    value = ask(answerer, "tzset", "", live)
    if called:
        _ZONE.current, _ZONE.changed = called[0], True
    elif value is not None:
        if type(value) is not bytes:
            raise refused("tzset", "", value, "a time zone")
        _put(checked_zone(value))
    return None


def _put(zone: bytes) -> None:
    """Gives a zone to the C library; a file is read at once, so it need not stay."""
    if zone == (local_zone() if _ZONE.current is None else _ZONE.current):
        _ZONE.current = zone
        return
    _ZONE.current, _ZONE.changed = zone, True
    if not zone.startswith(_MAGIC):
        _name(zone.decode())
        return
    with _file_of(zone) as place:
        _name(_UTC.decode())  # the C library looks only if the name is another one
        _name(f":{place}")


def _name(name: str) -> None:
    _putenv("TZ", name)
    _ZONE.tzset()


@contextmanager
def _file_of(zone: bytes) -> Iterator[str]:
    """Gives the path of a file that holds the zone: in memory, as the guard lets nobody write."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("zone"), "wb", buffering=0) as file:
            file.write(zone)
            yield f"/proc/self/fd/{file.fileno()}"
        return
    with tempfile.NamedTemporaryFile(prefix="zone-", buffering=0) as named:
        named.write(zone)
        yield named.name
