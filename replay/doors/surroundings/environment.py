"""Answers what the program reads from the environment, and undoes what a run wrote there.

`os.environ` and `os.environb` are two views of one mapping that they look up on each access, so
that mapping is exchanged and every name they were imported under is answered. The one invariant:
a run sees its own writes over its answers, whatever other runs write. Those of a run that has the
process to itself also reach the real environment (child processes inherit it) and are undone there
when the run is closed; those of a run beside others stay its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from replay.doors.context import current
from replay.doors.exchanging.callbacks import Door
from replay.doors.surroundings.answering import (
    ANSWERING,
    Answerer,
    Lookup,
    checked_names,
    checked_text_or_none,
)
from replay.doors.surroundings.opening import Opening

__all__ = ["Environment", "environment_openings"]

_Raw: TypeAlias = bytes | str
"""What the real mapping holds: bytes on POSIX, text on Windows."""

_early_environ = os.environ
if os.supports_bytes_environ:
    _early_environb = os.environb
_real_putenv, _real_unsetenv = os.putenv, os.unsetenv
_early_get = os.environ.get
_early_getenv = os.getenv


@dataclass(slots=True)
class _Overlay:
    """What one run wrote: None means deleted. Apart: nobody else sees it."""

    lookup: Lookup
    answerer: Answerer
    apart: bool
    written: dict[_Raw, _Raw | None] = field(default_factory=dict)


@dataclass(slots=True)
class _Written:
    """What the real environment held before any run wrote to a name, and what it holds since."""

    before: _Raw | None
    latest: _Raw | None


class Environment(MutableMapping[_Raw, _Raw]):
    """Stands where `os.environ` keeps its mapping; also the exchange that puts it there."""

    def __init__(self) -> None:
        self._before: MutableMapping[_Raw, _Raw] = vars(_early_environ)["_data"]
        self._overlays: list[_Overlay] = []
        self._written: dict[_Raw, _Written] = {}

    @property
    def real(self) -> Callable[..., object]:
        """The mapping as it was, as a function: reads one raw name."""
        return self._before.get

    def put(self, _door: Door) -> None:
        """Puts this mapping in, and what stands before it: os.environ calls putenv first."""
        self._set(self)
        os.putenv, os.unsetenv = _putenv, _unsetenv

    def take_back(self) -> None:
        """Puts the real mapping back, after undoing all writes that are left."""
        for overlay in tuple(self._overlays):
            self._undo(overlay)
        os.putenv, os.unsetenv = _real_putenv, _real_unsetenv
        self._set(self._before)

    def close(self, *, lookup: Lookup | None = None, answerer: Answerer | None = None) -> None:
        """Undoes the writes of the run of `answerer`, or of all runs found by `lookup`."""
        for overlay in tuple(self._overlays):
            if overlay.lookup is lookup or overlay.answerer is answerer:
                self._undo(overlay)

    def __getitem__(self, key: _Raw) -> _Raw:
        asked = self._asked()
        if asked is None:
            return self._before[key]
        value = self._read(*asked, key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: _Raw, value: _Raw) -> None:
        asked = self._asked()
        if asked is None or self._write(*asked, key, value):
            self._before[key] = value

    def __delitem__(self, key: _Raw) -> None:
        asked = self._asked()
        if asked is None:
            del self._before[key]
            return
        if self._read(*asked, key) is None:
            raise KeyError(key)
        if self._write(*asked, key, None):
            self._before.pop(key, None)

    def __iter__(self) -> Iterator[_Raw]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def _names(self) -> list[_Raw]:
        asked = self._asked()
        if asked is None:
            return list(self._before)
        lookup, answerer = asked
        value = answerer.answer("env_names", "", lambda: sorted(map(_text, self._before)))
        names = {self._raw(name) for name in checked_names(value, "env_names")}
        overlay = self._overlay(lookup, answerer)
        if overlay is not None:
            for name, written in overlay.written.items():
                if written is None:
                    names.discard(name)
                else:
                    names.add(name)
        return sorted(names, key=_text)

    def _read(self, lookup: Lookup, answerer: Answerer, key: _Raw) -> _Raw | None:
        overlay = self._overlay(lookup, answerer)
        if overlay is not None and key in overlay.written:
            return overlay.written[key]
        name = _text(key)

        def live() -> str | None:
            value = self._before.get(key)
            return None if value is None else _text(value)

        value = checked_text_or_none(answerer.answer("env", name, live), "env", name)
        return None if value is None else self._raw(value)

    def _write(self, lookup: Lookup, answerer: Answerer, key: _Raw, value: _Raw | None) -> bool:
        """Remembers what a run writes; returns whether it reaches the real environment too."""
        overlay = self._overlay(lookup, answerer)
        if overlay is None:
            overlay = _Overlay(lookup, answerer, _is_apart())
            self._overlays.append(overlay)
        overlay.written[key] = value
        if overlay.apart:
            return False
        written = self._written.get(key)
        if written is None:
            self._written[key] = _Written(self._before.get(key), value)
        else:
            written.latest = value
        return True

    def _undo(self, overlay: _Overlay) -> None:
        self._overlays.remove(overlay)
        for key in () if overlay.apart else overlay.written:
            if any(key in other.written and not other.apart for other in self._overlays):
                continue  # the last run that wrote it restores it
            written = self._written.pop(key)
            if self._before.get(key) != written.latest:
                continue  # somebody outside of all runs has written since: that stays
            if written.before is None:
                os.unsetenv(_text(key))
                self._before.pop(key, None)
            else:
                os.putenv(_text(key), _text(written.before))
                self._before[key] = written.before

    def _overlay(self, lookup: Lookup, answerer: Answerer) -> _Overlay | None:
        for overlay in self._overlays:
            if overlay.answerer is answerer and overlay.lookup is lookup:
                return overlay
        return None

    def _asked(self) -> tuple[Lookup, Answerer] | None:
        for lookup in ANSWERING.lookups:
            answerer = lookup()
            if answerer is not None:
                return lookup, answerer
        return None

    def _raw(self, text: str) -> _Raw:
        return text if os.name == "nt" else os.fsencode(text)

    def _set(self, data: MutableMapping[_Raw, _Raw]) -> None:
        # Private, but the same in 3.11 to 3.13; the check at install would notice.
        vars(_early_environ)["_data"] = data
        if os.supports_bytes_environ:
            vars(_early_environb)["_data"] = data


def environment_openings(environment: Environment) -> Iterator[Opening]:
    """Yields the environment's opening, and the names that follow from it."""
    door = cast("Door", environment.__getitem__)
    yield Opening("os.environ", environment, door, lambda: _early_environ["PATH"], "env", "probe")
    yield Opening("os.environ.get", None, None, lambda: _early_get("PATH"), "env", "probe")
    yield Opening("os.getenv", None, None, lambda: _early_getenv("PATH"), "env", "probe")
    yield Opening(
        "os.environ.keys", None, None, lambda: list(_early_environ), "env_names", ["probe"]
    )
    if os.supports_bytes_environ:
        yield Opening("os.environb", None, None, lambda: _early_environb[b"PATH"], "env", "probe")


def _is_apart() -> bool:
    context = current()
    return context is not None and context.shared


def _putenv(name: Any, value: Any, /) -> None:
    if not _is_apart():
        _real_putenv(name, value)


def _unsetenv(name: Any, /) -> None:
    if not _is_apart():
        _real_unsetenv(name)


def _text(raw: _Raw) -> str:
    return os.fsdecode(raw)
