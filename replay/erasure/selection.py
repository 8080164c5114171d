"""What of a run is to go: the parts that were named, and those that hold the same words.

The one invariant: nothing that the program computed is taken while an input stays that would bring
it back, unless nothing tells that it would. Pure, over what a search found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from replay.erasure.passages import AnyOf, Passages, passages_in
from replay.erasure.search import Found, Readings, search_run
from replay.erasure.streams import Piece, RunStreams
from replay.erasure.views import unescaped, views_of
from replay.errors import ErasureError, NotFoundError
from replay.events.kinds import role_of
from replay.log.port import LogReader

__all__ = ["Selected", "select"]

#: A shorter sentence, or one of fewer words, stands where nobody means it.
_SENTENCE_CHARACTERS_MIN: Final = 12
_SENTENCE_WORDS_MIN: Final = 3
#: Words that show that one text was made from another, and characters that they have at least.
_SHINGLE_WORDS: Final = 3
_SHINGLE_CHARACTERS_MIN: Final = 9
_SHINGLES_MAX: Final = 4000
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+")
_LITERAL: Final = re.compile(rb'"((?:[^"\\\x00]|\\.)*)"(\s*:)?', re.DOTALL)
#: Kinds whose words are those of a protocol, not of anybody.
_WORDLESS: Final = frozenset({"CodeLoaded", "ResponseStarted", "RunStarted", "WireObserved"})
#: Kinds whose body is text as it is.
_PLAIN: Final = frozenset(
    {"FileRead", "FileWritten", "OutputWritten", "ProcessFed", "ProcessStarted", "ProcessWrote"}
)
_NAMED_MAX: Final = 8


class Selected(msgspec.Struct, frozen=True, kw_only=True):
    """What of a run is to go.

    Attributes:
        found: what is known of the run.
        passages: what to look for wherever else it may stand; None if nothing was long enough.
        parts: ordinals, ascending.
        places: records whose place in the program goes.
        left: records before the first that was named, which hold the same words and stay.
    """

    found: Found
    passages: tuple[Passages, ...]
    parts: tuple[int, ...]
    places: tuple[int, ...]
    left: tuple[int, ...]


def select(
    reader: LogReader,
    events: Sequence[int],
    passages: Passages | None,
    readings: Readings | None,
) -> Selected:
    """Find what is to go.

    Args:
        reader: the run.
        events: records; what they were the first to bring goes, and what holds their sentences.
        passages: wherever one stands, the part goes.
        readings: reads exchanges of vendors.

    Raises:
        NotFoundError: there is no such record, or nothing of it is there.
        ErasureError: an input that stays would bring it back.
    """
    named, sentences, echoes = _of_events(reader, events)
    found = search_run(reader, AnyOf(() if sentences is None else (sentences,)), readings)
    streams = found.streams
    parts: dict[int, None] = dict.fromkeys(named)
    places: dict[int, None] = dict.fromkeys(found.places)
    before: dict[int, None] = {}
    first = min(events, default=0)
    for ordinal in found.parts:
        seq = streams.brought_by[ordinal]
        if seq >= first or (echoes is not None and role_of(streams.kinds[seq]) == "derived"):
            parts[ordinal] = None
        else:
            before[ordinal] = None
    looked = [] if sentences is None else [sentences]
    if passages is not None:
        found = search_run(reader, passages, readings)
        parts |= dict.fromkeys(found.parts)
        places |= dict.fromkeys(found.places)
        looked.append(passages)
    blocking = dict.fromkeys(_unread(found, parts))
    if echoes is not None:
        heard = search_run(reader, echoes, readings).parts
        blocking |= dict.fromkeys(_recreating(heard, events, streams, parts))
    if blocking:
        raise _comes_back(sorted(blocking), streams)
    return Selected(
        found=found,
        passages=tuple(looked),
        parts=tuple(sorted(parts)),
        places=tuple(sorted(places)),
        left=tuple({streams.brought_by[n]: None for n in before if n not in parts}),
    )


def _recreating(
    heard: Iterable[int], events: Sequence[int], streams: RunStreams, parts: dict[int, None]
) -> Iterator[int]:
    """Yield inputs before a computed record that hold some of its words and would stay."""
    last = max(seq for seq in events if role_of(streams.kinds[seq]) == "derived")
    for ordinal in heard:
        seq = streams.brought_by[ordinal]
        if seq < last and ordinal not in parts and role_of(streams.kinds[seq]) != "derived":
            yield seq


def _unread(found: Found, parts: dict[int, None]) -> Iterator[int]:
    """Yield answers that nothing here reads, where words were computed from no other input."""
    streams = found.streams
    events = sorted({streams.brought_by[ordinal] for ordinal in parts})
    if not events or role_of(streams.kinds[events[0]]) != "derived":
        return
    for seq, asked in streams.answered.items():
        if seq < events[0] and asked in found.unread and streams.kinds[seq] == "ChunksReceived":
            yield seq


def _comes_back(inputs: list[int], streams: RunStreams) -> ErasureError:
    named = ", ".join(f"{seq} ({streams.kinds[seq]})" for seq in inputs[:_NAMED_MAX])
    more = f" and {len(inputs) - _NAMED_MAX} more" if len(inputs) > _NAMED_MAX else ""
    options = " ".join(f"--event {seq}" for seq in inputs[:_NAMED_MAX])
    return ErasureError(
        "what the program computed comes back as long as the inputs stay that it was computed from",
        where=f"events {named}{more}",
        hint=f"name them too: {options}; or the words themselves: --text FILE",
    )


def _of_events(
    reader: LogReader, events: Sequence[int]
) -> tuple[list[int], Passages | None, Passages | None]:
    """Return what some records were the first to bring, and their words.

    Returns:
        The parts; their sentences; a few words at a time of those that the program computed, by
        which the inputs are known that it computed them from.
    """
    if not events:
        return [], None, None
    streams = RunStreams(reader)
    chosen = frozenset(events)
    kept = [piece for piece in streams.pieces() if piece.seq in chosen or piece.whole]
    beyond = [seq for seq in events if not 0 <= seq < len(streams.kinds)]
    if beyond:
        raise NotFoundError(
            f"there is no event {beyond[0]}", hint=f"the run has {len(streams.kinds)} of them"
        )
    named = [n for n, seq in streams.brought_by.items() if seq in chosen and n in streams.sizes]
    if not named:
        raise NotFoundError(
            "nothing is there to erase",
            where=f"event {events[0]}",
            hint="it repeats what earlier events brought, or was erased: see `ritornello events`",
        )
    spoken = [n for n in named if streams.kinds[streams.brought_by[n]] not in _WORDLESS]
    derived = [n for n in spoken if role_of(streams.kinds[streams.brought_by[n]]) == "derived"]
    said = _lines_of(kept, frozenset(spoken), streams)
    sentences = dict.fromkeys(sentence for line in said for sentence in _sentences(line))
    echoes: dict[str, None] = {}
    for line in _lines_of(kept, frozenset(derived), streams):
        echoes |= dict.fromkeys(_shingles(line))
    return (
        named,
        Passages(sentences) if sentences else None,
        Passages(list(echoes)[:_SHINGLES_MAX]) if echoes else None,
    )


def _lines_of(
    pieces: Sequence[Piece], ordinals: frozenset[int], streams: RunStreams
) -> Iterator[str]:
    """Yield the lines of text that some parts hold."""
    for piece in pieces:
        for text in _words_of(piece, ordinals, plain=streams.kinds[piece.seq] in _PLAIN):
            for line in passages_in(text):
                # Of a protocol; what it holds was taken out of it.
                if not line.startswith(("{", "[", "data:", "event:")):
                    yield line


def _words_of(piece: Piece, ordinals: frozenset[int], *, plain: bool) -> Iterator[str]:
    """Yield the texts that some parts hold within a piece."""
    ranges = list(piece.ranges(ordinals))
    if not ranges:
        return
    for view in views_of(piece.data):
        if view.how[-1:] == ("stream",):
            for start, stop in view.target(ranges):
                yield view.data[start:stop].decode("utf-8", "ignore")
        elif not view.how:
            for start, stop in ranges:
                data = view.data[start:stop]
                for match in _LITERAL.finditer(data):
                    if match.group(2):
                        continue  # a key
                    yield unescaped(match.group(1)).decode("utf-8", "ignore")
                if plain or piece.whole:
                    yield data.decode("utf-8", "ignore")


def _sentences(line: str) -> Iterator[str]:
    for sentence in _SENTENCE_END.split(line):
        words = sentence.split()
        if len(sentence) >= _SENTENCE_CHARACTERS_MIN and len(words) >= _SENTENCE_WORDS_MIN:
            yield sentence.strip()


def _shingles(line: str) -> Iterator[str]:
    """Yield a few words of a line at a time, so that what was put around them does not matter."""
    words = line.split()
    for first in range(max(len(words) - _SHINGLE_WORDS, 0) + 1):
        shingle = " ".join(words[first : first + _SHINGLE_WORDS])
        telling = len(words) > 1 or "@" in shingle
        if telling and len(shingle) >= _SHINGLE_CHARACTERS_MIN:
            yield shingle
