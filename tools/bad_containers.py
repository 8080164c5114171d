"""Bad bundles whose file is not as it must be: zip structure, names, sizes, manifest.

Each case names what a reader has to say: the member (or part of the file) and how the rule begins.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tools.bundle_forge import (
    GUARD,
    Raw,
    canonical,
    deflated,
    listed,
    manifest_of,
    raws,
    repeated,
    with_manifest,
    zipped,
)
from tools.forged_run import members_of

__all__ = ["CHECKPOINT", "HEADERS", "MANIFEST", "PARTS", "REFS", "Bad", "container_cases"]

CHECKPOINT = "checkpoint.note"
HEADERS = "headers/000000000000-000000000006.jsonl"
MANIFEST = "manifest.json"
PARTS = "parts/000000000000-000000000007.bin"
REFS = "refs/000000000000-000000000006.bin"


@dataclass(frozen=True)
class Bad:
    """A bad bundle and how it must be refused.

    Attributes:
        name: the file's name without its suffix.
        data: the file.
        member: what the refusal names.
        rule: how its message begins.
        event: the record that it names, if it names one.
        code: the error's code, or that of the finding, or the verdict of a replay.
        level: who refuses: `bundle`, any reader of the format; `run`, the check of the run's
            records, which needs the catalogue; `replay`, which also needs the program.
    """

    name: str
    data: bytes
    member: str
    rule: str
    event: int | None = None
    code: str = "bundle"
    level: str = "bundle"


def container_cases() -> Iterator[Bad]:
    """All bad bundles of this module."""
    yield from _files()
    yield from _entries()
    yield from _streams()
    yield from _manifests()
    yield from _lists()


def _small() -> dict[str, bytes]:
    return members_of(beside=False)


def _with(items: Sequence[Raw], member: str, **changes: object) -> list[Raw]:
    """Items of which one has other fields."""
    return [raw.but(**changes) if raw.name == member.encode() else raw for raw in items]


def _end(whole: bytes) -> tuple[int, int, int]:
    count, size, start = struct.unpack("<H2I", whole[-12:-2])
    return count, size, start


def _ended(whole: bytes, count: int, size: int, start: int) -> bytes:
    return whole[:-22] + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, size, start, 0)


def _files() -> Iterator[Bad]:
    """The file as a whole, its end record and its directory."""
    items = raws(_small())
    whole = zipped(items)
    count, size, start = _end(whole)
    end, directory = "end record", "central directory"
    yield Bad("file-empty", b"", "file", "file of 0 bytes cannot be a bundle")
    yield Bad("file-cut-short", whole[:-1], end, "not in the fixed form")
    yield Bad("end-comment", whole[:-2] + b"\3\0abc", end, "not in the fixed form")
    shebang = b"#!/bin/sh\n" + whole
    yield Bad("file-prepended", shebang, end, "does not stand right behind its directory")
    yield Bad("file-joined", whole + whole, end, "does not stand right behind its directory")
    empty = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0, 0, 0, 0, 0)
    yield Bad("end-no-members", empty, end, "0 members are none or over the limit")
    many = _ended(whole, 20_000, size, start)
    yield Bad("end-many-members", many, end, "20000 members are none or over the limit")
    long = _ended(whole, 2, size, start)
    yield Bad("directory-over-limit", long, directory, f"{size} bytes are over the limit")
    cut = _ended(whole, count + 1, size, start)
    yield Bad("directory-cut-short", cut, directory, "cut short")
    more = _ended(whole, count - 1, size, start)
    yield Bad("directory-too-long", more, directory, "longer than its entries")
    named = [*items, Raw("z\u00e9".encode(), b"x")]
    yield Bad("name-not-ascii", zipped(named), directory, "a member's name is not ASCII")
    gap = zipped(items, gap=b"gap")
    yield Bad("directory-behind-a-gap", gap, directory, "does not follow the last member")


def _entries() -> Iterator[Bad]:
    """Entries of the directory: names, fields, order, sizes, places; the guard."""
    members = _small()
    items = raws(members)
    form = "entry is not in the fixed form"
    for name, path in (
        ("name-upwards", b"../../etc/cron.d/x"),
        ("name-absolute", b"/etc/passwd"),
        ("name-backslash", b"a\\b"),
        ("name-nul", b"a\0b"),
        ("name-reserved", b"con"),
        ("name-range-backwards", b"parts/000000000002-000000000001.bin"),
        ("name-other-case", b"Checkpoint.note"),
    ):
        data = zipped(sorted([*items, Raw(path, b"x")], key=lambda raw: raw.name))
        plain = not set(path) - set(b"abcdefghijklmnopqrstuvwxyz0123456789./-")
        rule = "member name is not one of this format" if plain else "member name is not of"
        member = path.decode() if plain else ascii(path.decode())
        yield Bad(name, data, member, rule, code="bundle-path")
    link = _with(items, HEADERS, mode=0o120777 << 16)
    yield Bad("entry-symbolic-link", zipped(link), HEADERS, form)
    yield Bad("entry-encrypted", zipped(_with(items, HEADERS, flags=1)), HEADERS, form)
    extra = _with(items, HEADERS, extra=b"\1\0\0\0")
    yield Bad("entry-extra-field", zipped(extra), HEADERS, form)
    order = "member is repeated or out of order"
    yield Bad("entry-twice", zipped([items[0], *items]), CHECKPOINT, order)
    swapped = [items[1], items[0], *items[2:]]
    yield Bad("entry-out-of-order", zipped(swapped), CHECKPOINT, order)
    method = _with(items, PARTS, method=93)
    yield Bad("entry-method", zipped(method), PARTS, "compression method 93 is not known")
    large = _with(items, PARTS, method=8, length=(64 << 20) + 1)
    yield Bad("entry-length-over-limit", zipped(large), PARTS, "67108865 bytes are over the limit")
    stored = _with(items, PARTS, length=9)
    yield Bad("entry-stored-length", zipped(stored), PARTS, "stored with another length")
    packed = _with(items, PARTS, method=8, packed=bytes(900), length=800)
    yield Bad("entry-packed-too-long", zipped(packed), PARTS, "compressed bytes are longer")
    expands = _with(items, PARTS, method=8, packed=bytes(100), length=60 << 20)
    yield Bad("entry-expands", zipped(expands), PARTS, "expands by more than the limit")
    overlap = _with(items, HEADERS, offset=0)
    yield Bad("entry-overlap", zipped(overlap), HEADERS, "members overlap or leave a gap")
    local = _with(items, PARTS, local={"crc": 1})
    rule = "local header differs from the central directory"
    yield Bad("entry-local-header", zipped(local), PARTS, rule)
    yield Bad("guard-absent", zipped(items, guarded=False), GUARD, "not the last member")
    short = zipped(items, guard=bytes(32))
    yield Bad("guard-short", short, GUARD, "does not list the members before it")
    other = zipped(items, guard=bytes(32 * len(items)))
    yield Bad("guard-other", other, MANIFEST, "compressed bytes are not those that were written")
    absent = raws({name: plain for name, plain in members.items() if name != MANIFEST})
    yield Bad("manifest-absent", zipped(absent), MANIFEST, "not in the file")


def _streams() -> Iterator[Bad]:
    """Compressed bytes of the manifest, which is the first that is read."""
    items = raws(_small())
    plain = next(raw.plain for raw in items if raw.name == MANIFEST.encode())

    def packed(stream: bytes, **changes: object) -> bytes:
        return zipped(_with(items, MANIFEST, method=8, packed=stream, **changes))

    good = deflated(plain)
    ends = "compressed bytes do not end where they should"
    yield Bad("stream-broken", packed(b"\7" + good[1:]), MANIFEST, "cannot be decompressed")
    yield Bad("stream-cut-short", packed(good[:-3]), MANIFEST, ends)
    yield Bad("stream-continued", packed(good + b"\0"), MANIFEST, ends)
    bomb = deflated(repeated(32, 1 << 20))
    yield Bad("stream-bomb", packed(bomb, length=6000), MANIFEST, "compressed bytes")
    less = deflated(plain[:-9])
    yield Bad("stream-length", packed(less), MANIFEST, "has another length than stated")
    crc = zipped(_with(items, MANIFEST, crc=1))
    yield Bad("stream-checksum", crc, MANIFEST, "does not match its checksum")


def _manifests() -> Iterator[Bad]:
    """The manifest's bytes and fields."""
    members = _small()
    raw = members[MANIFEST]

    def spelled(plain: bytes) -> bytes:
        return zipped(raws({**members, MANIFEST: plain}))

    def fielded(**fields: object) -> bytes:
        return spelled(canonical(manifest_of(members) | fields))

    read = "manifest cannot be read"
    same = "manifest bytes are not canonical"
    yield Bad("manifest-format-2", fielded(format=2), MANIFEST, "format version 2 is not known")
    yield Bad("manifest-no-json", spelled(raw[:-1]), MANIFEST, read)
    yield Bad("manifest-unknown-field", fielded(note="text"), MANIFEST, read)
    yield Bad("manifest-other-kind", fielded(kind="runs"), MANIFEST, read)
    yield Bad("manifest-engine", fielded(engine="free text"), MANIFEST, read)
    yield Bad("manifest-origin", fielded(origin="ritornello/run/a b"), MANIFEST, read)
    yield Bad("manifest-spaced", spelled(raw.replace(b":", b": ", 1)), MANIFEST, same)
    twice = raw.replace(b'"format":1', b'"format":1,"format":1')
    yield Bad("manifest-field-twice", spelled(twice), MANIFEST, same)
    escaped = raw.replace(b'"run"', b'"\\u0072un"')
    yield Bad("manifest-escaped", spelled(escaped), MANIFEST, same)
    deep = b'{"format":' + b"[" * 5000 + b"]" * 5000 + b"}"
    yield Bad("manifest-deep", spelled(deep), MANIFEST, read)
    sealed = fielded(sealed=False)
    yield Bad("manifest-sealed", sealed, MANIFEST, "says otherwise whether the run is sealed")
    size = fielded(size=8)
    yield Bad("manifest-size", size, MANIFEST, "manifest lists headers of 7 records")


def _lists() -> Iterator[Bad]:
    """What the manifest lists, against its own rules and against the file."""
    members = _small()
    fields = manifest_of(members)
    entries: list[dict[str, object]] = json.loads(canonical(fields["members"]))
    by_name = {str(entry["name"]): entry for entry in entries}

    def relisted(changed: Mapping[str, Mapping[str, object] | None]) -> bytes:
        """Entries changed, or left out for None, or added."""
        found = {**by_name, **{n: by_name.get(n, {}) | dict(e or {}) for n, e in changed.items()}}
        kept = [entry for name, entry in found.items() if changed.get(name, {}) is not None]
        kept.sort(key=lambda entry: str(entry["name"]))
        return zipped(raws({**members, MANIFEST: canonical({**fields, "members": kept})}))

    swapped = canonical({**fields, "members": [entries[1], entries[0], *entries[2:]]})
    data = zipped(raws({**members, MANIFEST: swapped}))
    yield Bad("list-out-of-order", data, CHECKPOINT, "members are not listed in ascending order")
    rule = "checkpoint of another kind or over the limit"
    yield Bad("list-checkpoint", relisted({CHECKPOINT: {"kind": "parts"}}), CHECKPOINT, rule)
    rule = "listed with a kind that is not its name's"
    yield Bad("list-other-kind", relisted({PARTS: {"kind": "refs"}}), PARTS, rule)
    name = "parts/000000000001-000000000007.bin"
    data = relisted({PARTS: {"name": name}})
    yield Bad("list-gap", data, name, "begins at 1, not at 0")
    data = relisted({PARTS: {"length": (1 << 20) + 1}})
    yield Bad("list-length-over-limit", data, PARTS, "1048577 bytes are over the limit")
    rule = f"manifest lists no {CHECKPOINT}"
    yield Bad("list-no-checkpoint", relisted({CHECKPOINT: None}), MANIFEST, rule)
    rule = "manifest lists refs of 0 records"
    yield Bad("list-no-refs", relisted({REFS: None}), MANIFEST, rule)
    beside = "statements/000000000000-000000065536.bin"
    rule = "manifest lists 65537 frames of statements"
    data = relisted({beside: {**listed(beside, b"x"), "name": beside}})
    yield Bad("list-many-statements", data, MANIFEST, rule)
    itself = relisted({MANIFEST: listed(MANIFEST, b"x") | {"kind": "parts"}})
    yield Bad("list-itself", itself, MANIFEST, "listed with a kind that is not its name's")
    data = relisted({GUARD: listed(GUARD, b"x") | {"kind": "parts"}})
    rule = "member name is not one of this format"
    yield Bad("list-guard", data, GUARD, rule, code="bundle-path")
    absent = "statements/000000000000-000000000000.bin"
    data = relisted({absent: listed(absent, b"x")})
    yield Bad("list-not-in-the-file", data, absent, "listed but not in the file")
    data = relisted({PARTS: {"length": 9}})
    yield Bad("list-other-length", data, PARTS, "has another length than listed")
    data = zipped(raws({**members, absent: b"x"}))
    yield Bad("list-unlisted", data, absent, "in the file but not listed")
    data = relisted({CHECKPOINT: {"digest": "0" * 64}})
    yield Bad("list-digest", data, CHECKPOINT, "does not match the digest in the manifest")
    contents = with_manifest(members)
    swap = {**contents, HEADERS: contents[PARTS], PARTS: contents[HEADERS]}
    yield Bad(
        "list-swapped-contents", zipped(raws(swap)), HEADERS, "has another length than listed"
    )
