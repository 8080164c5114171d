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

from replay.doors.answering import ANSWERING, Answerer, Lookup, Value
from replay.doors.clocks import clock_openings
from replay.doors.entropy import entropy_openings
from replay.doors.environment import Environment, environment_openings
from replay.doors.exchange import require_supported
from replay.doors.opening import Opening
from replay.errors import SetupError

__all__ = ["NOT_ANSWERED", "Answerer", "Lookup", "Readings", "Value"]

NOT_ANSWERED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "_random.Random": "its constructor draws a seed in C; random.Random seeds itself again",
        "ctypes, getenv and clocks in C": "C code asks the system, not the interpreter",
        "numpy.random, uuid_utils, Rust and other C extensions": "they draw their own entropy",
        "os.putenv and os.unsetenv": "they bypass os.environ, so they are not undone either",
        "posix.environ": "a plain dict, which C code copies without asking",
        "time.sleep": "a timer of the scheduler",
        "time.tzset and the local time zone": "the C library reads TZ itself",
        "uuid.getnode": "reads the hardware address once a process; uuid1 is answered as a whole",
    }
)
"""What is read from outside and not answered here, with the reason."""

_PROBE_NS: Final = 1_234_567_890_123_456_789
_PROBE_UUID: Final = "13814000-1dd2-11b2-8000-000000000000"


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


class _Process:
    """The openings of this process, made at the first install and kept: see `Exchange`."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
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

    def _prepare(self) -> None:
        if self._openings:
            return
        require_supported()
        environment = Environment()
        self._openings = (
            *clock_openings(),
            *entropy_openings(),
            *environment_openings(environment),
        )
        self._environment = environment

    def _open(self) -> None:
        opened: list[Opening] = []
        try:
            for opening in self._openings:
                opening.open()
                opened.append(opening)
            for opening in self._openings:
                _check(opening)
        except BaseException:
            _close(opened)
            raise


class _Probe:
    """Answers the calls of the check, and notes what was asked."""

    def __init__(self) -> None:
        self.sources: list[str] = []

    def answer(self, source: str, argument: str, live: Callable[[], Value]) -> Value:
        self.sources.append(source)
        if source == "urandom":
            return bytes(int(argument))
        if source == "uuid1":
            return _PROBE_UUID
        if source == "env":
            return "probe"
        return ["probe"] if source == "env_names" else _PROBE_NS


def _check(opening: Opening) -> None:
    """Calls the function through its early binding, and sees whether the lookup was reached."""
    probe = _Probe()
    here = threading.get_ident()

    def lookup() -> Answerer | None:
        return probe if threading.get_ident() == here else None

    ANSWERING.add(lookup)
    try:
        opening.early()
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
