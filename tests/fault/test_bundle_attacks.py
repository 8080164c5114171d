"""What a hostile bundle may try: each attempt is refused, and the refusal says where."""

import hashlib
import os
import struct
import tracemalloc
import zipfile
import zlib

import pytest

from replay.bundle import BundleReader
from replay.bundle.limits import EXPANSION_MAX, FRAME_SIZE_MAX, MEMBER_SIZE_MAX
from replay.errors import BundleError, BundlePathError
from replay.events.digest import part_commitment
from tests.support import second_reader
from tests.support.bundle_forging import (
    GUARD,
    HEADERS,
    REFS,
    Raw,
    build,
    canonical,
    deflate,
    export,
    head_of,
    members_of,
    raws,
    refresh,
    relisted,
    small_entries,
    uncut,
    verify_bytes,
)

PARTS = "parts/000000000000-000000000006.bin"
STRUCTURE = {"file", "end record", "central directory", GUARD, "manifest.json"}
STRUCTURE |= {"checkpoint.note", HEADERS, REFS, PARTS}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "small.ritornello"
    export(small_entries(), path)
    return path


@pytest.fixture
def members(small):
    return members_of(small)


@pytest.fixture
def forged(tmp_path):
    """Gives a function that builds a forged bundle and returns how both readers refuse it."""

    def refuse(members, **options):
        path = build(tmp_path / "forged.ritornello", members, **options)
        assert not second_reader.holds(path)
        with pytest.raises(BundleError) as caught:
            BundleReader.open(path)
        return caught.value

    refuse.path = tmp_path / "forged.ritornello"
    return refuse


def refused(data):
    with pytest.raises(BundleError) as caught:
        verify_bytes(data)
    return caught.value


# --- every byte ----------------------------------------------------------------------------------


def test_an_unforged_rebuilt_bundle_holds(small, members, tmp_path):
    path = build(tmp_path / "same.ritornello", members)

    assert path.read_bytes() == small.read_bytes()
    BundleReader.open(path).close()


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_any_changed_byte_is_refused_and_the_refusal_names_where(small, tmp_path, mask):
    whole = small.read_bytes()
    directory = struct.unpack("<I", whole[-6:-2])[0]
    unnamed = []
    for offset in range(len(whole)):
        changed = bytearray(whole)
        changed[offset] ^= mask
        error = refused(changed)
        # A changed name in the directory is what the refusal names.
        if error.member not in STRUCTURE and offset < directory:
            unnamed.append((offset, error.member))

    assert unnamed == []


def test_a_changed_byte_in_a_member_names_that_member(small, tmp_path):
    with zipfile.ZipFile(small) as archive:
        places = [(info.filename, info.header_offset) for info in archive.infolist()]
        end = archive.start_dir
    whole = small.read_bytes()
    wrong = []
    for (name, start), (_, stop) in zip(places, [*places[1:], ("", end)], strict=True):
        for offset in range(start, stop):
            changed = bytearray(whole)
            changed[offset] ^= 0x10
            error = refused(changed)
            if error.member != name:
                wrong.append((offset, name, error.member))

    assert wrong == []


def test_truncation_at_every_byte_is_refused(small, tmp_path):
    whole = small.read_bytes()

    for size in range(len(whole)):
        refused(whole[:size])


def test_another_spelling_of_the_same_plaintext_is_refused_by_name(members, small, tmp_path):
    items = raws(members)
    for item in items:
        item.packed = deflate(item.plain, level=6)
    good = build(tmp_path / "good.ritornello", items).read_bytes()
    assert good == small.read_bytes()
    parts = next(item for item in items if item.name == PARTS.encode())
    parts.packed = deflate(parts.plain, level=1)
    path = build(tmp_path / "respelled.ritornello", items)

    # Whoever re-compresses writes a guard that fits, and the identity stays ...
    with BundleReader.open(path) as respelled, BundleReader.open(small) as original:
        assert respelled.identity == original.identity

    # ... but with the old guard it is a changed file.
    whole = path.read_bytes()
    old = zipfile.ZipFile(small).read(GUARD)
    new = zipfile.ZipFile(path).read(GUARD)
    crcs = (struct.pack("<I", zlib.crc32(new)), struct.pack("<I", zlib.crc32(old)))
    error = refused(whole.replace(new, old).replace(*crcs))
    assert (error.member, error.message) == (
        PARTS,
        "compressed bytes are not those that were written",
    )


# --- attack list 1: names ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        b"../../x",
        b"/abs",
        b"C:\\x",
        b"a\\b",
        b"a\0b",
        b"trailing. ",
        b"trailing.",
        b"CON",
        b"con",
        b"nul.bin",
        b"headers/../x",
        b"parts/1-2.bin",
        b"parts/000000000002-000000000001.bin",
        b"headers/000000000000-000000000005.bin",
        b"x" * 65,
        b"x" * 60_000,
        b"",
    ],
)
def test_a_name_that_is_none_of_the_format_is_refused_and_nothing_is_written(
    members, forged, tmp_path, name
):
    items = sorted([*raws(members), Raw(name, b"x")], key=lambda raw: raw.name)

    error = forged(items)

    assert isinstance(error, BundlePathError) or len(name) > 10_000
    assert [path.name for path in tmp_path.iterdir()] == ["forged.ritornello"]


def test_a_name_outside_ascii_is_refused(members, forged):
    error = forged([*raws(members), Raw("café".encode(), b"x")])

    assert error.member == "central directory"


# --- attack list 2: links, devices ---------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o120777, 0o060600, 0o010600, 0o040700, 0o100777, 0])
def test_a_link_device_pipe_or_directory_is_refused(members, forged, mode):
    items = raws(members)
    items[1].mode = mode << 16

    error = forged(items)

    assert (error.member, error.message) == (HEADERS, "entry is not in the fixed form")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_or_directory_in_place_of_the_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(BundleError, match="not a regular file"):
        BundleReader.open(tmp_path / "fifo")
    with pytest.raises((BundleError, OSError)):
        BundleReader.open(tmp_path)


# --- attack list 3, 4: doubles -------------------------------------------------------------------


def test_two_members_of_one_name_are_refused(members, forged):
    items = raws(members)

    error = forged([items[0], items[0], *items[1:]])

    assert (error.member, error.message) == (
        "checkpoint.note",
        "member is repeated or out of order",
    )


def test_a_name_that_differs_only_by_case_is_refused(members, forged):
    error = forged([Raw(b"Checkpoint.note", b"x"), *raws(members)])

    assert isinstance(error, BundlePathError)


def test_members_out_of_order_are_refused(members, forged):
    items = raws(members)

    error = forged([items[1], items[0], *items[2:]])

    assert (error.member, error.message) == (
        "checkpoint.note",
        "member is repeated or out of order",
    )


# --- attack list 5: bombs ------------------------------------------------------------------------


def peak_while(action):
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def bomb(size):
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(deflater.compress(bytes(MEMBER_SIZE_MAX)) for _ in range(size >> 20))
    return packed + deflater.flush()


def test_a_member_that_says_how_much_it_expands_is_refused_before_it_does(members, tmp_path):
    items = raws(members)
    items[2] = Raw(PARTS.encode(), b"", packed=bomb(100 << 20), length=60 << 20)
    path = build(tmp_path / "bomb.ritornello", items)

    def attempt():
        with pytest.raises(BundleError, match="expands by more than the limit"):
            BundleReader.open(path)

    attempt()
    assert peak_while(attempt) < 2 << 20


def test_a_member_that_lies_about_its_size_is_stopped_at_the_size_it_told(members, tmp_path):
    items = raws(members)
    items[2] = Raw(PARTS.encode(), b"", packed=bomb(100 << 20), length=200_000)
    path = build(tmp_path / "bomb.ritornello", items)

    def attempt():
        with pytest.raises(BundleError) as caught:
            BundleReader.open(path)
        assert caught.value.member == PARTS

    attempt()
    assert peak_while(attempt) < 2 << 20


def test_a_stated_size_over_the_limit_is_refused(members, forged):
    items = raws(members)
    items[2].length = FRAME_SIZE_MAX + 1

    assert "over the limit" in forged(items).message


def test_too_many_members_are_refused_before_they_are_read(members, tmp_path):
    whole = build(tmp_path / "b.ritornello", members).read_bytes()
    count, size, start = 65_000, 65_000 * 60, 22
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, size, start, 0)

    error = refused(whole[:22] + bytes(size) + end)

    assert (error.member, "over the limit" in error.message) == ("end record", True)


def test_part_lists_are_refused_when_too_long_or_too_many_in_all(members, forged, monkeypatch):
    long = b"\0\0" + b"\x81" * 7 + b"\1"
    frame = struct.pack("<I", len(long)) + long
    rest = members[REFS][4 + struct.unpack("<I", members[REFS][:4])[0] :]
    error = forged(refresh(members | {REFS: frame + rest}))
    assert (error.member, error.event) == (REFS, 0)

    for limit in ("LISTED_LIVE_MAX", "LISTED_TOTAL_MAX"):
        with monkeypatch.context() as patch:
            patch.setattr(f"replay.bundle.records.{limit}", 3)
            path = build(members=members, path=forged.path)
            with pytest.raises(BundleError, match="together are over the limit") as caught:
                BundleReader.open(path)
            assert (caught.value.member, caught.value.event) == (REFS, 3)


def test_bytes_behind_the_last_frame_are_refused(members, forged):
    for name in (HEADERS, REFS, PARTS):
        error = forged(refresh(members | {name: members[name] + b"\0"}))

        assert error.member == name


def test_a_manifest_nested_a_hundred_thousand_deep_is_refused(members, forged):
    nested = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"

    items = raws(members | {"manifest.json": nested})
    items[2].method = 0  # so that the limit on expansion does not come first

    assert forged(items).message.startswith("manifest cannot be read")


def test_what_expands_more_than_the_limit_is_exported_and_read_all_the_same(tmp_path):
    from replay.events.kinds import OutputWritten
    from tests.contract.entries import Chain

    chain = Chain(1, cut=uncut)
    entries = [chain.next()]
    entries += [chain.record(OutputWritten(stream="stdout", marks=()), bytes(16_000))]
    body = b'{"messages":["' + b"a" * (3 << 20) + b'"]}'
    entries += [chain.record(OutputWritten(stream="stdout", marks=()), body)]
    path = tmp_path / "zeros.ritornello"

    summary = export(entries, path)

    largest = max(summary.manifest.members, key=lambda member: member.length)
    assert largest.length > 3 << 20
    assert summary.size_bytes > largest.length  # stored: it would shrink more than 250 times
    assert len(deflate(body)) * EXPANSION_MAX < len(body)
    assert second_reader.holds(path)


# --- attack list 6: lying structure --------------------------------------------------------------


@pytest.mark.parametrize("field", ["flags", "method", "crc", "packed", "length"])
def test_a_local_header_that_differs_from_the_directory_is_refused(members, forged, field):
    items = raws(members)
    items[2].local = {field: 1}

    error = forged(items)

    assert (error.member, error.message) == (
        "manifest.json",
        "local header differs from the central directory",
    )


@pytest.mark.parametrize("flags", [1, 8, 0x800, 0x40])
def test_encryption_data_descriptors_and_other_flags_are_refused(members, forged, flags):
    items = raws(members)
    items[2].flags = flags

    assert forged(items).message == "entry is not in the fixed form"


@pytest.mark.parametrize("field", ["extra", "comment"])
def test_extra_fields_and_comments_are_refused(members, forged, field):
    items = raws(members)
    setattr(items[2], field, b"\1\0\0\0")

    assert forged(items).message == "entry is not in the fixed form"


@pytest.mark.parametrize("method", [1, 9, 12, 14, 93])
def test_an_unknown_compression_is_refused(members, forged, method):
    items = raws(members)
    items[2].method = method

    assert "is not known" in forged(items).message


def test_overlapping_members_are_refused(small, tmp_path):
    whole = small.read_bytes()
    start = struct.unpack("<I", whole[-6:-2])[0]
    second = whole.index(b"PK\1\2", start + 4)
    changed = whole[: second + 42] + bytes(4) + whole[second + 46 :]  # offset of the first

    error = refused(changed)

    assert (error.member, error.message) == (HEADERS, "members overlap or leave a gap")


def test_wrong_crc_and_bytes_behind_the_stream_are_refused(members, forged):
    items = raws(members)
    items[2].crc = 1
    assert forged(items).message == "does not match its checksum"

    items = raws(members)
    items[2].packed = deflate(items[2].plain) + b"\0"
    assert forged(items).message == "compressed bytes do not end where they should"


# --- attack list 7: more than one file -----------------------------------------------------------


def test_prepended_appended_and_joined_bytes_are_refused(small, tmp_path):
    whole = small.read_bytes()

    for data in (
        b"#!/bin/sh\n" + whole,
        whole + b"\0",
        whole + whole,
        whole + b"PK\5\6" + bytes(18),
    ):
        assert refused(data).member == "end record"


def test_a_zip_comment_and_an_inserted_gap_are_refused(small, tmp_path):
    whole = small.read_bytes()
    start = struct.unpack("<I", whole[-6:-2])[0]

    assert refused(whole[:-2] + b"\3\0abc").member == "end record"
    gap = whole[:start] + b"gap" + whole[start:-6] + struct.pack("<I", start + 3) + b"\0\0"
    assert refused(gap).message == "does not follow the last member"


def test_a_bundle_without_its_guard_or_with_another_is_refused(members, forged):
    assert forged(members, guard=False).member == GUARD
    short = [*raws(members), Raw(GUARD.encode(), bytes(64), method=0)]
    assert forged(short, guard=False).message == "does not list the members before it"
    zeros = [*raws(members), Raw(GUARD.encode(), bytes(32 * 5), method=0)]
    assert "not those that were written" in forged(zeros, guard=False).message


# --- attack list 8, 9, 10: the manifest ----------------------------------------------------------


def test_a_member_that_the_manifest_does_not_list_is_refused(members, forged):
    extra = "workspace/000000000000-000000000000.bin"

    error = forged(members | {extra: b"x"})

    assert (error.member, error.message) == (extra, "in the file but not listed")


def test_a_bundle_without_a_manifest_is_refused(members, forged):
    del members["manifest.json"]

    error = forged(members)

    assert (error.member, error.message) == ("manifest.json", "not in the file")


def test_a_listed_member_that_is_not_there_is_refused(members, forged):
    del members[PARTS]

    error = forged(members)

    assert (error.member, error.message) == (PARTS, "listed but not in the file")


def listing(members, change):
    import json

    manifest = json.loads(members["manifest.json"])
    change(manifest["members"])
    return relisted(members, members=manifest["members"])


def test_a_wrong_length_digest_or_kind_is_refused_by_the_members_name(members, forged):
    longer = forged(listing(members, lambda listed: listed[2].update(length=1310)))
    assert (longer.member, longer.message) == (PARTS, "has another length than listed")

    other = forged(listing(members, lambda listed: listed[2].update(digest="0" * 64)))
    assert (other.member, other.message) == (PARTS, "does not match the digest in the manifest")

    kind = forged(listing(members, lambda listed: listed[2].update(kind="refs")))
    assert (kind.member, kind.message) == (PARTS, "listed with a kind that is not its name's")


@pytest.mark.parametrize("kind", ["environment", "inputs", "seeds", "source", "attestation"])
def test_a_kind_of_member_that_is_not_of_the_format_is_refused(members, forged, kind):
    assert forged(listing(members, lambda listed: listed[2].update(kind=kind))).member == (
        "manifest.json"
    )


@pytest.mark.parametrize("name", ["manifest.json", GUARD])
def test_a_manifest_that_lists_itself_or_the_guard_is_refused(members, forged, name):
    entry = {"digest": "0" * 64, "kind": "parts", "length": 10, "name": name}
    place = 2 if name == "manifest.json" else 4

    error = forged(listing(members, lambda listed: listed.insert(place, entry)))

    assert error.member == name


def test_two_members_with_exchanged_contents_are_refused(members, forged):
    members[REFS], members[PARTS] = members[PARTS], members[REFS]
    by_length = forged(members)
    by_frames = forged(refresh(members))

    assert (by_length.member, by_frames.event) == (PARTS, 0)


def test_a_gap_or_overlap_in_the_ranges_is_refused(members, forged):
    renamed = "parts/000000000001-000000000007.bin"
    members[renamed] = members.pop(PARTS)

    error = forged(listing(members, lambda listed: listed[2].update(name=renamed)))

    assert (error.member, error.message) == (renamed, "begins at 1, not at 0")


@pytest.mark.parametrize(
    "spell",
    [
        lambda raw: b" " + raw,
        lambda raw: raw + b"\n",
        lambda raw: b"\xef\xbb\xbf" + raw,
        lambda raw: raw.replace(b'"format":1', b'"format":1,"format":1'),
        lambda raw: raw.replace(b'"format":1', b'"format":1.0'),
        lambda raw: raw.replace(b'"run"', b'"\\u0072un"'),
        lambda raw: raw.replace(b'"size":6', b'"size":6e0'),
        lambda raw: raw.replace(b'"size":6', b'"size":' + b"9" * 4000),
        lambda raw: raw.replace(b'"0.1.0"', b'"\xff"'),
        lambda raw: raw[:-1],
        lambda raw: b"",
        lambda raw: b"null",
    ],
)
def test_another_spelling_of_the_manifest_is_refused(members, forged, spell):
    members["manifest.json"] = spell(members["manifest.json"])

    assert forged(members).member == "manifest.json"


def test_a_newer_format_is_refused_with_what_to_try(members, forged):
    error = forged(relisted(members, format=2, new_field={"a": []}))

    assert (error.message, error.hint) == (
        "format version 2 is not known",
        "read it with the engine that wrote it, or a newer one",
    )


# --- 29, 30, 39, 41: the records, by a forger who mends all digests ------------------------------


def test_a_changed_payload_byte_names_the_event_that_brought_it(members, forged):
    members[PARTS] = members[PARTS].replace(b"Vivaldi", b"Vivaldy")

    error = forged(refresh(members))

    assert (error.member, error.event) == (PARTS, 1)
    assert error.message == "part 1: part does not match its commitment"
    assert error.diagnostics().splitlines()[1] == f"  where: {PARTS}, event 1"


def test_a_changed_payload_with_its_commitment_mended_names_the_event(members, forged):
    plain = members[PARTS]
    at = plain.index(b'{"kind":"EffectStarted"')
    size = struct.unpack("<Q", plain[at - 16 : at - 8])[0]
    salt, old = plain[at - 64 : at - 48], plain[at - 48 : at - 16]
    data = plain[at : at + size]
    assert part_commitment(salt, data) == old
    changed = data.replace(b"Vivaldi", b"Vivaldy")
    members[PARTS] = plain.replace(old, part_commitment(salt, changed)).replace(data, changed)

    error = forged(refresh(members))

    assert (error.member, error.event) == (HEADERS, 1)
    assert error.message == "part list does not match the payload's commitment"


def test_a_changed_header_that_is_still_canonical_leads_to_another_root(members, forged):
    members[HEADERS] = members[HEADERS].replace(b'"lamport":3', b'"lamport":4')

    error = forged(refresh(members))

    assert (error.member, error.message) == ("checkpoint.note", "root is not that of the headers")


def test_a_header_in_another_spelling_names_the_event(members, forged):
    members[HEADERS] = members[HEADERS].replace(b'"seq":2', b'"seq": 2')

    error = forged(refresh(members))

    assert (error.member, error.event, error.message) == (
        HEADERS,
        2,
        "header bytes are not canonical",
    )


@pytest.mark.parametrize("change", ["delete", "repeat", "swap"])
def test_deleted_repeated_and_swapped_headers_are_refused(members, forged, change):
    lines = members[HEADERS].splitlines(keepends=True)
    if change == "delete":
        del lines[2]
    elif change == "repeat":
        lines.insert(2, lines[2])
    else:
        lines[2], lines[3] = lines[3], lines[2]
    members[HEADERS] = b"".join(lines)

    error = forged(refresh(members))

    assert (error.member, error.event) == (HEADERS, 2 if change == "swap" else None)


def test_a_forged_checkpoint_or_root_alone_is_refused(members, forged):
    other = head_of(small_entries()[:5])
    error = forged(refresh(members | {"checkpoint.note": other.body()}))
    assert error.member == "checkpoint.note"

    zeros = "0" * 64
    error = forged(relisted(members, root=zeros))
    assert error.member == "checkpoint.note"

    name = "ritornello/run/another"
    note = members["checkpoint.note"].replace(
        b"ritornello/run/01JDTESTRUN0000000000000", name.encode()
    )
    error = forged(relisted(refresh(members | {"checkpoint.note": note}), origin=name))
    assert (error.member, error.message) == (
        "checkpoint.note",
        "origin names another run than its records",
    )


@pytest.mark.parametrize(
    "spell",
    [
        lambda note: note + b"\n",
        lambda note: note.replace(b"\n6\n", b"\n06\n"),
        lambda note: note.replace(b"\n6\n", b"\n+6\n"),
        lambda note: note.replace(b"\n6\n", b"\n" + b"9" * 30 + b"\n"),
        lambda note: note.replace(b"\n", b"\r\n"),
        lambda note: note + b"\nnot a signature\n",
        lambda note: note[:-1],
    ],
)
def test_another_spelling_of_the_checkpoint_is_refused(members, forged, spell):
    members["checkpoint.note"] = spell(members["checkpoint.note"])

    assert forged(refresh(members)).member == "checkpoint.note"


def test_the_seal_and_what_is_said_of_it_belong_together(members, forged):
    error = forged(relisted(members, sealed=False))

    assert (error.member, error.message) == (
        "manifest.json",
        "says otherwise whether the run is sealed",
    )


def part_frames(plain):
    """Cut the parts member into its frames."""
    frames, at = [], 0
    while at < len(plain):
        salted = plain[at + 1]
        size = struct.unpack("<Q", plain[at + 34 + salted : at + 42 + salted])[0]
        end = at + 50 + salted + (size if plain[at] == 0 else 0)
        frames.append(plain[at:end])
        at = end
    return frames


def test_holes_that_are_forged_are_counted_or_refused(members, forged, tmp_path):
    frames = part_frames(members[PARTS])
    bare = frames[1][18:66]  # commitment, size, seq

    erased = frames.copy()
    erased[1] = b"\1\0" + bare
    path = build(tmp_path / "h.ritornello", refresh(members | {PARTS: b"".join(erased)}))
    with BundleReader.open(path) as reader:
        assert (reader.verified.present, reader.verified.erased) == (6, 1)

    salted = frames.copy()
    salted[1] = b"\1\x10" + frames[1][2:66]
    assert "erased but has a salt" in forged(refresh(members | {PARTS: b"".join(salted)})).message

    unknown = frames.copy()
    unknown[1] = b"\4\0" + bare
    assert forged(refresh(members | {PARTS: b"".join(unknown)})).member == PARTS

    salt = frames.copy()
    salt[1] = frames[1][:2] + bytes(16) + frames[1][18:]
    assert forged(refresh(members | {PARTS: b"".join(salt)})).event == 1


def test_a_part_that_no_record_lists_is_refused(members, forged):
    import json

    name = "parts/000000000000-000000000007.bin"
    data = b"unbound"
    frame = b"\0\0" + part_commitment(b"", data) + struct.pack("<QQ", len(data), 5) + data
    plain = members.pop(PARTS) + frame
    manifest = json.loads(members["manifest.json"])
    manifest["members"][2].update(
        name=name, length=len(plain), digest=hashlib.sha256(plain).hexdigest()
    )
    members |= {name: plain, "manifest.json": canonical(manifest)}

    error = forged(members)

    assert (error.member, error.message) == (name, "holds parts that no record lists")


def test_a_listed_part_that_the_bundle_lacks_names_the_event(members, forged):
    import json

    plain = b"".join(part_frames(members.pop(PARTS))[:-1])
    name = PARTS.replace("6.bin", "5.bin")
    manifest = json.loads(members["manifest.json"])
    manifest["members"][2]["name"] = name
    members |= {name: plain, "manifest.json": canonical(manifest)}

    error = forged(refresh(members))

    assert (error.member, error.event) == (REFS, 5)
    assert error.message == "lists part 6, which the bundle lacks"


def test_a_part_list_that_lies_names_the_event(members, forged):
    for old, new in (
        (b"\0\0\1\1", b"\0\0\1\0"),
        (b"\0\0\1\1", b"\0\0\1\6"),
        (b"\0\0\1\1", b"\1\0\0"),
    ):
        plain = members[REFS].replace(struct.pack("<I", 4) + old, struct.pack("<I", len(new)) + new)
        assert plain != members[REFS]

        assert forged(refresh(members | {REFS: plain})).event in {1, 2}


def test_a_part_said_to_come_from_another_record_is_refused(members, forged):
    frames = part_frames(members[PARTS])
    frames[1] = frames[1][:58] + struct.pack("<Q", 3) + frames[1][66:]

    error = forged(refresh(members | {PARTS: b"".join(frames)}))

    assert (error.member, error.event) == (PARTS, 1)


def test_every_byte_changed_by_a_forger_who_mends_all_digests_is_refused(members, tmp_path):
    path = tmp_path / "forged.ritornello"
    for name in (HEADERS, REFS, PARTS, "checkpoint.note"):
        plain = members[name]
        for offset in range(len(plain)):
            changed = bytearray(plain)
            changed[offset] ^= 1
            build(path, refresh(members | {name: bytes(changed)}))
            assert refused(path.read_bytes()).member in STRUCTURE
