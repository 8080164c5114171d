"""What a record says, as far as it is compared: without what is ignored, with ids by their meaning.

The one invariant: two contents are equal exactly if nothing differs in them that no rule ignores.
An id that a provider gave stands for what it names, and so does a surrogate: they are other letters
in every run. Content is compared by digests that live as long as the comparison; they are unsalted,
so none leaves this room.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import msgspec

from replay.errors import IntegrityError
from replay.forensics.diff.rules import without

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.events.entry import Entry, Part
    from replay.forensics.diff.rules import Step
    from replay.log.port import LogReader

__all__ = ["DIGEST_SIZE", "Contents", "digest_of"]

DIGEST_SIZE: Final = 16
_CACHE_BYTES_MAX: Final = 16 << 20
_ALIASES_MAX: Final = 200_000
_SURROGATES_MAX: Final = 64
_ID_LENGTHS: Final = range(8, 129)
_TOKEN: Final = re.compile(rb"[A-Za-z0-9_-]{8,}")
_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
_ABSENT: Final = b"\0"
_ENCODER: Final = msgspec.json.Encoder(order="sorted")

Paths = tuple[tuple["Step", ...], ...]


def digest_of(*pieces: bytes) -> bytes:
    """Return a digest of length-framed pieces, for comparing in memory only."""
    hasher = hashlib.blake2b(digest_size=DIGEST_SIZE)
    for piece in pieces:
        hasher.update(len(piece).to_bytes(8, "little"))
        hasher.update(piece)
    return hasher.digest()


class Contents:
    """Reads payloads of one run as they are compared.

    Args:
        reader: the run.
        ids: whether ids are replaced by what they name.
    """

    def __init__(self, reader: LogReader, *, ids: bool) -> None:
        self._reader = reader
        self._ids = ids
        self._aliases: dict[bytes, bytes] = {}
        self._surrogates: list[tuple[bytes, bytes]] = []
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._size = 0
        #: By part: the digest of what it says; zeros where it is not here.
        self._digests = bytearray()
        self._known = bytearray()

    # --- ids ----------------------------------------------------------------------------------

    def name_id(self, text: str | None, meaning: str) -> None:
        """Let an id stand for what it names from here on."""
        if self._ids and text and len(text) in _ID_LENGTHS and _ID.fullmatch(text):
            raw = text.encode("ascii")
            if len(self._aliases) < _ALIASES_MAX:
                self._aliases.setdefault(raw, f"<{meaning}>".encode())

    def name_surrogate(self, surrogate: str, number: int) -> None:
        """Let a surrogate stand for its secret; a short one could be any word."""
        if self._ids and len(surrogate) >= 8 and len(self._surrogates) < _SURROGATES_MAX:
            self._surrogates.append((surrogate.encode(), b"<secret %d>" % number))

    def plain(self, data: bytes) -> bytes:
        """Return data with ids and surrogates replaced by what they stand for."""
        for surrogate, name in self._surrogates:
            data = data.replace(surrogate, name)
        if self._aliases:
            aliases = self._aliases
            data = _TOKEN.sub(lambda match: aliases.get(match[0], match[0]), data)
        return data

    # --- parts --------------------------------------------------------------------------------

    def take(self, entry: Entry) -> None:
        """Take the parts that a record brings; every record of the run comes here, in order."""
        for part in entry.brought:
            if part.ordinal != len(self._known):
                raise IntegrityError("parts do not follow", where=f"event {entry.header.seq}")
            self._known.append(part.data is not None)
            self._digests += b"\0" * DIGEST_SIZE
            if part.data is not None:
                self._keep(part.ordinal, part.data)

    def complete(self, entry: Entry) -> bool:
        """Return whether all parts of a payload are here."""
        known = self._known
        try:
            return all(known[ordinal] for ordinal in entry.parts)
        except IndexError:
            raise IntegrityError("a part is missing", where=f"event {entry.header.seq}") from None

    def data(self, entry: Entry) -> bytes:
        """Return the bytes of a payload that is complete."""
        if len(entry.parts) == 1:
            return self._part(entry.parts[0], entry)
        return b"".join([self._part(ordinal, entry) for ordinal in entry.parts])

    def _part(self, ordinal: int, entry: Entry) -> bytes:
        data = self._kept.pop(ordinal, None)
        if data is None:
            found: dict[int, Part] = self._reader.parts([ordinal])
            data = found[ordinal].data
            if data is None:
                raise IntegrityError("a part is missing", where=f"event {entry.header.seq}")
            self._keep(ordinal, data)
        else:
            self._kept[ordinal] = data  # the last to be let go
        return data

    def _keep(self, ordinal: int, data: bytes) -> None:
        self._kept[ordinal] = data
        self._size += len(data)
        while self._size > _CACHE_BYTES_MAX and len(self._kept) > 1:
            self._size -= len(self._kept.popitem(last=False)[1])

    # --- what is compared ---------------------------------------------------------------------

    def digest(self, entry: Entry, headers: Sequence[str], paths: Paths) -> bytes:
        """Return the digest of what a complete record says.

        Args:
            entry: the record.
            headers: header fields that are ignored.
            paths: fields that are ignored.
        """
        header = entry.header
        outcome = "" if "outcome" in headers else header.outcome
        media = "" if "media" in headers else header.media
        of_header = f"{outcome} {media}".encode()
        if header.media == "json":
            return digest_of(of_header, _stripped(self.plain(self.data(entry)), paths))
        head = tuple(path for path in paths if path[0] != "body")
        body = tuple(path[1:] for path in paths if path[0] == "body" or path[0] is None)
        first = self._part(entry.parts[0], entry) if entry.parts else b""
        if body or first.count(b"\n") != 1 or not first.endswith(b"\n"):
            whole, _, rest = self.data(entry).partition(b"\n")
            stripped = _stripped(self.plain(rest), body) if () not in body else b""
            return digest_of(of_header, _stripped(self.plain(whole), head), stripped, b"whole")
        pieces = b"".join([self._digest(ordinal, entry) for ordinal in entry.parts[1:]])
        return digest_of(of_header, _stripped(self.plain(first), head), pieces)

    def _digest(self, ordinal: int, entry: Entry) -> bytes:
        """Return the digest of a part; made once, however often the part is repeated."""
        start = ordinal * DIGEST_SIZE
        kept = bytes(self._digests[start : start + DIGEST_SIZE])
        if kept.count(_ABSENT) == DIGEST_SIZE:
            kept = digest_of(self.plain(self._part(ordinal, entry)))
            self._digests[start : start + DIGEST_SIZE] = kept
        return kept

    def values(self, entry: Entry, data: bytes, paths: Paths) -> tuple[object, object]:
        """Return head and body of a payload as compared: JSON values, or text."""
        head, framed, body = data, b"", b""
        if entry.header.media == "framed":
            head, framed, body = data.partition(b"\n")
        ignored = tuple(path[1:] for path in paths if path[0] == "body" or path[0] is None)
        top = _value(self.plain(head), tuple(path for path in paths if path[0] != "body"))
        if not framed or () in ignored:
            return top, None
        return top, _value(self.plain(body), ignored)


def _value(data: bytes, paths: Paths) -> object:
    """Return JSON data without some fields, or other data as text."""
    try:
        value: object = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return data.decode("utf-8", "backslashreplace")
    return without(value, paths)


def _stripped(data: bytes, paths: Paths) -> bytes:
    """Return JSON data without some fields, in one spelling; other data as they are."""
    if not paths:
        return data
    try:
        value: object = msgspec.json.decode(data)
        return _ENCODER.encode(without(value, paths))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return data
