"""How a secret may be written in bytes, and how each writing is mapped to its surrogate's.

The one invariant: the mapping is byte by byte and local. What a byte becomes depends on the bytes
of its own secret before it and on nothing after it, so that a stream, of which nothing may be held
back, and the whole text come to the same bytes; and no length ever changes.

A *track* is one secret in one spelling. `TextTrack`: as it is, with JSON escapes or with
percent-encoding, any subset of characters escaped. `CodedTrack`: hex and base64 (each of the three
alignments that the text before it can cause, standard and URL-safe).

A *run* is a place where a track matches at least `COMMIT` leading characters of the value: shorter
ones may be innocent text. A stream may have let up to eleven true characters go before it knew;
`repairs` finds the surrogate's tail behind characters that are not its head, by the surrogate
alone, and puts the head there. The tail is `ANCHOR` characters, so chance does not make one.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

__all__ = ["ANCHOR", "COMMIT", "Edit", "Run", "Track", "character_class", "repaired", "substituted"]

COMMIT = 12
ANCHOR = 8


class Run(NamedTuple):
    """A place where a value stands, and the bytes to put there.

    `put` has the length of the run; `characters` counts whole characters of the value.
    """

    start: int
    put: bytes
    characters: int
    number: int


class Edit(NamedTuple):
    """Bytes to put at a place; the length of the text does not change."""

    start: int
    put: bytes


class Track(Protocol):
    r"""One secret in one spelling; `escapes` says whether the text has a %XX or a \u00XX."""

    # Without escapes, one of these stands in each text that has a run, or a repair.
    needles: tuple[bytes, ...]
    anchors: tuple[bytes, ...]

    def runs(self, data: bytes, *, escapes: bool) -> Iterator[Run]:
        """Finds each run, by ascending start for each needle."""
        ...

    def alive_from(self, data: bytes) -> int:
        """Where the first match begins that the next bytes could continue; the length if none."""
        ...

    def repairs(self, data: bytes, *, escapes: bool) -> Iterator[Edit]:
        """Finds true heads before the surrogate's tail."""
        ...


def substituted(data: bytes, runs: Iterable[Run]) -> bytes:
    """Puts each run's bytes in place: leftmost first, of one place the longest.

    What an earlier run covers stays as it put it; a run that reaches further adds the rest. So no
    byte of a whole occurrence is left, whatever it overlaps, and a stream comes to the same.
    """
    out, stop = bytearray(data), 0
    for run in sorted(runs, key=lambda one: (one.start, -len(one.put), one.number)):
        end, begin = run.start + len(run.put), max(run.start, stop)
        if end > stop:
            out[begin:end] = run.put[begin - run.start :]
            stop = end
    return bytes(out) if stop else data


def repaired(data: bytes, edits: Iterable[Edit]) -> bytes:
    """Puts each edit's bytes in place; of two that overlap, the one that starts first."""
    out, stop = bytearray(data), 0
    for edit in sorted(set(edits)):
        if edit.start >= stop:
            stop = edit.start + len(edit.put)
            out[edit.start : stop] = edit.put
    return bytes(out) if stop else data


def character_class(code: int) -> int:
    """What a surrogate keeps of a character: its class, or the character itself."""
    char = chr(code)
    if not char.isascii() or not char.isalnum():
        return code
    return ord("a") if char.islower() else ord("A") if char.isupper() else ord("0")
