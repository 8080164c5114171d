"""Synchronous questions answered: from the world and recorded, or from the record."""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import msgspec

from replay.doors.streams.standard_input import SOURCE as STANDARD_INPUT
from replay.doors.surroundings.answering import KEPT, SystemFailure
from replay.doors.surroundings.clocks import CLOCK_SOURCES, real_monotonic
from replay.doors.surroundings.process import CHANGE_DIRECTORY, DIRECTORY
from replay.doors.surroundings.terminal import IS_TERMINAL
from replay.errors import IntegrityError, UsageError
from replay.events.kinds import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.doors.surroundings.answering import Value
    from replay.doors.surroundings.setting import Setting
    from replay.recording.recorder import Recorder
    from replay.scheduler.core import Scheduler
    from replay.sources.live import LiveClock

__all__ = ["ANSWERS_VERSION", "LiveAnswers", "ReadingSource", "RecordedAnswers", "decoded"]

# Bound here: a program may read its clock in a loop.
_Raw = msgspec.Raw
_Reading = Reading
_encode_json = msgspec.json.Encoder().encode

#: Which questions are answered; stands in the first record. 1 knew those of `_FIRST` only.
ANSWERS_VERSION: Final = 2
_FIRST: Final = ("env", "env_names", "urandom", "uuid1")
_ENVIRONMENT: Final = ("env", "env_names")
_Json: TypeAlias = dict[str, str] | list[str] | str | int | float | bool | None
_VALUES: Final[msgspec.json.Decoder[_Json]] = msgspec.json.Decoder(_Json)


class ReadingSource(Protocol):
    """Gives recorded readings."""

    def reading(self, source: str, argument: str) -> Reading:
        """Return the reading that answers a question, entered into the replay's own record."""
        ...


class _Answers:
    """What both sides share: what does not change in a process is asked once a run."""

    def __init__(self, scheduler: Scheduler, setting: Setting) -> None:
        self._scheduler = scheduler
        self._kept = setting.known()

    def answer(self, source: str, argument: str, live: Callable[[], Value]) -> Value:
        """Answer one question of the program."""
        if source in _ENVIRONMENT or source.startswith(KEPT):
            key = (source, argument)
            if key not in self._kept:
                # A name may hold bytes that are no text; the record has them escaped.
                plain = argument.encode("utf-8", "backslashreplace").decode()
                self._kept[key] = self._ask(source, plain, live)
            return self._kept[key]
        value = self._ask(source, argument, live)
        if source == CHANGE_DIRECTORY and type(value) is str:
            self._kept[DIRECTORY, ""] = value
        return value

    def directory(self) -> str | None:
        """Return the program's working directory, if it has asked for it or changed it."""
        known = self._kept.get((DIRECTORY, ""))
        return known if isinstance(known, str) else None

    def _ask(self, source: str, argument: str, live: Callable[[], Value]) -> Value:
        raise NotImplementedError


class LiveAnswers(_Answers):
    """Answers from the world; each becomes part of the record."""

    def __init__(
        self, scheduler: Scheduler, recorder: Recorder, clock: LiveClock, setting: Setting
    ) -> None:
        super().__init__(scheduler, setting)
        self._recorder = recorder
        # Bound here: a program may read its clock in a loop.
        self._record = recorder.reading
        self._monotonic_ns = real_monotonic()
        self._offset = clock.start - clock.monotonic

    def answer(self, source: str, argument: str, live: Callable[[], Value]) -> Value:
        """Answer one question of the program."""
        if source not in CLOCK_SOURCES:
            return super().answer(source, argument, live)
        scheduler = self._scheduler
        if len(scheduler.participants) > 1:  # nobody else waits for a turn
            scheduler.looked()
        # No door is on this way, since the clocks asked here are the real ones.
        value = live()
        time = self._offset + self._monotonic_ns() // 1000
        if time > scheduler.now:  # noqa: PLR1730 - a call less
            scheduler.now = time
        self._record(_Reading(source, argument, _Raw(_encode_json(value)), scheduler.now))
        return value

    def share(self, other: _Answers) -> None:
        """Go on where another has answered: what it was told once stays told."""
        self._kept = other._kept

    def ask(self, source: str, argument: str, live: Callable[[], Value]) -> Value:
        """Answer one question now, whatever was answered before; the looks are counted."""
        if source not in CLOCK_SOURCES:
            return self._ask(source, argument, live)
        value = live()
        self._scheduler.move_clock(self._offset + self._monotonic_ns() // 1000)
        self._record(_Reading(source, argument, _Raw(_encode_json(value)), self._scheduler.now))
        return value

    def _ask(self, source: str, argument: str, live: Callable[[], Value]) -> Value:
        scheduler = self._scheduler
        if source == STANDARD_INPUT:
            self._recorder.flush()  # somebody may have to see the output before he types
        scheduler.inside = True
        try:
            value = live()
        finally:
            scheduler.inside = False
        reading = Reading(source, argument, _encode(value, source), scheduler.now)
        self._recorder.reading(reading)
        return value


class RecordedAnswers(_Answers):
    """Answers from the record, in order, checked against what was asked.

    Args:
        scheduler: whose clock the readings move.
        inputs: the record.
        setting: what its first record says.
        version: which questions were answered when it was made; the others were not on record.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        inputs: ReadingSource,
        setting: Setting,
        version: int = ANSWERS_VERSION,
    ) -> None:
        super().__init__(scheduler, setting)
        self._inputs = inputs
        self._is_first = version < ANSWERS_VERSION

    def _ask(self, source: str, argument: str, live: Callable[[], Value]) -> Value:
        if self._is_first and source not in _FIRST and not source.endswith("_ns"):
            return _answer_as_first(source, argument, live)
        if source in CLOCK_SOURCES:
            self._scheduler.looked()
        return self._take(source, argument)

    def _take(self, source: str, argument: str) -> Value:
        """Take the next reading of the record."""
        reading = self._inputs.reading(source, argument)
        self._scheduler.move_clock(reading.time)
        return decoded(reading)


def _answer_as_first(source: str, argument: str, live: Callable[[], Value]) -> Value:
    """Answer what the first version did not: no stream was a terminal, the rest was as it is."""
    if source == IS_TERMINAL and argument in {"stdin", "stdout"}:
        return False
    if source == STANDARD_INPUT:
        raise UsageError("standard input is not in this record", hint="record the run again")
    return live()


def _encode(value: Value, source: str) -> msgspec.Raw:
    if type(value) is SystemFailure:
        return _Raw(_encode_json({"errno": str(value.number)}))
    if type(value) is bytes:
        if source == STANDARD_INPUT:
            # Text is left to be read, and secrets in it to be found.
            with contextlib.suppress(UnicodeDecodeError):
                return _Raw(_encode_json({"bytes": value.decode()}))
        return _Raw(_encode_json({"base64": base64.b64encode(value).decode()}))
    try:
        return _Raw(_encode_json(value))
    except UnicodeEncodeError:
        # An environment is bytes, and Python's text of bytes that are none is no JSON.
        names = not isinstance(value, str)
        joined = "\0".join(value) if isinstance(value, list | tuple) else str(value)
        form = "names" if names else "text"
        return _Raw(
            _encode_json({form: base64.b64encode(joined.encode("utf-8", "surrogatepass")).decode()})
        )


def decoded(reading: Reading) -> Value:
    """Return the answer that a reading holds.

    Raises:
        IntegrityError: no recorder writes it.
    """
    try:
        value = _VALUES.decode(reading.value)
        if isinstance(value, dict):
            ((form, text),) = value.items()
            if form == "errno":
                return SystemFailure(int(text))
            if form == "bytes":
                return text.encode()
            data = base64.b64decode(text, validate=True)
            if form == "base64":
                return data
            plain = data.decode("utf-8", "surrogatepass")
            if form == "names":
                return plain.split("\0")
            value = {"text": plain}[form]
    except (msgspec.MsgspecError, KeyError, ValueError):
        raise IntegrityError(f"a reading of {reading.source} is malformed") from None
    return value
