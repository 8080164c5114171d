"""Attacks 1 to 10: the file of a bundle."""

from __future__ import annotations

import functools
import gzip
import json
import struct
import tempfile
from pathlib import Path

from orchestrator.dialects.bounded_json import UnreadableError
from orchestrator.dialects.content_coding import decode_body
from replay.bundle import BundleReader
from replay.erasure.views import views_of
from replay.errors import BundleError, BundlePathError
from tests.attacks.attempts import attempt, opened
from tests.support import second_reader
from tests.support.bundle_forging import (
    HEADERS,
    REFS,
    Raw,
    build,
    canonical,
    deflate,
    export,
    members_of,
    raws,
    refresh,
    small_entries,
    verify_bytes,
)

PARTS = "parts/000000000000-000000000006.bin"


@functools.cache
def good():
    """The members of a small bundle that holds."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "good.ritornello"
        export(small_entries(), path)
        return members_of(path)


def whole(place):
    """The bytes of a small bundle that holds."""
    return build(place / "whole.ritornello", good()).read_bytes()


def refused_by_both(data):
    """Open the bytes of a file; the second reader refuses them as well."""
    assert not second_reader.holds(data)
    verify_bytes(data)


def _named(name):
    return sorted([*raws(good()), Raw(name, b"x")], key=lambda raw: raw.name)


for _number, _name in enumerate(
    (b"../../x", b"/abs", b"C:\\x", b"a\\b", b"a\0b", b"trailing. ", b"trailing.", b"CON", b"nul")
):

    def _hostile_name(place, name=_name):
        try:
            opened(_named(name), place)
        finally:
            assert [path.name for path in place.iterdir()] == ["forged.ritornello"]

    _hostile_name.__name__ = f"name_{_number}"
    attempt(1, refused=BundlePathError, says="member name")(_hostile_name)


for _number, _mode in enumerate((0o120777, 0o060600, 0o020600, 0o010600, 0o040700)):

    def _hostile_mode(place, mode=_mode):
        items = raws(good())
        items[1].mode = mode << 16
        opened(items, place)

    _hostile_mode.__name__ = f"mode_{_number}"
    attempt(2, refused=BundleError, says="not in the fixed form")(_hostile_mode)


@attempt(3, refused=BundleError, says="repeated or out of order")
def two_members_of_one_name(place):
    items = raws(good())
    opened([items[0], items[0], *items[1:]], place)


@attempt(4, refused=BundlePathError, says="member name")
def a_name_that_differs_by_case(place):
    opened([Raw(b"Checkpoint.note", b"x"), *raws(good())], place)


@attempt(4, refused=BundleError, says="ASCII")
def two_spellings_of_one_unicode_name(place):
    names = ("café".encode(), "cafe\u0301".encode())
    opened([*raws(good()), *(Raw(name, b"x") for name in names)], place)


@attempt(5, refused=BundleError, says="expands by more than the limit")
def a_bomb_that_says_so(place):
    items = raws(good())
    items[2] = Raw(PARTS.encode(), b"", packed=deflate(bytes(1 << 20), 9), length=1 << 20)
    opened(items, place)


@attempt(5, refused=BundleError)
def a_bomb_that_lies(place):
    items = raws(good())
    items[2] = Raw(PARTS.encode(), b"", packed=deflate(bytes(8 << 20), 9), length=1300)
    opened(items, place)


@attempt(5, refused=BundleError)
def an_archive_in_the_place_of_a_member(place):
    """Nothing in a bundle is opened as an archive: a member is of its form, or refused."""
    inside = whole(place)
    opened(good() | {PARTS: inside}, place)


@attempt(5, gives=True)
def an_archive_in_an_archive_in_an_archive(place):
    """Whoever looks for secrets in it undoes so many layers, so many bytes, and says so."""
    bomb = bytes(64 << 20)
    for _ in range(4):
        bomb = gzip.compress(bomb, mtime=0)
    said = []
    most = sum(len(view.data) for view in views_of(bomb, 1 << 20, stopped=said.append))
    return most <= (1 << 20) + len(bomb) and bool(said)


@attempt(5, refused=UnreadableError, says="too-large")
def a_response_that_inflates_without_end(place):
    decode_body(gzip.compress(bytes(2 << 20)), (("content-encoding", "gzip"),), size_max=1 << 20)


@attempt(5, refused=BundleError, says="over the limit")
def a_million_members_in_the_directory(place):
    """Their number is looked at before one of them is; of a file as long as it says."""
    data = whole(place)
    count, size = 0xFFFF, 46 * 0xFFFF
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, size, len(data), 0)
    refused_by_both(data + bytes(size) + end)


@attempt(6, refused=BundleError, says="local header differs")
def a_local_header_that_says_otherwise(place):
    items = raws(good())
    items[2].local = {"length": 1}
    opened(items, place)


@attempt(7, refused=BundleError)
def bytes_before_it(place):
    refused_by_both(b"#!/bin/sh\n" + whole(place))


@attempt(7, refused=BundleError)
def bytes_after_it(place):
    refused_by_both(whole(place) + b"\0")


@attempt(7, refused=BundleError)
def two_bundles_in_one_file(place):
    refused_by_both(whole(place) * 2)


@attempt(7, refused=BundleError, says="fixed form")
def a_comment(place):
    data = whole(place)
    refused_by_both(data[:-2] + b"\1\0x")


@attempt(8, refused=BundleError, says="not listed")
def a_member_that_nobody_listed(place):
    more = Raw(b"statements/000000000000-000000000000.bin", b"\3a/b\1\0\0\0x")
    opened(sorted([*raws(good()), more], key=lambda raw: raw.name), place)


@attempt(8, refused=BundleError, says="not in the file")
def a_listed_member_that_is_gone(place):
    opened({name: data for name, data in good().items() if name != PARTS}, place)


@attempt(8, refused=BundleError, says="another length than listed")
def a_member_of_another_length(place):
    opened(good() | {PARTS: good()[PARTS] + b"\0"}, place)


@attempt(8, refused=BundleError, says="kind that is not its name's")
def a_member_of_another_kind(place):
    members = good()
    manifest = members["manifest.json"].replace(b'"kind":"parts"', b'"kind":"refs"')
    opened(members | {"manifest.json": manifest}, place)


@attempt(9, refused=BundleError)
def a_manifest_that_lists_itself(place):
    manifest = json.loads(good()["manifest.json"])
    entry = {"digest": "0" * 64, "kind": "parts", "length": 10, "name": "manifest.json"}
    manifest["members"].insert(2, entry)
    opened(good() | {"manifest.json": canonical(manifest)}, place)


@attempt(10, refused=BundleError)
def two_members_with_exchanged_contents(place):
    members = good()
    opened(refresh(members | {REFS: members[HEADERS], HEADERS: members[REFS]}), place)


@attempt(10, refused=BundleError)
def the_bytes_of_one_file_under_the_name_of_another(place):
    path = place / "other.ritornello"
    path.write_bytes(whole(place).replace(b"refs/0000", b"refz/0000"))
    BundleReader.open(path).close()
