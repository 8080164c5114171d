"""Which parts an export leaves out: a small expression over records, and over text in them.

The one invariant: what is named is left out wherever it stands. A part is stored once and listed by
many records, so a part that goes makes a hole in every record that lists it; and an expression that
names nothing is an error, since somebody believed that it hides something.

An expression is terms with commas between, all of which must hold; of several expressions one is
enough::

    12    12..40    12..    ..40     positions, inclusive
    kind=PromptSent|RequestSent      one of these kinds
    actor=main/child-1               who did it, as `ritornello events` names it, or its number
    text=anything, commas too        only the parts that hold this text; stands last

A text is looked for in the bytes of each payload. Where else it stands, once the bytes are decoded,
whoever calls finds and hands over: `Decoded`.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

import msgspec

from replay.errors import UsageError
from replay.events.entry import Entry, Part
from replay.events.header import INTEGER_MAX, Header
from replay.events.kinds import CATALOGUE
from replay.log.port import LogReader

__all__ = ["Decoded", "Selection", "Withheld", "parse_withheld", "select_withheld"]

_RANGE: Final = re.compile(r"([0-9]{1,16})?(\.\.)?([0-9]{1,16})?")
_HINT: Final = (
    "terms with commas between: 12, 12..40, kind=PromptSent|RequestSent, actor=NAME, text=TEXT last"
)
_TEXT_MIN: Final = 2


class Withheld(msgspec.Struct, frozen=True, kw_only=True):
    """One expression as read.

    Attributes:
        source: as it was written.
        ranges: of positions, inclusive; a record must be in each.
        kinds: names of kinds, None for all.
        actor: who did it, None for all.
        spellings: how the text may be spelled in a payload, none for whole payloads.
        text: the text; empty for whole payloads.
    """

    source: str
    ranges: tuple[tuple[int, int], ...] = ()
    kinds: frozenset[str] | None = None
    actor: str | None = None
    spellings: tuple[bytes, ...] = ()
    text: str = ""

    @property
    def everywhere(self) -> bool:
        """Whether it is about a text wherever it stands."""
        whole = not self.ranges and self.kinds is None and self.actor is None
        return bool(self.text) and whole

    def names(self, header: Header, actors: Mapping[int, str]) -> bool:
        """Return whether a record is one of those that the expression is about."""
        if not all(first <= header.seq <= last for first, last in self.ranges):
            return False
        if self.kinds is not None and header.kind not in self.kinds:
            return False
        return self.actor in {None, str(header.task), actors.get(header.task)}


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """Where a text stands in a run once its bytes are decoded.

    Attributes:
        parts: ordinals of the parts that hold a piece of it.
        unread: records whose bytes nothing here can decode, and why.
    """

    parts: frozenset[int] = frozenset()
    unread: Mapping[int, str] = {}


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be left out.

    Attributes:
        ordinals: the parts.
        named: positions of the records that an expression names.
        holed: number of records of which at least one part is left out.
    """

    ordinals: frozenset[int] = frozenset()
    named: frozenset[int] = frozenset()
    holed: int = 0


def parse_withheld(source: str) -> Withheld:
    """Read an expression.

    Raises:
        UsageError: it is none; names the term.
    """
    ranges: list[tuple[int, int]] = []
    named: dict[str, str] = {}
    rest = source
    while rest:
        term, _, rest = (rest, "", "") if rest.startswith("text=") else rest.partition(",")
        term = term.strip() if not term.startswith("text=") else term
        rest = rest.lstrip()
        key, equals, value = term.partition("=")
        if not equals:
            ranges.append(_range(term, source))
        elif key not in {"kind", "actor", "text"} or not value or key in named:
            raise _refused(f"{term[:60]!r} is no term, empty or there twice", source)
        else:
            named[key] = value
    if not ranges and not named:
        raise _refused("the expression is empty", source)
    kinds = frozenset(named["kind"].split("|")) if "kind" in named else None
    return Withheld(
        source=source,
        ranges=tuple(ranges),
        kinds=kinds,
        actor=named.get("actor"),
        spellings=_spellings(named["text"], source) if "text" in named else (),
        text=named.get("text", ""),
    )


def select_withheld(
    reader: LogReader,
    expressions: Sequence[Withheld],
    actors: Mapping[int, str],
    decoded: Mapping[str, Decoded] | None = None,
) -> Selection:
    """Find the parts that expressions name.

    Args:
        reader: the run.
        expressions: one of them is enough.
        actors: names of tasks and threads, by the seq of the record that began them.
        decoded: where each text stands once the bytes are decoded.

    Raises:
        UsageError: an expression names nothing in this run, or a text among bytes that cannot be
            decoded and would stay.
        IntegrityError: a record cannot be read.

    Complexity: two passes over the run; where text is asked for, memory for one payload at a time.
    """
    ordinals: set[int] = set()
    named: set[int] = set()
    idle = dict.fromkeys(expressions)
    opaque: dict[int, tuple[tuple[int, ...], str, str]] = {}
    kinds = set(CATALOGUE)
    for entry in reader.entries():
        kinds.add(entry.header.kind)
        for expression in expressions:
            if not expression.names(entry.header, actors):
                continue
            found = set(entry.parts)
            if expression.spellings:
                known = (decoded or {}).get(expression.text, Decoded())
                found = _holding(reader, entry, expression.spellings) | (known.parts & found)
                if entry.header.seq in known.unread:
                    why = known.unread[entry.header.seq]
                    opaque[entry.header.seq] = (entry.parts, why, expression.source)
            if found:
                ordinals |= found
                named.add(entry.header.seq)
                idle.pop(expression, None)
    for expression in idle:
        unknown = sorted((expression.kinds or frozenset()) - kinds)
        why = f"there is no kind {unknown[0]!r}" if unknown else "it names nothing in this run"
        raise _refused(why, expression.source)
    for seq, (parts, why, source) in opaque.items():
        if not ordinals.issuperset(parts):
            raise UsageError(
                f"withhold: nobody can tell whether the text stands in event {seq}: {why}",
                where=source[:200],
                hint=f"leave it out whole as well: --withhold {seq}",
            )
    holed = sum(not ordinals.isdisjoint(entry.parts) for entry in reader.entries())
    return Selection(ordinals=frozenset(ordinals), named=frozenset(named), holed=holed)


def _holding(reader: LogReader, entry: Entry, spellings: Sequence[bytes]) -> set[int]:
    """Return the parts of a payload that hold a piece of the text, also across their borders."""
    parts = {part.ordinal: part for part in entry.brought}
    others = sorted(set(entry.parts) - set(parts))
    parts.update(reader.parts(others) if others else {})
    found: set[int] = set()
    for stretch in _stretches([parts[ordinal] for ordinal in entry.parts]):
        whole = b"".join(part.data or b"" for part in stretch)
        ends = list(accumulate(part.size for part in stretch))
        for spelling in spellings:
            at = whole.find(spelling)
            while at >= 0:
                first = bisect_right(ends, at)
                last = bisect_left(ends, at + len(spelling))
                found.update(part.ordinal for part in stretch[first : last + 1])
                # What ends in the last of these parts names no other.
                at = whole.find(spelling, max(at, ends[last] - len(spelling)) + 1)
    return found


def _stretches(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Yield the stretches of a payload between its holes."""
    stretch: list[Part] = []
    for part in parts:
        if part.data is None:
            yield stretch
            stretch = []
        else:
            stretch.append(part)
    yield stretch


def _range(term: str, source: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(term)
    if match is None or not term or term == "..":
        raise _refused(f"{term[:60]!r} is no term", source)
    first, dots, last = match[1], match[2], match[3]
    if not dots:
        return int(term), int(term)
    ends = int(first or 0), int(last or INTEGER_MAX)
    if ends[0] > ends[1]:
        raise _refused(f"{term!r} runs backwards", source)
    return ends


def _spellings(text: str, source: str) -> tuple[bytes, ...]:
    """Return how JSON may write a text, and the text itself."""
    if len(text) < _TEXT_MIN:
        raise _refused(f"a text of less than {_TEXT_MIN} characters is everywhere", source)
    try:
        escaped = [json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)]
        return tuple(dict.fromkeys(each.encode() for each in (text, *escaped)))
    except UnicodeEncodeError:
        raise _refused("the text is not Unicode", source) from None


def _refused(message: str, source: str) -> UsageError:
    return UsageError(f"withhold: {message}", where=source[:200], hint=_HINT)
