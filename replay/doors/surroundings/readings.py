"""Answers what owned threads read from clocks, randomness and the environment.

While at least one `Readings` is installed, each such read asks its lookup for the run of the
calling thread. The run answers (live and recorded, or from the record); a thread without a run
gets the real thing. The one invariant: after the last `remove` the process is as it was.
The module must not know what a run is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from replay.doors.exchanging.functions import require_supported
from replay.doors.surroundings.answering import ANSWERING, Answerer, Lookup, Value
from replay.doors.surroundings.clocks import clock_openings
from replay.doors.surroundings.entropy import entropy_openings
from replay.doors.surroundings.environment import Environment, environment_openings
from replay.doors.surroundings.locales import locale_openings
from replay.doors.surroundings.machine import machine_openings
from replay.doors.surroundings.opening import Opening
from replay.doors.surroundings.process import surroundings_openings
from replay.doors.surroundings.temporary import temporary_openings
from replay.doors.surroundings.terminal import terminal_openings
from replay.doors.surroundings.zones import zone_openings
from replay.errors import SetupError
from replay.own_locks import OwnLock

__all__ = ["NOT_ANSWERED", "Answerer", "Lookup", "Readings", "Value", "all_openings"]

NOT_ANSWERED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ctypes, getenv and clocks in C": "C code asks the system, not the interpreter",
        "getpass.getpass, select, termios": "they open or watch the terminal themselves",
        "numpy.random, Rust and other C extensions": "they draw their own entropy",
        "open(0), os.read(0), sys.__stdin__": "they go past sys.stdin, which is answered",
        "os.isatty and os.ttyname of other descriptors": "descriptors are numbered by chance",
        "os.putenv and os.unsetenv": "they bypass os.environ, so they are not undone either",
        "posix.environ": "a plain dict, which C code copies without asking",
        "sys.executable, sys.flags, sys.path, sys.version": "what replays, not what was recorded",
        "sys.getrefcount, gc.get_stats, threading.get_ident": "counts and addresses of a process",
        "Thread.native_id": "threading asks as a thread starts; get_native_id is answered",
        "time.sleep": "a timer of the scheduler",
    }
)
"""What is read from outside and not answered here, with the reason."""


class Readings:
    """Installs and removes the answers of one lookup, process-wide.

    Several may be installed at once, each several times; the first one whose lookup knows the
    calling thread answers. Call `remove` once for each `install`.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._installed = 0

    def install(self) -> None:
        """Lets the lookup answer from now on.

        Raises:
            SetupError: This interpreter is not supported, or a function does not reach the
                lookup. Nothing is exchanged then.
        """
        with _PROCESS.lock:
            if not self._installed:
                _PROCESS.enter(self._lookup)
            self._installed += 1

    def remove(self) -> None:
        """Undoes one `install`; the last one undoes also what the lookup's runs wrote."""
        with _PROCESS.lock:
            if not self._installed:
                raise SetupError("removed more often than installed")
            self._installed -= 1
            if not self._installed:
                _PROCESS.leave(self._lookup)

    def close_run(self, answerer: Answerer) -> None:
        """Undoes what the run of `answerer` wrote to the environment; for use at its end."""
        with _PROCESS.lock:
            _PROCESS.close_run(answerer)


def all_openings() -> tuple[Opening, ...]:
    """Returns what is answered on this platform; nothing is exchanged by asking.

    Raises:
        SetupError: This interpreter is not supported.
    """
    with _PROCESS.lock:
        return _PROCESS.openings()


class _Process:
    """The openings of this process, made at the first install and kept: see `Exchange`."""

    def __init__(self) -> None:
        self.lock = OwnLock()
        self._environment: Environment | None = None
        self._openings: tuple[Opening, ...] = ()

    def enter(self, lookup: Lookup) -> None:
        if not ANSWERING.lookups:
            self._prepare()
            self._open()
        ANSWERING.add(lookup)

    def leave(self, lookup: Lookup) -> None:
        ANSWERING.discard(lookup)
        if self._environment is not None and lookup not in ANSWERING.lookups:
            self._environment.close(lookup=lookup)
        if not ANSWERING.lookups:
            _close(self._openings)

    def close_run(self, answerer: Answerer) -> None:
        if self._environment is not None:
            self._environment.close(answerer=answerer)

    def openings(self) -> tuple[Opening, ...]:
        self._prepare()
        return self._openings

    def _prepare(self) -> None:
        if self._openings:
            return
        require_supported()
        environment = Environment()
        self._openings = (
            *clock_openings(),
            *entropy_openings(),
            *environment_openings(environment),
            *surroundings_openings(),
            *machine_openings(),
            *terminal_openings(),
            *locale_openings(),
            *zone_openings(),
            *temporary_openings(),
        )
        self._environment = environment

    def _open(self) -> None:
        opened: list[Opening] = []
        try:
            for opening in self._openings:
                opening.open()
                opened.append(opening)
            probes = {opening.source: opening.probe for opening in self._openings}
            for opening in self._openings:
                if opening.early is not None:
                    _check(opening, opening.early, probes)
        except BaseException:
            _close(opened)
            raise


class _Probe:
    """Answers the calls of the check, and notes what was asked."""

    def __init__(self, probes: Mapping[str, Value]) -> None:
        self.sources: list[str] = []
        self._probes = probes

    def answer(self, source: str, argument: str, live: Callable[[], Value]) -> Value:
        self.sources.append(source)
        return bytes(int(argument)) if source == "urandom" else self._probes[source]


def _check(opening: Opening, early: Callable[[], object], probes: Mapping[str, Value]) -> None:
    """Calls the function through its early binding, and sees whether the lookup was reached."""
    probe = _Probe(probes)
    here = threading.get_ident()

    def lookup() -> Answerer | None:
        return probe if threading.get_ident() == here else None

    ANSWERING.add(lookup)
    try:
        early()
    finally:
        ANSWERING.discard(lookup)
    if opening.source not in probe.sources:
        raise SetupError(
            f"{opening.name} does not reach the run",
            where=opening.name,
            hint="another tool may have replaced it (freezegun, time-machine, a debugger)",
        )


def _close(openings: tuple[Opening, ...] | list[Opening]) -> None:
    for opening in reversed(openings):
        opening.close()


# Process-wide because the functions are; nothing is made or exchanged before the first install.
_PROCESS: Final = _Process()
