"""Bad bundles whose members do not hold: checkpoint, records, parts, workspaces, statements.

The forger mends whatever follows from what he changed, digests and root included, so that each
bundle breaks one rule and no other comes first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from tools.bad_containers import CHECKPOINT, HEADERS, MANIFEST, PARTS, REFS, Bad
from tools.bundle_forge import Raw, deflated, manifest_of, raws, repeated, with_manifest, zipped
from tools.forged_run import (
    RUN,
    Record,
    head_of,
    members_of,
    note,
    payload,
    run_records,
    statement,
    workspace_frames,
    workspace_records,
)

__all__ = ["content_cases"]

STATEMENTS = "statements/000000000000-000000000001.bin"
EXCERPT = "workspace/000000000000-000000000003.bin"


def content_cases() -> Iterator[Bad]:
    """All bad bundles of this module."""
    yield from _notes()
    yield from _headers()
    yield from _frames()
    yield from _part_lists()
    yield from _runs()
    yield from _statements()
    yield from _excerpts()
    yield from _findings()
    yield from _replays()


def _mended(members: Mapping[str, bytes], **fields: object) -> bytes:
    return zipped(raws(with_manifest(members, **fields)))


def _run(records: list[Record], **fields: object) -> bytes:
    return zipped(raws(members_of(records, beside=False, **fields)))


def _notes() -> Iterator[Bad]:
    """The checkpoint: its spelling, its signature lines, and what it says."""
    members = members_of(beside=False)
    good = members[CHECKPOINT]
    dash = "\u2014".encode()
    line = dash + b" key.example AAAAAGtleQ==\n"
    lines = "a checkpoint is origin, size and root"
    for name, text, rule in (
        ("note-no-newline", good[:-1], "the note does not end in a newline"),
        ("note-carriage-return", good.replace(b"\n", b"\r\n"), "the note contains a control"),
        ("note-extension-line", good + b"more\n", lines),
        ("note-leading-zero", good.replace(b"\n7\n", b"\n07\n"), "the tree size is not a decimal"),
        ("note-base64", good.replace(b"=\n", b"\n"), "a line is not"),
        ("note-not-utf-8", good + b"\n\xff\xfe\n", "the note is not UTF-8"),
        ("note-no-signature", good + b"\n", "the note has no signature"),
        ("note-signature-form", good + b"\nnot a signature\n", "a signature line is not"),
        ("note-signature-twice", good + b"\n" + line + line, "the note has two signatures"),
        ("note-many-signatures", good + b"\n" + line * 33, "the note has more than 32"),
    ):
        yield Bad(name, _mended({**members, CHECKPOINT: text}), CHECKPOINT, rule)
    size, root = head_of(run_records())
    rule = "names another run, size or root than the manifest"
    other = note(f"ritornello/run/{RUN}", size - 1, root)
    yield Bad("note-other-size", _mended({**members, CHECKPOINT: other}), CHECKPOINT, rule)
    rule = "root is not that of the headers"
    changed = members[HEADERS].replace(b'"lamport":3', b'"lamport":4')
    yield Bad("note-other-root", _mended({**members, HEADERS: changed}), CHECKPOINT, rule)
    origin = "ritornello/run/another"
    forged = _mended({**members, CHECKPOINT: note(origin, size, root)}, origin=origin)
    yield Bad("note-other-run", forged, CHECKPOINT, "origin names another run than its records")


def _headers() -> Iterator[Bad]:
    """Header bytes."""
    members = members_of(beside=False)
    plain = members[HEADERS]
    read = "header cannot be read"
    for name, old, new, rule in (
        ("header-spaced", b'"seq":2', b'"seq": 2', "header bytes are not canonical"),
        ("header-default", b'"participant":0,"seq":2', b'"outcome":"ok","participant":0,"seq":2',
         "header bytes are not canonical"),
        ("header-unknown-field", b'"participant":0,"seq":2', b'"note":"x","participant":0,"seq":2',
         read),
        ("header-float", b'"seq":2', b'"seq":2.0', read),
        ("header-large-number", b'"time":1790000000000002', b'"time":9007199254740992', read),
        ("header-kind", b'"EffectReturned"', b'"Effect1"', "header names no kind"),
        ("header-version", b'000002,"v":1', b'000002,"v":2', read),
        ("header-position", b'"seq":2', b'"seq":1', "header claims position 1"),
    ):  # fmt: skip
        changed = plain.replace(old, new)
        yield Bad(name, _mended({**members, HEADERS: changed}), HEADERS, rule, event=2)
    lines = plain.split(b"\n")
    digits = lines[2].partition(b'"commitment":"')[2][:64]
    capital = plain.replace(digits, digits[:-1] + b"G")
    rule = "header holds no commitment"
    yield Bad("header-commitment", _mended({**members, HEADERS: capital}), HEADERS, rule, event=2)
    fewer = b"\n".join([*lines[:2], *lines[3:]])
    rule = "holds other lines than 7 headers"
    yield Bad("headers-one-missing", _mended({**members, HEADERS: fewer}), HEADERS, rule)
    # One line of a mebibyte and a byte in a member of its own, and the others.
    first, rest = HEADERS.replace("006.", "000."), HEADERS.replace("0000-", "0001-")
    split = {name: data for name, data in members.items() if name != HEADERS}
    long = b" " * ((1 << 20) + 1) + b"\n"
    split |= {first: long, rest: b"\n".join(lines[1:])}
    packed = deflated(repeated(32, (1 << 20) + 1), b"\n")
    items = [_packed(raw, first, packed) for raw in raws(with_manifest(split))]
    rule = "header of 1048577 bytes is over the limit"
    yield Bad("header-over-limit", zipped(items), first, rule, event=0)
    for field in ("origin", "principal", "resource"):
        records = run_records()
        records[3] = records[3].but(**{field: 4})
        rule = "refers to record 4, which comes later"
        yield Bad(f"header-{field}-later", _run(records), HEADERS, rule, event=3)


def _packed(raw: Raw, name: str, packed: bytes) -> Raw:
    return raw.but(method=8, packed=packed) if raw.name == name.encode() else raw


def _frames() -> Iterator[Bad]:
    """Frames of part lists and of parts."""
    members = members_of(beside=False)
    left = "bytes are left after the last frame"
    for word, name in (("refs", REFS), ("parts", PARTS)):
        yield Bad(f"{word}-left", _mended({**members, name: members[name] + b"\0"}), name, left)
        cut = _mended({**members, name: members[name][:-1]})
        yield Bad(f"{word}-cut-short", cut, name, "frame is cut short", event=6)
    parts = members[PARTS]
    state = "part 0 has an unknown state or salt"
    yield Bad("part-state", _mended({**members, PARTS: b"\4" + parts[1:]}), PARTS, state)
    salt = b"\0\x08" + parts[2:]
    yield Bad("part-salt-length", _mended({**members, PARTS: salt}), PARTS, state)
    kept = _with_first_part(parts, b"\1\x10" + parts[2:66])
    rule = "part 0 is erased but has a salt"
    yield Bad("part-erased-with-salt", _mended({**members, PARTS: kept}), PARTS, rule)
    changed = parts.replace(b"Vivaldi", b"Vivaldy")
    rule = "part 1: part does not match its commitment"
    yield Bad("part-data", _mended({**members, PARTS: changed}), PARTS, rule, event=1)
    salted = parts[:2] + bytes(16) + parts[18:]
    rule = "part 0: part does not match its commitment"
    yield Bad("part-salt", _mended({**members, PARTS: salted}), PARTS, rule, event=0)
    from_other = parts[:58] + struct.pack("<Q", 3) + parts[66:]
    rule = "part 0 is said to come from event 3"
    yield Bad(
        "part-of-another-event", _mended({**members, PARTS: from_other}), PARTS, rule, event=0
    )
    lacking = {name: data for name, data in members.items() if name != PARTS}
    fewer = PARTS.replace("7.bin", "6.bin")
    lacking[fewer] = parts[: parts.rindex(b"\0\x10", 0, len(parts) - 66)]
    rule = "lists part 7, which the bundle lacks"
    yield Bad("part-absent", _mended(lacking), REFS, rule, event=6)
    surplus = {name: data for name, data in members.items() if name != PARTS}
    more = PARTS.replace("7.bin", "8.bin")
    surplus[more] = parts + parts[: parts.index(b"\0\x10", 1)]
    rule = "holds parts that no record lists"
    yield Bad("part-unlisted", _mended(surplus), more, rule)


def _with_first_part(parts: bytes, frame: bytes) -> bytes:
    (size,) = struct.unpack("<Q", parts[50:58])
    return frame + parts[66 + size :]


def _part_lists() -> Iterator[Bad]:
    """Part lists: their spelling, their order, and what they come to."""
    members = members_of(beside=False)
    plain = members[REFS]
    fit = "part list does not fit the one before it"
    payload_rule = "part list does not match the payload's commitment"
    for name, old, new, member, rule in (
        ("list-of-parts-cut", b"\0\0\1\1", b"\0\0\1\x81", REFS, "part list is cut short"),
        ("list-of-parts-short", b"\0\0\1\1", b"\0\0", REFS, "part list is cut short"),
        ("list-of-parts-number", b"\0\0\1\1", b"\0\0\1" + b"\x80" * 9 + b"\1", REFS,
         "part list holds an oversized number"),
        ("list-of-parts-count", b"\0\0\1\1", b"\0\0\2\1", REFS, fit),
        ("list-of-parts-before", b"\0\0\1\1", b"\1\0\0", REFS, fit),
        ("list-of-parts-empty", b"\0\0\1\1", b"\0\0\0", HEADERS, "lists no part"),
        ("list-of-parts-ahead", b"\0\0\1\1", b"\0\0\1\6", REFS, "lists part 6 before part 1"),
        ("list-of-parts-other", b"\0\0\1\1", b"\0\0\1\0", HEADERS, payload_rule),
    ):  # fmt: skip
        frames = struct.pack("<I", len(old)) + old, struct.pack("<I", len(new)) + new
        changed = _mended({**members, REFS: plain.replace(*frames, 1)})
        yield Bad(name, changed, member, rule, event=1)
    first, rest = REFS.replace("006.", "000."), REFS.replace("0000-", "0001-")
    split = {name: data for name, data in members.items() if name != REFS}
    count = (1 << 20) + 1
    start = b"\0\0" + b"\x81\x80\x40"
    head = struct.pack("<I", len(start) + count) + start
    split |= {first: head + bytes(count), rest: plain[8:]}
    packed = deflated(head, repeated(0, count))
    items = [_packed(raw, first, packed) for raw in raws(with_manifest(split))]
    yield Bad("list-of-parts-over-limit", zipped(items), first, "part list is over", event=0)


def _runs() -> Iterator[Bad]:
    """Records that hold one by one and do not make a run."""
    records = run_records()
    size = [*records]
    size[2] = size[2].but(size=999)
    rule = "parts are not of the payload's size"
    yield Bad("payload-size", _run(size), HEADERS, rule, event=2)
    rule = "stands behind the seal"
    behind = [*records[:3], records[6], *records[4:]]
    yield Bad("run-behind-the-seal", _run(behind), HEADERS, rule, event=4)
    rule = "a run does not begin with this record"
    yield Bad("run-other-beginning", _run([*records[1:], records[0]]), HEADERS, rule, event=0)
    unsealed = _run(records[:6], sealed=True)
    members = members_of(records[:6], beside=False)
    assert manifest_of(members)["sealed"] is False
    rule = "says otherwise whether the run is sealed"
    yield Bad("run-open-said-sealed", unsealed, MANIFEST, rule)


def _statements() -> Iterator[Bad]:
    """Statements."""
    members = members_of()
    order = "statement is repeated or out of order"
    form = "statement without a media type or bytes"
    a, b = statement("text/plain", b"a"), statement("text/plain", b"b")
    for name, plain, rule in (
        ("statement-twice", a + a, order),
        ("statements-out-of-order", b + a, order),
        ("statement-media-type", statement("Text/Plain", b"a") + a, form),
        ("statement-no-media-type", statement("", b"a") + a, form),
        ("statement-empty", statement("text/plain", b"") + a, form),
        ("statement-cut-short", (a + b)[:-1], "frame is cut short"),
        ("statements-left", a + b + b"\0", "bytes are left after the last frame"),
    ):
        yield Bad(name, _mended({**members, STATEMENTS: plain}), STATEMENTS, rule)


def _excerpts() -> Iterator[Bad]:
    """Excerpts of workspace logs."""
    size, root = head_of(run_records())
    records = workspace_records(size, root)
    frames = workspace_frames(records)

    def case(name: str, frames: list[bytes], rule: str) -> Bad:
        members = {n: data for n, data in members_of().items() if n != EXCERPT}
        member = f"workspace/{0:012d}-{len(frames) - 1:012d}.bin"
        return Bad(name, _mended({**members, member: b"".join(frames)}), member, rule)

    def closed(**fields: object) -> list[bytes]:
        return workspace_frames(workspace_records(**({"size": size, "root": root} | fields)))

    head, created, registered, ended = frames
    form = "frame is no note and no record under one"
    yield case("workspace-frame", [b"\2" + head[1:], created], form)
    yield case("workspace-no-note", frames[1:], form)
    yield case("workspace-note-alone", [head], "note without a record")
    yield case("workspace-note-twice", [*frames, *frames], "note of no workspace, or out of order")
    run_note = note(f"ritornello/run/{RUN}", size, root)
    run_frame = b"\0" + struct.pack("<I", len(run_note)) + run_note
    yield case("workspace-other-note", [run_frame], "note of no workspace, or out of order")
    yield case("workspace-note-spelling", [head.replace(b"\n4\n", b"\n+\n")], "the tree size is")
    order = "workspace record 3 is out of order"
    yield case("workspace-not-from-the-first", [head, ended], order)
    yield case(
        "workspace-out-of-order",
        [head, created, ended, registered],
        "workspace record 1 is out of order",
    )
    spaced = registered.replace(b'"seq":1', b'"seq":2')
    yield case("workspace-other-place", [head, created, spaced, ended], "workspace record 2: the")
    shorter = workspace_frames(records[:3], shown=(0, 1))
    rule = "workspace record 1: the inclusion proof leads to another root"
    yield case("workspace-other-proof", [head, created, shorter[2]], rule)
    shortest = workspace_frames(records[:2], shown=(0, 1))
    rule = "workspace record 1: proof too short"
    yield case("workspace-short-proof", [head, created, shortest[2]], rule)
    rule = "workspace record: header bytes are not canonical"
    wide = registered.replace(b'"seq":1', b'"seq": 1')
    (length,) = struct.unpack("<I", wide[1:5])
    wide = b"\1" + struct.pack("<I", length + 1) + wide[5:]
    yield case("workspace-header", [head, created, wide, ended], rule)
    data = registered.replace(b"command", b"commanD")
    rule = "workspace record 1: part does not match its commitment"
    yield case("workspace-part", [head, created, data, ended], rule)
    open_size = [*records[:1], records[1].but(size=1), *records[2:]]
    rule = "workspace record 1: parts are not of the payload's size"
    yield case("workspace-payload-size", workspace_frames(open_size), rule)
    promised = [*records[:1], records[1].but(commitment="0" * 64), *records[2:]]
    rule = "workspace record 1: parts do not match the payload's commitment"
    yield case("workspace-payload", workspace_frames(promised), rule)
    empty = [*records[:1], Record("RunRegistered", ()), *records[2:]]
    yield case("workspace-no-part", workspace_frames(empty), "workspace record 1: lists no part")
    text = [*records[:1], records[1].but(b"no JSON"), *records[2:]]
    rule = "workspace record 1: payload cannot be read"
    yield case("workspace-no-json", workspace_frames(text), rule)
    kind = [*records[:1], records[1].but(payload("RunClosed", run=RUN)), *records[2:]]
    rule = "workspace record 1: payload does not say that it is of the header's kind"
    yield case("workspace-other-kind", workspace_frames(kind), rule)
    rule = "workspace record 2: speaks of another run"
    yield case("workspace-other-run", workspace_frames(records, shown=(0, 2)), rule)
    other = workspace_frames(records, origin="another")
    yield case("workspace-other-origin", other, "workspace record 0: names another workspace")
    rule = "workspace record 3: payload cannot be read"
    yield case("workspace-no-head", closed(root=None), rule)
    rule = "workspace record 3 names another root of the run"
    yield case("workspace-other-root", closed(root="0" * 64), rule)
    rule = "workspace record 3 knows of 9 records of the run"
    yield case("workspace-more-records", closed(size=9), rule)
    yield case("workspace-left", [*frames[:3], ended + b"\0"], "bytes are left after the last")
    yield case("workspace-cut-short", [*frames[:3], ended[:-1]], "frame is cut short")


def _findings() -> Iterator[Bad]:
    """Runs that any reader of the format accepts and the check of a run's records does not."""

    def found(name: str, code: str, seq: int, rule: str, **records: Record) -> Bad:
        changed = run_records()
        for place, record in records.items():
            changed[int(place[1:])] = record
        return Bad(name, _run(changed), f"event {seq}", rule, event=seq, code=code, level="run")

    good = run_records()
    yield found("run-lamport", "lamport", 3, "Lamport time 9, not 3", _3=good[3].but(lamport=9))
    causes = good[3].but(causes=[5])
    yield found("run-causes", "causes", 3, "causes are not ascending and below", _3=causes)
    answers = good[3].but(answers=1)
    yield found("run-answers", "answers", 3, "it claims to answer, but cannot", _3=answers)
    task = good[3].but(task=5)
    yield found("run-task", "task", 3, "its task was spawned by record 5", _3=task)
    start = Record("RunStarted", good[0].pieces)
    yield found("run-started-twice", "start", 5, "RunStarted stands first and nowhere", _5=start)
    other = Record("RunEnded", good[1].pieces)
    yield found("run-payload-kind", "kind", 5, "the payload does not say that it is", _5=other)
    seal = Record("RunSealed", (payload("RunSealed", reason="completed", events=9),))
    yield found("run-seal-count", "seal", 6, "it seals 9 records, but 7 are here", _6=seal)
    odd = Record("RunSealed", (payload("RunSealed", reason="bored", events=7),))
    yield found("run-seal-reason", "seal", 6, "payload cannot be read", _6=odd)


def _replays() -> Iterator[Bad]:
    """Runs that hold and that no replay can begin with."""
    rule = "the start of the run holds no seed or schedule"
    for name, fields in (
        ("replay-no-schedule", {"flags": {}}),
        ("replay-never-busy", {"flags": {"busy_callbacks": 0, "collect_every": 256}}),
        ("replay-no-seed", {"seed": "zz"}),
    ):
        data = _run(run_records(**fields))
        yield Bad(name, data, "event 0", rule, event=0, code="integrity", level="replay")
    data = _run(run_records(dialects=[["of-another-world", "1"]]))
    rule = "dialects not installed: of-another-world 1"
    yield Bad("replay-no-dialect", data, "report", rule, code="incomplete", level="replay")
    members = members_of(beside=False)
    parts = members[PARTS]
    hole = _with_first_part(parts, b"\1\0" + parts[18:66])
    data = _mended({**members, PARTS: hole})
    rule = "payload is erased"
    yield Bad("replay-erased-start", data, "report", rule, event=0, code="erased", level="replay")
