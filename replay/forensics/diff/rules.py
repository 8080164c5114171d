"""Which differences between two runs are ignored: rules, their grammar, and the default ones.

A rule is one line of terms ``name=value``, separated by blanks; a value with blanks stands in
double quotes, as a JSON string. All terms must hold. ``#`` begins a comment in a file.

=================  ==============================================================================
``kind=NAME``      records of this kind
``task=GLOB``      records of tasks whose spawn path matches, such as ``main/worker*``
``source=NAME``    readings of this source, such as ``env``, or with its argument: ``"env HOME"``
``exchange=read``  raw answers of exchanges that a dialect reads; what it reads is compared
``header=NAME``    not the record, but its header field: outcome, media, heard
``field=PATH``     not the record, but a field of its head, or of its body: ``body.messages[*].id``
=================  ==============================================================================

Without ``header`` or ``field`` the whole record is ignored. A path is names and positions,
``a.b[0]``, with ``*`` for any; ``["a b"]`` is a name of other characters. It takes everything below
with it. ``heard`` says from which other tasks a record knows something new.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final, NoReturn

import msgspec

from replay.errors import UsageError
from replay.events.kinds import CATALOGUE, Payload

__all__ = [
    "DEFAULT_RULES",
    "RULES_MAX",
    "RULE_LENGTH_MAX",
    "Rule",
    "Rules",
    "Step",
    "parse_rule",
    "parse_rules",
    "without",
]

RULES_MAX: Final = 200
RULE_LENGTH_MAX: Final = 1000
_STEPS_MAX: Final = 32

#: What differs between any two runs and says nothing: clocks, chance, numbers of processes, ids.
DEFAULT_RULES: Final = (
    "header=heard",
    *(
        f"source={name}"
        for name in (
            *("time_ns", "monotonic_ns", "perf_counter_ns", "process_time_ns", "thread_time_ns"),
            *("times", "getrusage", "getloadavg", "process.clock_info"),
            *("urandom", "uuid1", "process.node"),
            *("process.pid", "getppid", "getpgrp", "native_id"),
        )
    ),
    "kind=RunStarted field=run",
    "kind=RunStarted field=seed",
    "kind=RunStarted field=forked_from",
    "kind=RunStarted field=monotonic",
    "kind=RunStarted field=directory",
    "kind=RunStarted field=hash_seed",
    "kind=RunStarted field=flags",
    "kind=RunStarted field=versions",
    "kind=RunStarted field=dialects",
    "kind=RunStarted field=adapters",
    "kind=RunStarted field=setting",
    "kind=RunSealed field=events",
    "kind=TaskSpawned field=seed",
    "kind=ThreadStarted field=participant",
    "kind=ProcessSpawned field=pid",
    "kind=OutputWritten field=marks",
    "kind=SecretRegistered field=surrogate",
    "kind=CodeLoaded",
    "kind=ClockAdvanced",
    "kind=WireObserved",
    "kind=ResponseStarted field=headers",
    "kind=ResponseReceived field=response_id",
    "kind=ToolCalled field=call_id",
    "kind=ToolReturned field=call_id",
    "kind=ChunksReceived field=chunks",
    "kind=ChunksReceived exchange=read",
)

_TERM: Final = re.compile(r"([a-z]+)=")
_BARE: Final = re.compile(r'[^\s"]+')
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_PATH: Final = re.compile(r'(?:\["(?:[^"\\]|\\.)*"\]|[^\s"])+')
_NAME: Final = re.compile(r"[^.\[\]\s\"*]+")
_NUMBER: Final = re.compile(r"\[(\d{1,9}|\*)\]")
_NAMED: Final = re.compile(r'\[("(?:[^"\\]|\\.)*")\]')
_TERMS: Final = ("kind", "task", "source", "exchange", "header", "field")
_HEADERS: Final = ("heard", "media", "outcome")

#: A name, a position, or None for any.
Step = str | int | None


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule.

    Attributes:
        text: as it was written.
        default: whether it is one of ours.
        kind, task, source, exchange: what a record must be for the rule to hold; None for any.
        header: the header field that is ignored.
        path: the field that is ignored; with neither, it is the record.
    """

    text: str
    default: bool = False
    kind: str | None = None
    task: str | None = None
    source: str | None = None
    exchange: str | None = None
    header: str | None = None
    path: tuple[Step, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether it ignores records, not fields of them."""
        return self.header is None and not self.path

    def holds(self, kind: str, task: str, source: str | None, *, read: bool) -> bool:
        """Return whether a record is one of those it is about."""
        return (
            (self.kind is None or self.kind == kind)
            and (self.exchange is None or read)
            and (
                self.source is None
                or (source is not None and self.source in {source, source.partition(" ")[0]})
            )
            and (self.task is None or fnmatchcase(task, self.task))
        )


class Rules:
    """The rules of one comparison.

    Attributes:
        all: the rules, in order, those of the caller first.
        ids: whether ids that a provider gave are compared by what they name.
    """

    def __init__(self, given: Iterable[Rule] = (), *, defaults: bool = True) -> None:
        own = [parse_rule(text, default=True) for text in DEFAULT_RULES] if defaults else []
        self.all: tuple[Rule, ...] = (*given, *own)
        if len(self.all) - len(own) > RULES_MAX:
            raise UsageError(f"more than {RULES_MAX} rules")
        self.ids = defaults
        numbered = list(enumerate(self.all))
        self._whole = [(number, rule) for number, rule in numbered if rule.whole]
        self._parts = [rule for rule in self.all if not rule.whole]
        # The tables are as long as the kinds and tasks that were met; both are bounded.
        self.whole = lru_cache(maxsize=1 << 14)(self._find_whole)
        self.fields = lru_cache(maxsize=1 << 14)(self._find_fields)

    def _find_whole(self, kind: str, task: str, source: str | None, *, read: bool) -> int | None:
        """Return the number of the first rule that ignores such a record, or None."""
        for number, rule in self._whole:
            if rule.holds(kind, task, source, read=read):
                return number
        return None

    def _find_fields(
        self, kind: str, task: str, source: str | None = None
    ) -> tuple[tuple[str, ...], tuple[tuple[Step, ...], ...]]:
        """Return the header fields and the paths that are ignored in such a record."""
        held = [rule for rule in self._parts if rule.holds(kind, task, source, read=False)]
        headers = tuple(rule.header for rule in held if rule.header is not None)
        return headers, tuple(rule.path for rule in held if rule.path)


def parse_rules(text: str, where: str) -> list[Rule]:
    """Read a file of rules, one a line.

    Raises:
        UsageError: one of them is none; names file, line and column.
    """
    rules: list[Rule] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            rules.append(parse_rule(line, where=f"{where}, line {number}"))
            if len(rules) > RULES_MAX:
                raise UsageError(f"more than {RULES_MAX} rules", where=where)
    return rules


def parse_rule(text: str, *, where: str = "", default: bool = False) -> Rule:
    """Read one rule.

    Args:
        text: the rule.
        where: where it stands, for the error.
        default: whether it is one of ours.

    Raises:
        UsageError: it is none; names the column.
    """
    place = where or f"rule {text[:80]!r}"
    if len(text) > RULE_LENGTH_MAX:
        raise UsageError(f"a rule is longer than {RULE_LENGTH_MAX} characters", where=place)
    found: dict[str, str] = {}
    columns: dict[str, int] = {}
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        if text[position] == "#" and found:
            break
        term = _TERM.match(text, position)
        if term is None or term[1] not in _TERMS:
            _refuse(place, position, "no term begins here", "one of " + "=, ".join(_TERMS) + "=")
        if term[1] in found:
            _refuse(place, position, f"{term[1]} stands twice")
        columns[term[1]] = position = term.end()
        match = _QUOTED.match(text, position)
        if match is not None:
            found[term[1]] = _unquoted(match[0], place, position)
        else:
            # A path has quotes of its own, inside its brackets.
            match = (_PATH if term[1] == "field" else _BARE).match(text, position)
            if match is None:
                _refuse(place, position, f"{term[1]} has no value")
            found[term[1]] = match[0]
        position = match.end()
        if position < len(text) and not text[position].isspace():
            _refuse(place, position, "a blank is missing")
    if not found:
        _refuse(place, 0, "the rule is empty", "such as kind=FileRead")
    return _checked(text.strip(), found, columns, place, default=default)


def _checked(
    text: str, found: dict[str, str], columns: dict[str, int], place: str, *, default: bool
) -> Rule:
    kind, header, field = found.get("kind"), found.get("header"), found.get("field")
    if kind is not None and kind not in CATALOGUE:
        _refuse(place, columns["kind"], f"there is no kind {kind!r}", "see `ritornello events`")
    if header is not None and header not in _HEADERS:
        never = "position, time and salts of a record are never compared: "
        _refuse(
            place,
            columns["header"],
            f"header field {header!r} is not compared",
            never + "one of " + ", ".join(_HEADERS),
        )
    if header is not None and field is not None:
        _refuse(place, columns["field"], "header and field in one rule", "write two rules")
    if found.get("exchange", "read") != "read":
        _refuse(place, columns["exchange"], "exchange has one value", "exchange=read")
    if "exchange" in found and (header is not None or field is not None):
        _refuse(place, columns["exchange"], "exchange is about whole records")
    path = () if field is None else _path(field, columns["field"], place)
    if path and kind is not None:
        _check_field(kind, path, columns["field"], place)
    return Rule(
        text=text,
        default=default,
        kind=kind,
        task=found.get("task"),
        source=found.get("source"),
        exchange=found.get("exchange"),
        header=header,
        path=path,
    )


def _path(text: str, column: int, place: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    position = 0
    while position < len(text):
        if steps and text[position] == ".":
            position += 1
        elif steps and text[position] != "[":
            _refuse(place, column + position, "a dot or a bracket is missing")
        named, number = _NAMED.match(text, position), _NUMBER.match(text, position)
        name = _NAME.match(text, position)
        if named is not None:
            steps.append(_unquoted(named[1], place, column + position))
        elif number is not None:
            steps.append(None if number[1] == "*" else int(number[1]))
        elif name is not None:
            steps.append(name[0])
        elif text.startswith("*", position):
            steps.append(None)
        else:
            _refuse(place, column + position, "no name and no position", "such as body.tools[*].id")
        match = named or number or name
        position = position + 1 if match is None else match.end()
    if len(steps) > _STEPS_MAX:
        _refuse(place, column, f"the path has more than {_STEPS_MAX} steps")
    return tuple(steps)


_FIELDS: Final = {
    str(kind.__struct_config__.tag): frozenset(kind.__struct_fields__) for kind in Payload.__args__
}


def _check_field(kind: str, path: tuple[Step, ...], column: int, place: str) -> None:
    first = path[0]
    if first is not None and first != "body" and first not in _FIELDS[kind]:
        names = ", ".join(sorted({*_FIELDS[kind], "body"}))
        _refuse(place, column, f"{kind} has no field {first!r}", f"one of {names}")
    if kind in {"ChunksReceived", "OutputWritten"} and first == "body" and len(path) > 1:
        what = f"the body of {kind} is compared as a whole"
        _refuse(place, column, what, "kind=ResponseReceived has text and usage as fields")
    if kind == "ReadingsTaken":
        _refuse(place, column, "readings are compared one by one", 'such as source="env HOME"')


def _unquoted(text: str, place: str, column: int) -> str:
    try:
        return msgspec.json.decode(text.encode(), type=str)
    except (msgspec.MsgspecError, UnicodeError):
        _refuse(place, column, "this is no JSON string")


def _refuse(place: str, column: int, message: str, hint: str = "") -> NoReturn:
    raise UsageError(message, where=f"{place}, column {column + 1}", hint=hint)


def without(value: object, paths: Iterable[tuple[Step, ...]]) -> object:
    """Return a decoded JSON value without what stands at some paths; the value may be changed."""
    for path in paths:
        _take_out(value, path)
    return value


def _take_out(value: object, path: tuple[Step, ...]) -> None:
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        for key in [key for key in value if step is None or key == step]:
            if rest:
                _take_out(value[key], rest)
            else:
                del value[key]
    elif isinstance(value, list) and not isinstance(step, str):
        chosen = range(len(value)) if step is None else range(step, min(step + 1, len(value)))
        for index in chosen:
            if rest:
                _take_out(value[index], rest)
            else:
                value[index] = None  # the positions behind it keep their numbers
