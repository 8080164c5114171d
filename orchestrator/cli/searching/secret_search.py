"""Secrets in bytes: where they stand, and never what they are.

Two ways to know one: it has the shape of a known provider's key, or it is the value of a variable
of this environment whose name says that it is a secret. A run's own surrogates have the same shape
and are no secrets; a run that lies about its surrogates hides what it lies about, so they are
counted.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from orchestrator.cli.reading.records import iter_events
from orchestrator.cli.searching.suspected import suspected
from replay.erasure.search import unread_coding
from replay.erasure.streams import RunStreams
from replay.erasure.views import views_of
from replay.events.kinds import SecretRegistered
from replay.log.port import LogReader
from replay.secrets.patterns import MIN_SECRET_LENGTH, find_secret_values, is_secret_name

__all__ = [
    "Found",
    "Search",
    "Shapes",
    "search_bundle",
    "search_file",
    "search_run",
    "secrets_of",
    "surrogates_of",
]

#: Read at once; pieces overlap by more than the longest secret.
_PIECE_BYTES: Final = 8 << 20
_OVERLAP_BYTES: Final = 32 << 10
#: Members that a run is read from, record by record.
_OF_THE_RUN: Final = ("headers/", "parts/", "refs/")
#: How a file begins whose members are unpacked.
_PACKED: Final = (b"PK\x03\x04", b"\x1f\x8b\x08")
#: Places that a limit kept from being looked at, of one subject, that are named.
_PASSED_OVER_MAX: Final = 32
_CODING_SHOWN_MAX: Final = 40
#: A planted example says so on its line.
_ALLOWED: Final = b"ritornello-scan: allow"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Where a secret stands.

    Attributes:
        subject: the file or run.
        what: ``shape`` of a known key, ``value`` of a variable, or ``late``: the run itself notes
            that it became known as a secret when it was on record already.
        variable: the variable whose value it is.
        source: of one that became known late, where the run had it from in the end.
        length: characters; 0 if the run does not say.
        offset: bytes before it, in the file or in the part of the run that is named.
        line: in a file, from 1.
        event, member: in a run, the record and which of its bytes.
        decoded: how the bytes were decoded before it could be read, such as ``json base64``; the
            offset is then that in what they read as.
    """

    subject: str
    what: str
    length: int
    offset: int
    variable: str | None = None
    source: str | None = None
    line: int | None = None
    event: int | None = None
    member: str | None = None
    decoded: str | None = None


class Search:
    """What is looked for.

    Args:
        values: secret values by the variable that holds them.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = [(name, value.encode()) for name, value in sorted(values.items())]
        #: Surrogates of the run that is searched; what they cover is no secret.
        self.surrogates: list[bytes] = []
        #: What a limit kept from being looked at, in words; of the subject that is searched.
        self.passed_over: list[str] = []

    def stopped_at(self, place: str) -> Callable[[str], None]:
        """Return what notes that a limit kept something at a place from being looked at."""

        def note(why: str) -> None:
            said = f"{place}: {why}" if place else why
            if said not in self.passed_over and len(self.passed_over) < _PASSED_OVER_MAX:
                self.passed_over.append(said)

        return note

    def spans(self, data: bytes) -> Iterator[tuple[int, int, str | None]]:
        """Yield (start, stop, variable or None) of each secret in some bytes."""
        values = [
            (match.start(), match.end(), name)
            for name, value in self._values
            for match in re.finditer(re.escape(value), data)
        ]
        yield from values
        for start, stop in find_secret_values(data):
            text = data[start:stop]
            if any(first < stop and start < last for first, last, _ in values):
                continue
            if not any(text in known or known in text for known in self.surrogates):
                yield start, stop, None


class Shapes:
    """Finds what has the shape of a key and is neither a surrogate nor a planted example.

    Args:
        surrogates: of the run that is searched.
    """

    def __init__(self, surrogates: Sequence[bytes]) -> None:
        self._search = Search({})
        self._search.surrogates = list(surrogates)

    def spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Yield start and end of each."""
        for start, stop, _ in self._search.spans(data):
            if not _is_allowed(data, start, stop):
                yield start, stop


def secrets_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the values of variables whose name says that they are secret."""
    return {
        name: value
        for name, value in environment.items()
        if is_secret_name(name) and len(value) >= MIN_SECRET_LENGTH
    }


def search_file(path: Path, search: Search) -> Iterator[Found]:
    """Yield what stands in a file's bytes, line by line of whatever they are.

    Raises:
        OSError: it cannot be read.
    """
    base, lines, before = 0, 1, b""
    with path.open("rb") as file:
        piece = file.read(_PIECE_BYTES)
        while piece:
            data, following = before + piece, file.read(_PIECE_BYTES)
            for start, stop, variable in search.spans(data):
                # What ends where the piece does may go on: the next one has it whole.
                again = stop < len(before) or (following and stop == len(data))
                if again or _is_allowed(data, start, stop):
                    continue
                yield Found(
                    subject=str(path),
                    what="shape" if variable is None else "value",
                    variable=variable,
                    length=stop - start,
                    offset=base + start,
                    line=lines + data.count(b"\n", 0, start),
                )
            if not base and data.startswith(_PACKED):
                if following:
                    why = f"what is packed behind the first {_PIECE_BYTES >> 20} MiB"
                    search.stopped_at("")(why)
                yield from _unpacked(str(path), data, search)
            kept = data[-_OVERLAP_BYTES:]
            base += len(data) - len(kept)
            lines += data.count(b"\n", 0, len(data) - len(kept))
            before, piece = kept, following


def _unpacked(subject: str, data: bytes, search: Search) -> Iterator[Found]:
    """Yield what stands in the members of an archive that a file is."""
    for view in views_of(data, stopped=search.stopped_at("")):
        if not view.how:
            continue  # it was looked through as it is
        for start, stop, variable in search.spans(view.data):
            if not _is_allowed(view.data, start, stop):
                yield Found(
                    subject=subject,
                    what="shape" if variable is None else "value",
                    variable=variable,
                    length=stop - start,
                    offset=start,
                    decoded=" ".join(view.how),
                )


def search_run(subject: str, reader: LogReader, search: Search) -> Iterator[Found]:
    """Yield what stands in a run: headers, payloads put together, places.

    Raises:
        IntegrityError: the run cannot be read.
    """
    search.surrogates = surrogates_of(reader)
    whole = _Payloads(reader)
    seen: set[tuple[int, bytes]] = set()
    for entry in reader.entries():
        seq = entry.header.seq
        pieces: Sequence[tuple[str, bytes]] = (
            ("header", entry.raw),
            ("payload", whole.of(entry.parts, {p.ordinal: p.data for p in entry.brought})),
            ("place", (entry.place or "").encode("utf-8", "replace")),
        )
        for member, data in pieces:
            for start, stop, variable in search.spans(data):
                seen.add((seq, data[start:stop]))
                yield Found(
                    subject=subject,
                    what="shape" if variable is None else "value",
                    variable=variable,
                    length=stop - start,
                    offset=start,
                    event=seq,
                    member=member,
                )
    yield from _search_decoded(subject, reader, search, seen)
    yield from _late(subject, reader, search)


def _late(subject: str, reader: LogReader, search: Search) -> Iterator[Found]:
    """Yield what the run itself says of secrets that became known too late, if it stands there."""
    noted = list(suspected(reader))
    secrets = {each.number: each for each in _registered(reader)} if noted else {}
    for suspicion, _ in noted:
        if suspicion is None:
            search.stopped_at("")("a secret of which the note is gone")
            continue
        secret = secrets.get(suspicion.number)
        yield Found(
            subject=subject,
            what="late",
            source=None if secret is None else secret.source,
            length=0 if secret is None else len(secret.surrogate),
            offset=0,
            event=suspicion.record,
            member="payload",
        )


def _search_decoded(
    subject: str, reader: LogReader, search: Search, seen: set[tuple[int, bytes]]
) -> Iterator[Found]:
    """Yield what can be read only once the bytes of a run are decoded and put together.

    Args:
        subject: the run.
        reader: its records.
        search: what is looked for.
        seen: record and bytes of what was found as it is; goes on with what is yielded.
    """
    streams = RunStreams(reader)
    for piece in streams.pieces():
        note = search.stopped_at(f"event {piece.seq}")
        ways: set[str] = set()
        for view in views_of(piece.data, stopped=note, goes_on=piece.goes_on):
            ways.update(view.how[:1])
            for start, stop, variable in search.spans(view.data):
                parts = list(piece.parts(*view.source(start, stop)))
                events = {streams.brought_by[part] for part in parts} or {piece.seq}
                text = view.data[start:stop]
                if any((event, text) in seen for event in events):
                    continue
                seen.update((event, text) for event in events)
                yield Found(
                    subject=subject,
                    what="shape" if variable is None else "value",
                    variable=variable,
                    length=stop - start,
                    offset=start,
                    event=min(events),
                    member="payload",
                    decoded=" ".join(view.how) or "put together",
                )
        coding = unread_coding(streams, piece, ways)
        if coding:
            note(f"the response, in the coding {coding[:_CODING_SHOWN_MAX]!r}")


def search_bundle(path: Path, reader: LogReader, search: Search) -> Iterator[Found]:
    """Yield what stands in a bundle: in its run, and in the members that are not of the run.

    Raises:
        IntegrityError: the run cannot be read.
    """
    yield from search_run(str(path), reader, search)
    with zipfile.ZipFile(path) as members:
        for member in members.infolist():
            if member.filename.startswith(_OF_THE_RUN):
                continue
            data = members.read(member)  # bounded: the bundle was verified
            # A statement's payload is base64.
            seen: set[bytes] = set()
            for view in views_of(data, stopped=search.stopped_at(member.filename)):
                for start, stop, variable in search.spans(view.data):
                    text = view.data[start:stop]
                    if text in seen:
                        continue
                    seen.add(text)
                    yield Found(
                        subject=str(path),
                        what="shape" if variable is None else "value",
                        variable=variable,
                        length=stop - start,
                        offset=start,
                        member=member.filename,
                        decoded=" ".join(view.how) or None,
                    )


class _Payloads:
    """Payloads of a run put together, so that no cut between parts hides a secret."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader

    def of(self, parts: Sequence[int], brought: Mapping[int, bytes | None]) -> bytes:
        """Return a payload's bytes; what was erased or withheld is not there."""
        missing = sorted({ordinal for ordinal in parts if ordinal not in brought})
        known = dict(brought)
        if missing:
            known |= {n: part.data for n, part in self._reader.parts(missing).items()}
        return b"".join(known[ordinal] or b"" for ordinal in parts)


def surrogates_of(reader: LogReader) -> list[bytes]:
    """Return the surrogates of a run's secrets, which look like secrets and are none.

    No recorder makes one that is shorter than a secret; it would stand in every key.
    """
    return [
        secret.surrogate.encode()
        for secret in _registered(reader)
        if len(secret.surrogate) >= MIN_SECRET_LENGTH
    ]


def _registered(reader: LogReader) -> Iterator[SecretRegistered]:
    for event in iter_events(reader):
        if isinstance(event.payload, SecretRegistered):
            yield event.payload


def _is_allowed(data: bytes, start: int, stop: int) -> bool:
    """Whether the line that holds a secret says that it is a planted one."""
    first = data.rfind(b"\n", 0, start) + 1
    last = data.find(b"\n", stop)
    return _ALLOWED in data[first : last if last >= 0 else len(data)]
