"""Content-encodings are undone within bounds."""

from __future__ import annotations

import gzip
import zlib

import pytest

from orchestrator.dialects.bounded_json import UnreadableError
from orchestrator.dialects.content_coding import decode_body

TEXT = b"what was recorded " * 100


def packed(data, level=9):
    return gzip.compress(data, level, mtime=0)


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (TEXT, ()),
        (TEXT, (("content-encoding", "identity"),)),
        (packed(TEXT), (("content-encoding", "GZIP"),)),
        (packed(TEXT) + b"behind", (("content-encoding", "x-gzip"),)),
        (zlib.compress(TEXT), (("content-encoding", "deflate"),)),
        (raw_deflate(TEXT), (("content-encoding", "deflate"),)),
        (packed(zlib.compress(TEXT)), (("content-encoding", "deflate, gzip"),)),
        (
            packed(zlib.compress(TEXT)),
            (("content-encoding", "deflate"), ("x", "y"), ("content-encoding", "gzip")),
        ),
    ],
    ids=lambda value: None if not isinstance(value, bytes) else f"{len(value)}-bytes",
)
def test_what_the_standard_library_can_undo_is_undone(body, headers):
    assert decode_body(body, headers) == TEXT


def test_half_a_compressed_body_gives_what_it_holds():
    body = packed(TEXT, level=0)

    assert decode_body(body[:500], (("content-encoding", "gzip"),)) == TEXT[:485]


@pytest.mark.parametrize(
    ("body", "coding", "reason"),
    [
        (TEXT, "br", "content-encoding"),
        (TEXT, "zstd", "content-encoding"),
        (TEXT, "gzip", "content-encoding"),
        (TEXT, "deflate", "content-encoding"),
        (TEXT, ",".join(["gzip"] * 5), "content-encoding"),
        (packed(bytes(10_001)), "gzip", "too-large"),
        (raw_deflate(bytes(10_001)), "deflate", "too-large"),
        (zlib.compress(bytes(10_001)), "deflate", "too-large"),
        (packed(packed(bytes(50_000_000))), "gzip, gzip", "too-large"),
        (bytes(10_001), "identity", "too-large"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)}-bytes",
)
def test_what_is_unknown_damaged_or_too_large_is_refused(body, coding, reason):
    with pytest.raises(UnreadableError) as caught:
        decode_body(body, (("content-encoding", coding),), size_max=10_000)

    assert caught.value.reason == reason


def test_exactly_the_allowed_size_is_read():
    body = packed(bytes(10_000))

    assert len(decode_body(body, (("content-encoding", "gzip"),), size_max=10_000)) == 10_000
