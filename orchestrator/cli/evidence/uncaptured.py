"""What a run's own records say is not in it: uncaptured effects, and requests without an outcome.

The one invariant: it looks at the records while somebody else checks them, and hands on each as it
came. What it cannot read (erased, withheld) it counts as a gap, never as none. The rule is that of
`bundles/FORMAT.md`, section 12, so that another verifier finds the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from attestations.verdicts import Finding
from orchestrator.cli.terminal import inert
from replay.errors import IntegrityError
from replay.events.entry import Entry, Part
from replay.events.header import decode_header
from replay.log.excerpt import PAYLOAD_READ_MAX
from replay.log.port import DecodeHeader, Line, LogReader

__all__ = ["GapReader"]

_KEPT_MAX: Final = 100
_SHOWN_MAX: Final = 200
_ASKING: Final = {"EffectStarted": "effect", "RequestSent": "request"}
_ANSWERING: Final = frozenset({"EffectReturned", "ResponseEnded"})
_LOOKED_AT: Final = frozenset({*_ASKING, *_ANSWERING, "CaptureGap", "EffectCancelled"})
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])

T = TypeVar("T")


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

    def lean(
        self, wanted: frozenset[str], *, decode: DecodeHeader = decode_header
    ) -> Iterator[Sequence[Line]]:
        """Yield records as the reader does, without looking at them."""
        return self.reader.lean(wanted, decode=decode)

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
        said = self._said(entry)
        if kind == "EffectCancelled":
            effect = _value(said, "effect", int)
            if effect is not None:
                self._unanswered.pop(effect, None)
            return
        what = _value(said, "what", str)
        if what is None:
            self._note(seq, "what was not captured is not readable here")
        elif not what.startswith("own-"):  # else loaded; nobody saw it being used
            name = _value(said, "name", str) or "?"
            self._note(seq, f"{inert(what, _SHOWN_MAX)}: {inert(name, _SHOWN_MAX)}")

    def _note(self, seq: int, message: str) -> None:
        if len(self._gaps) < _KEPT_MAX:
            self._gaps.append(Finding("not-captured", message, seq))
        else:
            self._omitted += 1

    def _said(self, entry: Entry) -> dict[str, msgspec.Raw]:
        """Return the members of the payload; none where it is not here or of another form."""
        if entry.header.size > PAYLOAD_READ_MAX:
            return {}
        own = {part.ordinal: part.data for part in entry.brought}
        try:
            elsewhere = [ordinal for ordinal in entry.parts if ordinal not in own]
            if elsewhere:
                own |= {n: part.data for n, part in self.reader.parts(elsewhere).items()}
        except IntegrityError:
            return {}
        pieces = [own.get(ordinal) for ordinal in entry.parts]
        data = b"".join(piece for piece in pieces if piece is not None)
        if None in pieces or len(data) != entry.header.size:
            return {}
        try:
            members = _MEMBERS.decode(data.decode())  # also what it skips is UTF-8
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return {}
        return members if _value(members, "kind", str) == entry.header.kind else {}


def _value(members: dict[str, msgspec.Raw], name: str, type_: type[T]) -> T | None:
    """Return a member's value if it is there and of that type."""
    try:
        return msgspec.json.decode(members[name], type=type_)
    except (KeyError, msgspec.MsgspecError):
        return None
