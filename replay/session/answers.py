"""Synchronous questions answered: from the world and recorded, or from the record."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import msgspec

from replay.errors import IntegrityError
from replay.events.kinds import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.doors.answering import Value
    from replay.recording.recorder import Recorder
    from replay.scheduler.core import Scheduler
    from replay.sources.live import LiveClock

__all__ = ["LiveAnswers", "ReadingSource", "RecordedAnswers"]

# Bound here: a program may read its clock in a loop.
_Raw = msgspec.Raw
_encode_json = msgspec.json.Encoder().encode

_ENVIRONMENT: Final = ("env", "env_names")
_Json: TypeAlias = dict[str, str] | list[str] | str | int | float | bool | None
_VALUES: Final[msgspec.json.Decoder[_Json]] = msgspec.json.Decoder(_Json)


class ReadingSource(Protocol):
    """Gives recorded readings."""

    def reading(self, source: str, argument: str) -> Reading:
        """Return the reading that answers a question, entered into the replay's own record."""
        ...


class _Answers:
    """What both sides share: the environment is read once a name, as a process sees it."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._environment: dict[tuple[str, str], Value] = {}

    def answer(self, source: str, argument: str, live: Callable[[], Value]) -> Value:
        """Answer one question of the program."""
        if source not in _ENVIRONMENT:
            return self._ask(source, argument, live)
        key = (source, argument)
        if key not in self._environment:
            # A name may hold bytes that are no text; the record has them escaped.
            plain = argument.encode("utf-8", "backslashreplace").decode()
            self._environment[key] = self._ask(source, plain, live)
        return self._environment[key]

    def _ask(self, source: str, argument: str, live: Callable[[], Value]) -> Value:
        raise NotImplementedError


class LiveAnswers(_Answers):
    """Answers from the world; each becomes part of the record."""

    def __init__(self, scheduler: Scheduler, recorder: Recorder, clock: LiveClock) -> None:
        super().__init__(scheduler)
        self._recorder = recorder
        self._clock = clock

    def _ask(self, source: str, argument: str, live: Callable[[], Value]) -> Value:
        scheduler = self._scheduler
        scheduler.inside = True
        try:
            value = live()
            if source.endswith("_ns"):
                scheduler.move_clock(self._clock.now())
        finally:
            scheduler.inside = False
        reading = Reading(source, argument, _encode(value), scheduler.now)
        self._recorder.reading(reading)
        return value


class RecordedAnswers(_Answers):
    """Answers from the record, in order, checked against what was asked."""

    def __init__(self, scheduler: Scheduler, inputs: ReadingSource) -> None:
        super().__init__(scheduler)
        self._inputs = inputs

    def _ask(self, source: str, argument: str, live: Callable[[], Value]) -> Value:
        reading = self._inputs.reading(source, argument)
        self._scheduler.move_clock(reading.time)
        return _decode(reading)


def _encode(value: Value) -> msgspec.Raw:
    if type(value) is bytes:
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


def _decode(reading: Reading) -> Value:
    try:
        value = _VALUES.decode(reading.value)
        if isinstance(value, dict):
            ((form, text),) = value.items()
            data = base64.b64decode(text, validate=True)
            if form == "base64":
                return data
            decoded = data.decode("utf-8", "surrogatepass")
            return decoded.split("\0") if form == "names" else decoded
    except (msgspec.MsgspecError, KeyError, ValueError):
        raise IntegrityError(f"a reading of {reading.source} is malformed") from None
    return value
