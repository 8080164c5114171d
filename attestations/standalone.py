"""Verifies one bundle by itself: `python -m attestations.standalone BUNDLE`, or this file copied.

Written from `bundles/FORMAT.md` (version 1), of proofs from `docs/reference/proof.md`, and from
nothing else, with the standard library and blake3. It imports nothing of ours and must
not: it is worth something only while no mistake of the engine's reader can be a mistake of this
one. Numbers in brackets are sections of that page.

A member's content is looked at only after its length, CRC-32 and two SHA-256 held. A rule that
does not hold raises `RefusedError`, which names the member, the rule and, where it is known, the
event. What this verifier does not do it calls `not checked`.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import math
import os
import re
import stat
import struct
import sys
import zlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, Final

from blake3 import blake3

__all__ = ["BeyondError", "RefusedError", "Report", "TruncatedError", "main", "verify"]

NOT_CHECKED: Final = "not checked"
_STATES: Final = ("present", "erased", "withheld", "missing")
_HOLES: Final = _STATES[1:]
_MIB: Final = 1 << 20
_COUNT_MAX: Final = (1 << 53) - 1
#: Limits of the format (1): members, frames beside the run, parts of a payload, all entries of
#: part lists, and those of the last lists of all paths.
_MEMBERS_MAX, _BESIDE_MAX, _LISTED_MAX = 1 << 14, 1 << 16, 1 << 20
_ENTRIES_MAX, _KEPT_MAX = 1 << 29, 1 << 23
_READ_MAX: Final = 16 * _MIB  # of a payload that is looked into
_PROOF: Final = b"ritornello/proof/v1"  # the first line of one
_PROOF_MAX: Final = 96 * _MIB
_TOLD_MAX: Final = 100  # gaps that are told one by one
_HELD_MAX: Final = 1 << 30  # this verifier's own limit: bytes of the tables that it holds
_KINDS: Final = ("headers", "parts", "refs", "statements", "workspace")
_ALONE: Final = {
    "checkpoint.note": "checkpoint",
    "manifest.json": "manifest",
    "zip.sha256": "guard",
}
_SIZES: Final = {"checkpoint": _MIB // 4, "manifest": 4 * _MIB, "guard": 32 * (_MEMBERS_MAX + 1)}
_RANGE: Final = re.compile(r"([a-z]+)/([0-9]{12})-([0-9]{12})(\.jsonl|\.bin)")
_MEDIA: Final = re.compile(rb"[a-z0-9][a-z0-9.+_-]{0,62}/[a-z0-9][a-z0-9.+_-]{0,62}")
_SIGNATURE: Final = re.compile("\N{EM DASH} ([!-*,-~]{1,255}) ([A-Za-z0-9+/=]+)")
_KNOWN_STATEMENTS: Final = (
    b"application/vnd.dsse.envelope.v1+json",
    b"application/vnd.dev.sigstore.bundle.v0.3+json",
    b"application/timestamp-reply",
)
_END, _LOCAL, _CENTRAL = map(struct.Struct, ("<4s4H2IH", "<4s5H3I2H", "<4s6H3I5H2I"))
_SALTS: Final = {0: (0, 16), 1: (0,), 2: (0, 16), 3: (0, 16)}  # by state (7)
_HEX: Final = "[0-9a-f]{64}"
#: An escape in JSON; the group is half of a pair without the other.
_ESCAPE: Final = re.compile(
    rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)|\\.", re.DOTALL
)
#: Kinds whose records want an outcome, that give one by `answers`, and whose payload matters (12).
_ASKING: Final = ("RequestSent", "EffectStarted")
_ANSWERING: Final = ("ResponseEnded", "EffectReturned")
_SAYING: Final = ("CaptureGap", "EffectCancelled")
#: What nobody may take for checked, beside the verdicts that say so.
_OF_A_BUNDLE: Final = (
    "causal order, Lamport times, tasks, and what answers what",
    "how payloads begin and what they mean, gaps excepted",
)
_OF_A_PROOF: Final = (
    "whether the run ends here, is sealed or is whole, and how many events it has",
    "what the payload means",
)


class RefusedError(Exception):
    """A rule of the format does not hold: in which member, which rule, and at which event."""

    def __init__(self, member: str, rule: str, event: int | None = None) -> None:
        super().__init__(member, rule, event)
        self.member, self.rule, self.event = member, rule, event


class TruncatedError(RefusedError):
    """A workspace knew of more records than are here (8)."""


class BeyondError(RefusedError):
    """The format may allow it, but this verifier holds no more: nothing is said of the bundle."""


def _must(held: bool, member: str, rule: str, event: int | None = None) -> None:  # noqa: FBT001
    if not held:
        raise RefusedError(member, rule, event)


def _sha(*pieces: bytes) -> bytes:
    return hashlib.sha256(b"".join(pieces)).digest()


def _shown(text: str) -> str:
    """Return text that does nothing to a terminal."""
    return text if text.isascii() and text.isprintable() else ascii(text)


def _named(name: str) -> tuple[str, int, int]:
    """Read a member's name (1): its kind, and the range of its frames."""
    if name in _ALONE:
        return _ALONE[name], 0, 0
    found = _RANGE.fullmatch(name)
    shown = name if re.fullmatch("[a-z0-9./-]{1,64}", name) else ascii(name[:64])
    if found is None or found[1] not in _KINDS or (found[1] == "headers") != (found[4] != ".bin"):
        raise RefusedError(shown, "the name is not one of this format")
    _must(found[2] <= found[3], shown, "the range in the name runs backwards")
    return found[1], int(found[2]), int(found[3])


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the zip, its local header, and which frames its name says it has."""

    name: str
    kind: str
    first: int
    last: int
    deflated: bool
    crc: int
    packed: int
    size: int
    header: bytes
    offset: int


class Archive:
    """The zip (1): steps 1 to 5 of (10) when it is made, the rest whenever a member is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        size = file.seek(0, os.SEEK_END)
        _must(_END.size <= size < 0xFFFFFFFF, "file", f"{size} bytes cannot be a bundle")
        self.members: dict[str, Member] = {}
        self.digests: dict[str, str] = {}  # of plaintexts, from the manifest once that is read
        self._guards: dict[str, bytes] = {}
        self._directory(size - _END.size)
        for member in self.members.values():
            local = self._at(member.offset, len(member.header))
            _must(local == member.header, member.name, "local header differs from the directory")
        last = [*self.members.values()][-1]
        stored_guard = last.kind == "guard" and not last.deflated
        _must(stored_guard, "zip.sha256", "is not last, or not stored")
        fits = last.size == 32 * len(self.members) - 32
        _must(fits, last.name, "does not list the members before it")
        guard = self.read(last.name)
        self._guards = {name: guard[32 * i :][:32] for i, name in enumerate(self.members)}
        _must("manifest.json" in self.members, "manifest.json", "is not in the file")

    def _at(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        data = self._file.read(length)
        _must(len(data) == length, "file", "was cut short while it was read")
        return data

    def _directory(self, end_at: int) -> None:
        end = self._at(end_at, _END.size)
        count, length, start = struct.unpack_from("<HII", end, 10)
        fixed = _END.pack(b"PK\5\6", 0, 0, count, count, length, start, 0)
        _must(end == fixed, "end record", "is not in its fixed form")
        _must(start + length == end_at, "end record", "does not stand behind the directory")
        _must(0 < count <= _MEMBERS_MAX + 2, "end record", f"{count} members are none or too many")
        what, stands, before = "central directory", 0, ""
        _must(length <= count * (_CENTRAL.size + 64), what, f"{length} bytes are over the limit")
        data, at = self._at(start, length), 0
        for _ in range(count):
            entry = data[at : at + _CENTRAL.size]
            _must(len(entry) == _CENTRAL.size, what, "is cut short")
            method, crc, packed, size, width = struct.unpack_from("<H4xIIIH", entry, 10)
            offset = struct.unpack_from("<I", entry, 42)[0]
            at += _CENTRAL.size + width
            raw = data[at - width : at]
            _must(len(raw) == width and raw.isascii(), what, "a name is cut short or not ASCII")
            name = raw.decode("ascii")
            kind, first, last = _named(name)
            both = (20, 0, method, 0, 33, crc, packed, size, width, 0)
            fixed = _CENTRAL.pack(b"PK\1\2", 0x314, *both, 0, 0, 0, 0x81800000, offset)
            _must(entry == fixed, name, "the entry is not in its fixed form")
            _must(name > before, name, "is there twice or out of order")
            limit = _SIZES.get(kind, 64 * _MIB if first == last else _MIB)
            _must(size <= limit, name, f"{size} bytes are over the limit")
            _must(method in {0, 8}, name, f"method {method} is not known")
            _must(method == 8 or packed == size, name, "is stored with another length")
            shrinks = size <= 250 * packed and packed <= size + size // 1024 + 64
            _must(shrinks, name, "shrinks or grows by more than the limit")
            _must(offset == stands, name, "does not begin where the member before it ends")
            header, before = _LOCAL.pack(b"PK\3\4", *both) + raw, name
            stands += len(header) + packed
            self.members[name] = Member(
                name, kind, first, last, method == 8, crc, packed, size, header, offset
            )
        _must(at == length and stands == start, what, "is longer than its entries, or behind a gap")

    def read(self, name: str) -> bytes:
        """Return a member's plaintext, after every check that its bytes must pass (10.5, 10.7)."""
        member = self.members[name]
        at, left = member.offset + len(member.header), member.packed
        guard, inflater = hashlib.sha256(member.header), zlib.decompressobj(-zlib.MAX_WBITS)
        plain = bytearray()
        while left:
            packed = self._at(at, min(left, 1 << 16))
            at, left = at + len(packed), left - len(packed)
            guard.update(packed)
            try:
                room = member.size + 1 - len(plain)  # never 0, which would mean no bound
                plain += inflater.decompress(packed, room) if member.deflated else packed
            except zlib.error:
                raise RefusedError(name, "cannot be decompressed") from None
            goes_on = len(plain) > member.size or (inflater.eof and left)
            _must(not goes_on, name, "the compressed bytes hold more than is stated")
        ends = not member.deflated or (inflater.eof and not inflater.unused_data)
        _must(ends, name, "the compressed bytes do not end where they should")
        _must(len(plain) == member.size, name, "has another length than stated")
        _must(zlib.crc32(plain) == member.crc, name, "does not match its CRC-32")
        guarded = self._guards.get(name, guard.digest()) == guard.digest()
        _must(guarded, name, "the compressed bytes are not those of zip.sha256")
        digest = hashlib.sha256(plain).hexdigest()
        _must(self.digests.get(name, digest) == digest, name, "is not what the manifest lists")
        return bytes(plain)


class Frames:
    """The frames of one kind in order, over the ends of members; holds one member at a time."""

    def __init__(self, archive: Archive, kind: str) -> None:
        self._archive = archive
        self._members = iter([m for m in archive.members.values() if m.kind == kind])
        self._data, self._left, self._at, self._begin, self.member = b"", 0, 0, 0, kind

    def must(self, held: bool, rule: str, event: int | None = None) -> None:  # noqa: FBT001
        """Refuse the member if a rule does not hold."""
        _must(held, self.member, rule, event)

    def more(self) -> bool:
        """Go to the next frame, if there is one; a member must end with its last frame."""
        if not self._left:
            self.must(self._at == len(self._data), "bytes are left after the last frame")
            member = next(self._members, None)
            if member is None:
                return False
            self._data, self._at, self.member = self._archive.read(member.name), 0, member.name
            self._left = member.last - member.first + 1
        self._left, self._begin = self._left - 1, self._at
        return True

    def take(self, length: int, event: int | None = None) -> bytes:
        """Take so many bytes of the frame."""
        self.must(length <= len(self._data) - self._at, "a frame is cut short", event)
        self._at += length
        return self._data[self._at - length : self._at]

    def number(self, width: int, event: int | None = None) -> int:
        """Take an unsigned little-endian integer of so many bytes."""
        return int.from_bytes(self.take(width, event), "little")

    def line(self, event: int) -> bytes:
        """Take what stands before the next line feed, and that."""
        end = self._data.find(b"\n", self._at)
        self.must(end >= 0, "a line is cut short", event)
        return self.take(end + 1 - self._at)[:-1]

    def whole(self) -> bytes:
        """Return the frame as far as it was taken."""
        return self._data[self._begin : self._at]


class Tree:
    """An RFC 6962 tree that grows, kept as the roots of its full subtrees (5)."""

    def __init__(self) -> None:
        self.size, self._peaks = 0, list[bytes]()

    def add(self, leaf: bytes) -> None:
        """Append a leaf's hash."""
        full, self.size = self.size, self.size + 1
        while full & 1:
            leaf, full = _sha(b"\1", self._peaks.pop(), leaf), full >> 1
        self._peaks.append(leaf)

    def root(self) -> str:
        """Return the root in hex."""
        root = self._peaks[-1] if self._peaks else _sha()
        for peak in reversed(self._peaks[:-1]):
            root = _sha(b"\1", peak, root)
        return root.hex()


def _reached(leaf: bytes, seq: int, size: int, path: list[bytes]) -> str | None:
    """Return the root that an inclusion proof leads to (RFC 9162, 2.1.3.2), if it fits at all."""
    last = size - 1
    for node in path:
        if last == 0:
            return None
        if seq & 1 or seq == last:
            leaf = _sha(b"\1", node, leaf)
            while seq and not seq & 1:
                seq, last = seq >> 1, last >> 1
        else:
            leaf = _sha(b"\1", leaf, node)
        seq, last = seq >> 1, last >> 1
    return None if last else leaf.hex()


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= 17 else math.inf  # no rule asks for such a number


def _constant(text: str) -> None:
    raise ValueError(text)  # NaN and Infinity are no JSON


def _object(data: bytes) -> dict[str, Any] | None:
    """Parse one JSON object; work and memory are bounded by its length."""
    try:
        found = json.loads(data.decode(), parse_int=_integer, parse_constant=_constant)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _read(payload: bytes, kind: str) -> dict[str, Any]:
    """Read a payload that is looked into (7); one that is not of that form says nothing."""
    found = _object(payload) or {}
    # Strings are Unicode: an escaped half of a pair is none, also where a later name hides it.
    if found and b"\\u" in payload and any(each[1] for each in _ESCAPE.finditer(payload)):
        return {}
    return found if found.get("kind") == kind else {}


def _canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _text(value: object, pattern: str) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _count(value: object, low: int = 0, high: int = _COUNT_MAX) -> bool:
    return type(value) is int and low <= value <= high


_FIELDS: Final[dict[str, Callable[[object], bool]]] = {  # of a header (4); the required ones first
    "causes": lambda value: isinstance(value, list) and all(map(_count, value)),
    "commitment": lambda value: _text(value, _HEX),
    "kind": lambda value: _text(value, "[A-Za-z]{1,40}"),
    "media": lambda value: value in ("json", "framed"),
    "v": lambda value: _count(value, 1, 1),
    **dict.fromkeys(("index", "lamport", "participant", "seq", "size", "task", "time"), _count),
    **dict.fromkeys(("answers", "callbacks", "origin", "part", "principal", "resource"), _count),
    "outcome": lambda value: value in ("error", "cancelled", "timeout"),
    "trigger": lambda value: value in ("start", "timer", "busy"),
}
_REQUIRED: Final = frozenset([*_FIELDS][:12])


def _header(line: bytes, member: str, seq: int | None) -> dict[str, Any]:
    """Read a header (4) that is in its one spelling."""
    _must(len(line) <= _MIB, member, "a header is over the limit", seq)
    fields = _object(line) or {}
    known = _REQUIRED <= fields.keys() <= _FIELDS.keys()
    _must(known, member, "a header has not the fields of one", seq)
    for name, value in fields.items():
        _must(_FIELDS[name](value), member, f"a header's {name} is of another form", seq)
    _must(_canonical(fields) == line, member, "a header is not in its one spelling", seq)
    _must(seq in {None, fields["seq"]}, member, "a header claims another position", seq)
    return fields


def _base64(text: str, least: int, most: int) -> bytes:
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text or not least <= len(data) <= most:
        raise ValueError(text)
    return data


def _note(data: bytes, member: str, log: str) -> tuple[str, int, str, list[str]]:
    """Read a checkpoint (3): the id in its origin, size, hex root, names of who signed."""
    _must(len(data) <= _SIZES["checkpoint"], member, "a checkpoint is over the limit")
    try:
        origin, size, root, *rest, end = data.decode().split("\n", 40)
        signed = [_SIGNATURE.fullmatch(line) for line in rest[1:]]
        keys = [(found[1], _base64(found[2], 5, len(data))[:4]) for found in signed if found]
        digest = _base64(root, 32, 32)
    except ValueError:
        raise RefusedError(member, "a checkpoint is not UTF-8, three lines and base64") from None
    form = _text(origin, log + "[0-9A-Za-z_-]{1,64}") and _text(size, "0|[1-9][0-9]{0,18}")
    form = form and int(size) < 1 << 63 and end == ""
    _must(form, member, "a checkpoint's origin, size or end is of another form")
    blank = not rest or (rest[0] == "" and 1 <= len(signed) <= 32 and None not in signed)
    _must(blank, member, "a checkpoint has other lines than signatures")
    _must(len(set(keys)) == len(keys), member, "a checkpoint has two signatures of a key")
    return origin.removeprefix(log), int(size), digest.hex(), [name for name, _ in keys]


@dataclass(frozen=True, slots=True)
class Part:
    """A part (7): what a payload's commitment binds of it, and its data if they are here."""

    state: int
    size: int
    bound: bytes
    data: bytes


def _part(frames: Frames, what: str, event: int | None = None, *, again: bool = False) -> Part:
    """Read a part; one that an event of the run brings says so, also when it is read again."""
    state, width = frames.take(2, event)
    frames.must(width in _SALTS.get(state, ()), f"{what}: state and salt do not fit", event)
    salt, commitment = frames.take(width, event), frames.take(32, event)
    size = frames.number(8, event)
    if event is not None or again:
        brought = frames.number(8, event) == event or again
        frames.must(brought, f"{what} is said to come from another event", event)
    data = frames.take(0 if state else size, event)
    held = state != 0 or _commitment(salt, data) == commitment
    frames.must(held, f"{what} does not match its commitment", event)
    return Part(state, size, size.to_bytes(8, "little") + commitment, data)


def _commitment(salt: bytes, data: bytes) -> bytes:
    return blake3(salt, derive_key_context="ritornello part v1").update(data).digest()


def _payload(bound: bytes) -> str:
    return blake3(bound, derive_key_context="ritornello payload v1").hexdigest()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `manifest.json` says (2), and the digest that is the bundle's identity."""

    run: str
    engine: str
    size: int
    root: str
    sealed: bool
    identity: str


def _manifest(archive: Archive) -> Manifest:
    """Read the manifest and hold the file against its list (10.6, 10.7)."""
    data, own = archive.read("manifest.json"), "manifest.json"
    fields = _object(data) or {}
    _must(_count(fields.get("format"), 1, 1), own, "is no manifest of format version 1")
    shape = {"engine", "format", "kind", "members", "origin", "root", "sealed", "size"}
    fits = (
        fields.keys() == shape
        and _text(fields["engine"], "[0-9A-Za-z.+!_-]{1,64}")
        and _text(fields["kind"], "run")
        and _text(fields["origin"], "ritornello/run/[0-9A-Za-z_-]{1,64}")
        and _text(fields["root"], _HEX)
        and (type(fields["sealed"]), type(fields["members"])) == (bool, list)
        and _count(fields["size"], 1)
    )
    _must(fits, own, "has other fields than a manifest")
    lengths, ends, before = dict[str, int](), dict.fromkeys(_KINDS, 0), ""
    for item in fields["members"]:
        fits = (
            type(item) is dict
            and item.keys() == {"digest", "kind", "length", "name"}
            and _text(item["digest"], _HEX)
            and _count(item["length"], 1, 64 * _MIB)
            and isinstance(item["name"], str)
        )
        _must(fits, own, "a listed member has not the four fields")
        name = item["name"]
        kind, first, last = _named(name)
        _must(name > before, name, "is listed twice or out of order")
        own_kind = item["kind"] == kind not in {"manifest", "guard"}
        _must(own_kind, name, "is listed with a kind that is not its name's")
        _must(first == ends.get(kind, 0), name, f"begins at {first}, not where the one before ends")
        ends[kind], before, lengths[name] = last + 1, name, item["length"]
        archive.digests[name] = item["digest"]
    _must(_canonical(fields) == data, own, "is not in its one spelling")
    all_there = ends["headers"] == ends["refs"] == fields["size"] and "checkpoint" in ends
    _must(all_there, own, "does not list a checkpoint, and headers and refs of every record")
    few = max(ends["statements"], ends["workspace"]) <= _BESIDE_MAX
    _must(few, own, "lists too many frames of statements or workspace records")
    if ends["parts"] * 96 > _HELD_MAX:
        raise BeyondError(own, f"lists {ends['parts']} parts")
    for name in sorted(lengths.keys() | archive.members.keys() - {own, "zip.sha256"}):
        both = name in lengths and name in archive.members
        _must(both, name, "is not both in the file and in the manifest's list")
        _must(lengths[name] == archive.members[name].size, name, "has another length than listed")
    run, identity = fields["origin"].removeprefix("ritornello/run/"), _sha(data).hex()
    return Manifest(
        run, fields["engine"], fields["size"], fields["root"], fields["sealed"], identity
    )


class Excerpts:
    """What workspaces' logs say of the run (8), and the roots that they name for its sizes."""

    def __init__(self, archive: Archive, manifest: Manifest) -> None:
        self._manifest = manifest
        self.records: dict[str, int] = {}  # how many of each workspace
        self.roots: dict[int, list[tuple[str, str, str]]] = {}
        frames, name, size, root, before = Frames(archive, "workspace"), "", 0, "", -1
        while frames.more():
            tag = frames.number(1)
            begins = tag == 0 and (before >= 0 or not name)
            frames.must(begins or (tag == 1 and name != ""), "is no note and no record under one")
            if begins:
                last, note = name, frames.take(frames.number(4))
                name, size, root, _ = _note(note, frames.member, "ritornello/workspace/")
                frames.must(name > last, "a note is there twice or out of order")
                self.records[name], before = 0, -1
            else:
                before = self._record(frames, before, name, size, root)
                self.records[name] += 1
        frames.must(not name or before >= 0, "a note has no record")
        self.hold(0, _sha().hex())

    def hold(self, size: int, root: str) -> None:
        """Compare what they say of the run's first ``size`` records."""
        for named, member, what in self.roots.pop(size, ()):
            _must(named == root, member, f"{what} names another root for {size} records")

    def _record(self, frames: Frames, before: int, name: str, size: int, root: str) -> int:
        """Read a record with its parts and its proof; return its position."""
        line = frames.take(frames.number(4))
        fields = _header(line, frames.member, None)
        seq, kind, run = fields["seq"], fields["kind"], self._manifest.run
        what = f"workspace record {seq}"
        first = before < 0 and seq == 0 and kind == "WorkspaceCreated"
        frames.must(first or 0 <= before < seq, f"{what} is out of order or begins no excerpt")
        listed = frames.number(4)
        frames.must(1 <= listed <= _LISTED_MAX, f"{what} lists no part or too many")
        parts = [_part(frames, f"{what}: part {i}") for i in range(listed)]
        path = [frames.take(32) for _ in range(frames.number(1))]
        leaf = _sha(b"\0ritornello/workspace/v1\0", line)
        stands = seq < size and _reached(leaf, seq, size, path) == root
        frames.must(stands, f"{what} does not stand where its proof and the note say")
        fits = _payload(b"".join(part.bound for part in parts)) == fields["commitment"]
        frames.must(fits, f"{what}: the parts do not match the payload's commitment")
        fits = sum(part.size for part in parts) == fields["size"]
        frames.must(fits, f"{what}: the parts are not of the payload's size")
        if any(part.state for part in parts):
            return int(seq)
        frames.must(fields["size"] <= _READ_MAX, f"{what} is over the limit")
        said = _read(b"".join(part.data for part in parts), kind)
        frames.must(said != {}, f"{what} is no JSON object of the header's kind")
        frames.must(said.get("run") in (None, run), f"{what} speaks of another run")
        frames.must(seq > 0 or said.get("workspace") == name, f"{what} names another workspace")
        if kind in ("RunClosed", "RunExported", "RunImported", "RunResumed"):
            fits = said.get("run") == run and _count(said.get("size"))
            fits = fits and isinstance(said.get("root"), str)
            frames.must(fits, f"{what} does not say run, size and root")
            if said["size"] > self._manifest.size:
                rule = f"{what} knows of {said['size']} records of the run"
                raise TruncatedError(frames.member, rule)
            self.roots.setdefault(said["size"], []).append((said["root"], frames.member, what))
        return int(seq)


def _statements(archive: Archive) -> dict[str, int]:
    """Count the statements (9): those of known media types by type, the others together."""
    frames, before = Frames(archive, "statements"), b""
    counts = {**{name.decode(): 0 for name in _KNOWN_STATEMENTS}, "other": 0}
    while frames.more():
        media = frames.take(frames.number(1))
        data = frames.take(frames.number(4))
        fits = bool(_MEDIA.fullmatch(media) and data)
        frames.must(fits, "a statement has no media type or bytes")
        frames.must(frames.whole() > before, "a statement is there twice or out of order")
        before = frames.whole()
        counts[media.decode() if media in _KNOWN_STATEMENTS else "other"] += 1
    return counts


class Lists:
    """The part lists (6): each a change to the one before it of the same task and kind."""

    def __init__(self) -> None:
        self._last: dict[int, dict[str, array[int]]] = {}
        self._kept = self._entries = self._paths = 0

    def decode(self, stored: bytes, header: dict[str, Any], refs: Frames) -> array[int]:
        """Return the list of a record."""
        numbers, number, shift, seq = array("Q"), 0, 0, header["seq"]
        refs.must(len(stored) <= 5 * _MIB, "a part list is over the limit", seq)
        for byte in stored:
            refs.must(shift < 63, "a part list holds an oversized number", seq)
            number, shift = number | (byte & 127) << shift, shift + 7
            if byte < 128:
                numbers.append(number)
                number = shift = 0
        counted = not shift and len(numbers) >= 3 and numbers[2] == len(numbers) - 3
        refs.must(counted, "a part list is cut short or goes on", seq)
        of_task = self._last.setdefault(header["task"], {})
        self._paths += header["kind"] not in of_task
        before = of_task.get(header["kind"], array("Q"))
        front, back = numbers[0], numbers[1]
        refs.must(front + back <= len(before), "a part list does not fit the one before it", seq)
        length = front + len(numbers) - 3 + back
        self._kept, self._entries = self._kept + length - len(before), self._entries + length
        few = length <= _LISTED_MAX and self._entries <= _ENTRIES_MAX and self._kept <= _KEPT_MAX
        refs.must(few, "part lists are over the limit", seq)
        if self._kept * 8 + self._paths * 512 > _HELD_MAX:
            raise BeyondError(refs.member, f"keeps part lists of {self._paths} paths", seq)
        entries = before[:front] + numbers[3:] + before[len(before) - back :]
        of_task[header["kind"]] = entries
        return entries

    def end(self, task: int) -> None:
        """Forget the lists of a task that has ended."""
        gone = self._last.pop(task, {})
        self._paths, self._kept = self._paths - len(gone), self._kept - sum(map(len, gone.values()))


class Gaps:
    """What the run says is not in it (12)."""

    def __init__(self) -> None:
        self.told, self.count = list[dict[str, Any]](), 0
        self._asked: dict[int, str] = {}  # what has no outcome yet, by its seq
        self._looked: list[tuple[int, str, array[int]]] = []  # records of the kinds that say
        self._data: dict[int, bytes | None] = {}  # of parts that they bring; None where it is gone
        self._held = 0

    def take(self, header: dict[str, Any], ordinal: int, part: Part) -> None:
        """Keep a part that a record brings, if its payload is to be looked into."""
        if header["kind"] in _SAYING and header["size"] <= _READ_MAX:
            self._data[ordinal] = None if part.state else part.data
            self._held += len(part.data) + 256

    def see(self, header: dict[str, Any], entries: array[int], headers: Frames) -> None:
        """Note a record that held."""
        seq, kind = header["seq"], header["kind"]
        if kind in _ASKING:
            self._asked[seq] = kind
            self._held += 256
        elif kind in _ANSWERING:
            self._asked.pop(header.get("answers", -1), None)
        elif kind in _SAYING:
            few = header["size"] <= _READ_MAX
            self._looked.append((seq, kind, entries if few else array("Q")))
            self._held += 256 + 8 * len(entries)
        if self._held > _HELD_MAX:
            raise BeyondError(headers.member, "asks or says more than is held", seq)

    def settle(self, archive: Archive, sizes: array[int], *, sealed: bool) -> None:
        """Look into the payloads; those that repeat parts of other records need a second pass."""
        wanted = {n for _, _, entries in self._looked for n in entries} - self._data.keys()
        if self._held + sum(sizes[n] for n in wanted) > _HELD_MAX:
            raise BeyondError("parts", "hold more that is to be looked into than is held")
        frames, ordinal = Frames(archive, "parts"), 0
        while wanted and frames.more():
            part = _part(frames, f"part {ordinal}", None, again=True)
            if ordinal in wanted:
                self._data[ordinal] = None if part.state else part.data
                wanted.remove(ordinal)
            ordinal += 1
        found: list[tuple[int, str]] = []
        for seq, kind, entries in self._looked:
            pieces = [self._data[n] for n in entries]
            whole = b"".join(piece for piece in pieces if piece is not None)
            said = {} if None in pieces else _read(whole, kind)
            what = said.get("what")
            if kind == "CaptureGap" and not isinstance(what, str):
                found.append((seq, "what was not captured is not readable here"))
            elif kind == "CaptureGap" and not str(what).startswith("own-"):
                found.append(
                    (seq, f"not captured: {str(what)[:99]}: {str(said.get('name'))[:199]}")
                )
            elif type(said.get("effect")) is int and said["effect"] < seq:
                self._asked.pop(said["effect"], None)
        asked = self._asked if sealed else {}
        found = sorted([*found, *((seq, f"{kind} has no outcome") for seq, kind in asked.items())])
        self.told = [{"event": seq, "what": what} for seq, what in found[:_TOLD_MAX]]
        self.count = len(found)


def _records(archive: Archive, manifest: Manifest, excerpts: Excerpts) -> tuple[list[int], Gaps]:
    """Go through the records (10.11, 10.12); count the parts of each state, and note gaps."""
    headers, refs, parts = (Frames(archive, kind) for kind in ("headers", "refs", "parts"))
    lists, tree, gaps, states, sealed = Lists(), Tree(), Gaps(), [0, 0, 0, 0], False
    known, sizes = list[bytes](), array("Q")  # of each part seen: what is bound, and its size
    first, held = list[bytes](), 0  # data of the first record's parts, as far as it is looked into
    for seq in range(manifest.size):
        headers.more()
        line = headers.line(seq)
        header = _header(line, headers.member, seq)
        headers.must(not sealed, "stands behind the seal", seq)
        begins = seq > 0 or header["kind"] == "RunStarted"
        headers.must(begins, "a run does not begin with this record", seq)
        latest = max(header.get(name, 0) for name in ("origin", "principal", "resource"))
        headers.must(latest <= seq, f"refers to record {latest}, which comes later", seq)
        refs.more()
        entries = lists.decode(refs.take(refs.number(4, seq), seq), header, refs)
        for entry in entries:
            if entry < len(known):
                continue
            there = entry == len(known) and parts.more()
            refs.must(there, f"lists part {entry}, which is not the next that is here", seq)
            part = _part(parts, f"part {entry}", seq)
            states[part.state] += 1
            known.append(part.bound)
            sizes.append(part.size)
            gaps.take(header, entry, part)
            if seq == 0 and held <= _READ_MAX:
                first.append(part.data)
                held += part.size
        fits = _payload(b"".join(map(known.__getitem__, entries))) == header["commitment"]
        headers.must(len(entries) > 0, "lists no part", seq)
        headers.must(fits, "the part list does not match the payload's commitment", seq)
        fits = sum(map(sizes.__getitem__, entries)) == header["size"]
        headers.must(fits, "the parts are not of the payload's size", seq)
        if seq == 0 and not any(states[1:]):
            few = header["size"] <= _READ_MAX  # otherwise a list may name one part a million times
            said = _read(b"".join(map(first.__getitem__, entries)), "RunStarted") if few else {}
            says = said.get("run") == manifest.run
            _must(says, "checkpoint.note", "names another run than its records")
        gaps.see(header, entries, headers)
        if header["kind"] == "TaskEnded":
            lists.end(header["task"])
        sealed = header["kind"] == "RunSealed"
        tree.add(_sha(b"\0ritornello/event/v1\0", line))
        if tree.size in excerpts.roots:
            excerpts.hold(tree.size, tree.root())
    left = headers.more() or refs.more() or parts.more()
    parts.must(not left, "holds parts that no record lists")
    _must(tree.root() == manifest.root, "checkpoint.note", "the root is not that of the headers")
    _must(sealed == manifest.sealed, "manifest.json", "says otherwise whether the run is sealed")
    gaps.settle(archive, sizes, sealed=sealed)
    return states, gaps


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The verdicts, each one of a closed set of words, and what was counted on the way."""

    integrity: str = NOT_CHECKED
    completeness: str = NOT_CHECKED
    authenticity: str = NOT_CHECKED
    anchoring: str = NOT_CHECKED
    refused: RefusedError | None = None
    run: str | None = None
    engine: str | None = None
    events: int | None = None
    root: str | None = None
    identity: str | None = None
    parts: dict[str, int] = field(default_factory=dict)  # by state
    workspaces: dict[str, int] = field(default_factory=dict)  # records by workspace id
    statements: dict[str, int] = field(default_factory=dict)  # by media type
    signature_lines: list[str] = field(default_factory=list)  # names of keys
    gaps: list[dict[str, Any]] = field(default_factory=list)  # event and what; the first of them
    gap_count: int = 0
    subject: str = "bundle"
    event: int | None = None  # of a proof: its position
    not_checked: list[str] = field(default_factory=list)  # beside the verdicts


def verify(file: BinaryIO, *, proof: bool = False) -> Report:
    """Verify a bundle, or the proof of an event; a bad one is a value, no error.

    Args:
        file: can be read at any place.
        proof: whether it is said to be a proof; one that begins as such is taken for one anyway.

    Raises:
        OSError: The file cannot be read.
    """
    file.seek(0)
    proof = proof or file.read(len(_PROOF)) == _PROOF
    try:
        return _verify_proof(file) if proof else _verify(file)
    except MemoryError:
        refused: RefusedError = BeyondError("file", "needs more memory than there is")
    except RefusedError as error:
        refused = error
    return Report(
        integrity=NOT_CHECKED if isinstance(refused, BeyondError) else "failed",
        completeness="truncated" if isinstance(refused, TruncatedError) else NOT_CHECKED,
        refused=refused,
        subject="proof" if proof else "bundle",
    )


def _verify(file: BinaryIO) -> Report:
    archive, name = Archive(file), "checkpoint.note"
    manifest = _manifest(archive)
    run, size, root, signers = _note(archive.read(name), name, "ritornello/run/")
    same = (run, size, root) == (manifest.run, manifest.size, manifest.root)
    _must(same, name, "says another run, size or root than the manifest")
    excerpts = Excerpts(archive, manifest)
    statements = _statements(archive)
    states, gaps = _records(archive, manifest, excerpts)
    incomplete = states[3] or gaps.count
    return Report(
        integrity="ok",
        completeness="gaps" if incomplete else "sealed" if manifest.sealed else "open",
        authenticity=NOT_CHECKED if signers or any(statements.values()) else "unsigned",
        run=run,
        engine=manifest.engine,
        events=size,
        root=root,
        identity=manifest.identity,
        parts=dict(zip(_STATES, states, strict=True)),
        workspaces=excerpts.records,
        statements=statements,
        signature_lines=signers,
        gaps=gaps.told,
        gap_count=gaps.count,
        not_checked=[*_OF_A_BUNDLE],
    )


def _verify_proof(file: BinaryIO) -> Report:
    """Verify the proof of one event (13)."""
    file.seek(0)
    data = file.read(_PROOF_MAX + 1)
    _must(len(data) <= _PROOF_MAX, "file", "is over the limit of a proof")
    event, place, checkpoint = [*data.split(b"\n\n", 2), b"", b""][:3]
    _must(checkpoint != b"", "file", "is not three sections with blank lines between")
    few = event.count(b"\n") <= _LISTED_MAX + 1 and place.count(b"\n") <= 64
    _must(few, "file", "has more lines than a proof")
    begin, *listed = event.split(b"\n")
    _must(begin == _PROOF, "line 1", f"is not {_PROOF.decode()}")
    _must(len(listed) >= 2, "line 3", "lists no part")
    named, line = listed[0][:7], listed[0][7:]
    _must(named == b"header ", "line 2", "names no header")
    header = _header(line, "line 2", None)
    parts = [_proof_part(text, f"line {at}") for at, text in enumerate(listed[1:], 3)]
    seq, at, tlog = header["seq"], f"line {len(listed) + 3}", place.split(b"\n")
    known = tlog[:2] == [b"c2sp.org/tlog-proof@v1", b"index %d" % seq]
    _must(known, at, "is not a tlog-proof of the event's position")
    run, size, root, signers = _note(checkpoint, "checkpoint", "ritornello/run/")
    try:
        hashes = [_base64(text.decode(), 32, 32) for text in tlog[2:]]
    except ValueError:
        raise RefusedError(at, "a hash of the path is not 32 bytes in base64") from None
    leaf = _sha(b"\0ritornello/event/v1\0", line)
    stands = seq < size and _reached(leaf, seq, size, hashes) == root
    _must(stands, at, "the event does not stand where its path and the checkpoint say", seq)
    fits = _payload(b"".join(part.bound for part in parts)) == header["commitment"]
    _must(fits, "line 3", "the parts do not match the payload's commitment", seq)
    fits = sum(part.size for part in parts) == header["size"]
    _must(fits, "line 3", "the parts are not of the payload's size", seq)
    if header["kind"] == "RunStarted" and not any(part.state for part in parts):
        said = _read(b"".join(part.data for part in parts), "RunStarted")
        _must(said.get("run") == run, "checkpoint", "names another run than the event", seq)
    counts = [sum(part.state == state for part in parts) for state in range(4)]
    return Report(
        integrity="ok",
        authenticity=NOT_CHECKED if signers else "unsigned",
        run=run,
        events=size,
        root=root,
        parts=dict(zip(_STATES, counts, strict=True)),
        signature_lines=signers,
        subject="proof",
        event=seq,
        not_checked=[*_OF_A_PROOF],
    )


def _proof_part(line: bytes, where: str) -> Part:
    """Read a part of a proof, in its one spelling."""
    try:
        word, state, salt_text, commitment_text, size, *rest = line.decode("ascii").split(" ")
        known = word == "part" and _text(size, "0|[1-9][0-9]{0,15}")
        known = known and state in _STATES and len(rest) == (state == "present")
        salt, commitment, data = (
            b"" if text == "-" else _base64(text, 1, _PROOF_MAX)
            for text in (salt_text, commitment_text, *rest, *["-"][len(rest) :])
        )
    except ValueError:
        known = False
    _must(known, where, "is not: part, state, salt, commitment, size, and data if present")
    fits = len(salt) in _SALTS[_STATES.index(state)] and len(commitment) == 32
    _must(fits, where, "salt, state and commitment do not fit")
    held = state != "present" or (len(data) == int(size) and _commitment(salt, data) == commitment)
    _must(held, where, "the part does not match its commitment or size")
    bound = int(size).to_bytes(8, "little") + commitment
    return Part(_STATES.index(state), int(size), bound, data)


def _verify_path(path: str) -> Report:
    flags = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe must not hold us up
    descriptor = os.open(path, os.O_RDONLY | flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return Report(integrity="failed", refused=RefusedError("file", "is not a regular file"))
    with os.fdopen(descriptor, "rb") as file:
        return verify(file, proof=path.endswith(".proof"))


def _lines(report: Report) -> Iterator[tuple[str, str]]:
    """Say a report in lines of a word and a text."""
    if report.refused:
        event = "" if report.refused.event is None else f", event {report.refused.event}"
        yield "refused", f"{report.refused.member}{event}: {report.refused.rule}"
    for name in ("integrity", "completeness", "authenticity", "anchoring"):
        yield name, getattr(report, name)
    if report.integrity != "ok":
        return
    claimed = ", as the checkpoint says" if report.subject == "proof" else ""
    yield "run", f"{report.run}{claimed}"
    if report.event is not None:
        yield "event", str(report.event)
    yield "events", f"{report.events}{claimed}"
    yield "root", str(report.root)
    if report.identity is not None:
        yield "identity", report.identity
        yield "engine", f"{report.engine}, as it claims"
    yield "holes", ", ".join(f"{report.parts[state]} {state}" for state in _HOLES)
    for gap in report.gaps[:8]:
        yield "gap", f"event {gap['event']}: {gap['what']}"
    if report.gap_count > 8:
        yield "gap", f"and {report.gap_count - 8} more"
    for name, count in [*report.workspaces.items()][:8]:
        yield "workspace", f"{name}: {count} records, each proved to stand in its log"
    for name, count in report.statements.items():
        if count:
            yield "statements", f"{count} {name}, {NOT_CHECKED}"
    for name in report.signature_lines:
        yield "signed by", f"{name}, {NOT_CHECKED}"
    for what in report.not_checked:
        yield NOT_CHECKED, what


def _digest(text: str) -> str:
    if not re.fullmatch(_HEX, text):
        raise argparse.ArgumentTypeError("not 64 lower-case hexadecimal digits")
    return text


def main(arguments: list[str] | None = None) -> int:
    """Verify the bundle that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="standalone", description="Verify a bundle or a proof.")
    parser.add_argument("bundle", help="the file; a name that ends in .proof is one event's")
    parser.add_argument("--root", type=_digest, metavar="HEX", help="the root known from elsewhere")
    parser.add_argument("--identity", type=_digest, metavar="HEX", help="the identity, likewise")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args(arguments)
    try:
        report = _verify_path(asked.bundle)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or "is no path"
        sys.stderr.write(_shown(f"{asked.bundle}: {reason}") + "\n")
        return 4
    given = {"root": asked.root, "identity": asked.identity}
    compared = dict.fromkeys(given, "not given")
    for name, known in given.items():
        if known is not None:
            found = getattr(report, name)
            compared[name] = "equal" if known == found else "differs" if found else NOT_CHECKED
    if asked.json:
        told = {"schema": "ritornello/standalone/1", "bundle": asked.bundle, **asdict(report)}
        told |= {"refused": report.refused and vars(report.refused), "compared": compared}
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        lines = [("bundle", asked.bundle), *_lines(report)]
        lines += [(f"given {name}", word) for name, word in compared.items() if given[name]]
        sys.stdout.write("".join(f"{name:14}{_shown(text)}\n" for name, text in lines))
    if report.integrity == NOT_CHECKED:
        return 125
    return 3 if report.integrity == "failed" or "differs" in compared.values() else 0


if __name__ == "__main__":
    sys.exit(main())
