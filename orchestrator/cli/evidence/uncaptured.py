"""What a run's own records say is not in it: uncaptured effects, and requests without an outcome.

The one invariant: it looks at the records while somebody else checks them, and hands on each as it
came. What it cannot read (erased, withheld) it counts as a gap, never as none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from attestations.verdicts import Finding
from orchestrator.cli.terminal import inert
from replay.errors import IntegrityError
from replay.events.entry import Entry, Part
from replay.events.header import decode_header
from replay.events.kinds import CaptureGap, EffectCancelled, Payload
from replay.events.payload import decode_payload
from replay.log.port import DecodeHeader, Line, LogReader

__all__ = ["GapReader"]

_KEPT_MAX: Final = 100
_SHOWN_MAX: Final = 200
_ASKING: Final = {"EffectStarted": "effect", "RequestSent": "request"}
_ANSWERING: Final = frozenset({"EffectReturned", "ResponseEnded"})
_LOOKED_AT: Final = frozenset({*_ASKING, *_ANSWERING, "CaptureGap", "EffectCancelled"})


class GapReader:
    """A `LogReader` around another one that remembers the gaps among the records that it yields.

    It is for one reading of all records; another one goes to the reader itself.

    Args:
        reader: the run's records.

    Attributes:
        reader: the same.
        last_kind: kind of the last record that was yielded; empty before the first.
    """

    def __init__(self, reader: LogReader) -> None:
        self.reader = reader
        self._gaps: list[Finding] = []
        self._omitted = 0
        self._unanswered: dict[int, str] = {}
        self.last_kind = ""

    def gaps(self) -> tuple[Finding, ...]:
        """Return what is not in the run, in order; of a run that was not sealed, what was named.

        A request that is in flight where a run stops has no outcome yet; only after the seal can
        none come any more.
        """
        found = list(self._gaps)
        if self.last_kind == "RunSealed":
            found += [
                Finding("no-outcome", f"the {what} has no outcome", seq)
                for seq, what in self._unanswered.items()
            ]
        omitted = self._omitted + max(0, len(found) - _KEPT_MAX)
        found = sorted(found[:_KEPT_MAX], key=lambda gap: -1 if gap.seq is None else gap.seq)
        if omitted:
            found.append(Finding("not-captured", f"and {omitted} more"))
        return tuple(found)

    def size(self) -> int:
        """Return the number of records."""
        return self.reader.size()

    def entries(
        self, first: int = 0, last: int | None = None, *, decode: DecodeHeader = decode_header
    ) -> Iterator[Entry]:
        """Yield records as the reader does."""
        kind = ""
        for entry in self.reader.entries(first, last, decode=decode):
            kind = entry.header.kind
            if kind in _LOOKED_AT:
                self._look(entry, kind)
            yield entry
        self.last_kind = kind

    def lean(self, wanted: frozenset[str]) -> Iterator[Sequence[Line]]:
        """Yield records as the reader does, without looking at them."""
        return self.reader.lean(wanted)

    def parts(self, ordinals: Sequence[int]) -> dict[int, Part]:
        """Return parts as the reader does."""
        return self.reader.parts(ordinals)

    def salts(self, first: int, last: int) -> list[bytes]:
        """Return salts as the reader does."""
        return self.reader.salts(first, last)

    def _look(self, entry: Entry, kind: str) -> None:
        seq = entry.header.seq
        if kind in _ASKING:
            self._unanswered[seq] = _ASKING[kind]
            return
        if kind in _ANSWERING:
            if entry.header.answers is not None:
                self._unanswered.pop(entry.header.answers, None)
            return
        payload = self._payload(entry)
        if isinstance(payload, EffectCancelled):
            self._unanswered.pop(payload.effect, None)
        elif isinstance(payload, CaptureGap):
            if not payload.what.startswith("own-"):  # else loaded; nobody saw it being used
                self._note(seq, f"{payload.what}: {inert(payload.name, _SHOWN_MAX)}")
        elif kind == "CaptureGap":
            self._note(seq, "what was not captured is not readable here")

    def _note(self, seq: int, message: str) -> None:
        if len(self._gaps) < _KEPT_MAX:
            self._gaps.append(Finding("not-captured", message, seq))
        else:
            self._omitted += 1

    def _payload(self, entry: Entry) -> Payload | None:
        """Return the payload; None where it is not here or cannot be read."""
        own = {part.ordinal: part.data for part in entry.brought}
        try:
            elsewhere = [ordinal for ordinal in entry.parts if ordinal not in own]
            if elsewhere:
                own |= {n: part.data for n, part in self.reader.parts(elsewhere).items()}
            pieces = [own.get(ordinal) for ordinal in entry.parts]
            data = b"".join(piece for piece in pieces if piece is not None)
            if None in pieces or len(data) != entry.header.size:
                return None
            return decode_payload(entry.header.media, data, entry.header.seq)[0]
        except IntegrityError:
            return None
