"""Where a text that an export withholds stands once everything that can be decoded was decoded.

The one invariant: what the search of an erasure finds is found here too. What it cannot decode is
handed on as such, and never as free of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from orchestrator.cli.searching.exchange_texts import installed_readings
from replay.bundle.statements import Statement
from replay.bundle.withholding import Decoded
from replay.erasure.passages import pattern_of
from replay.erasure.search import search_run
from replay.erasure.views import views_of
from replay.errors import UsageError
from replay.log.excerpt import Excerpt
from replay.log.port import LogReader

__all__ = ["decoded_text", "refuse_beside"]

_CODING = "its coding is one that nothing here undoes"


class _Text:
    """Finds a text however its white space and its accents are written, as an erasure does."""

    def __init__(self, text: str) -> None:
        self._pattern = re.compile(pattern_of(text))

    def spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Yield start and end of each occurrence."""
        match = self._pattern.search(data)
        while match is not None:
            yield match.span()
            match = self._pattern.search(data, match.start() + 1)


def decoded_text(reader: LogReader, text: str) -> Decoded:
    """Look for a text in all decodings of a run.

    Raises:
        IntegrityError: the run cannot be read.
    """
    found = search_run(reader, _Text(text), installed_readings())
    streams = found.streams
    unread = {
        seq: _CODING
        for seq, asked in streams.answered.items()
        if asked in found.unread and streams.kinds[seq] == "ChunksReceived"
    }
    unread |= {seq: f"a limit stopped at {why}" for seq, why in found.limits}
    return Decoded(parts=frozenset(found.parts), unread=unread)


def refuse_beside(
    texts: Iterable[str], excerpts: Iterable[Excerpt], statements: Iterable[Statement]
) -> None:
    """Refuse a text that stands in what travels beside the run: no part of that can be left out.

    Raises:
        UsageError: it does.
    """
    beside = [("a workspace record", record.raw) for each in excerpts for record in each.records]
    beside += [
        ("a workspace record", part.data)
        for each in excerpts
        for record in each.records
        for part in record.parts
        if part.data is not None
    ]
    beside += [(f"a statement ({each.media_type})", each.data) for each in statements]
    for text in dict.fromkeys(texts):
        finder = _Text(text)
        for where, data in beside:
            if any(True for view in views_of(data) for _ in finder.spans(view.data)):
                raise UsageError(
                    f"withhold: the text stands in {where} beside the run, which goes with it",
                    where=f"text={text}"[:200],
                    hint="erase it, or share the proof of one event: `ritornello prove`",
                )
