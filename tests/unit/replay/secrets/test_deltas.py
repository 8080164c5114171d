"""A key that a model sends back token by token is no run of bytes, and is hidden all the same."""

import json

import pytest

from replay.secrets.deltas import DeltaScrubber
from replay.secrets.scrub import Scrubber
from replay.secrets.surrogates import Secret, make_surrogate

PUBLIC = "sk-ant-api03-"
VALUE = PUBLIC + "".join(chr(97 + (7 * i) % 26) + str((3 * i) % 10) for i in range(40))


@pytest.fixture
def secret():
    drawn = iter(range(10**6))
    surrogate, public = make_surrogate(VALUE, lambda n: bytes(next(drawn) % 251 for _ in range(n)))
    return Secret(number=0, source="env:KEY", value=VALUE, surrogate=surrogate, public=public)


def stream_of(pieces):
    """The events of a provider, one for each piece of text."""
    events = [
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": p}} for p in pieces
    ]
    return b"".join(f"event: x\ndata: {json.dumps(e)}\n\n".encode() for e in events)


def text_of(stream):
    lines = [line[6:] for line in stream.split(b"\n") if line.startswith(b"data: ")]
    return "".join(json.loads(line)["delta"]["text"] for line in lines)


def cut(data, size):
    return [data[i : i + size] for i in range(0, len(data), size)]


@pytest.mark.parametrize("piece", [1, 3, 7, 11, 12, 13, 40])
@pytest.mark.parametrize("chunk", [1, 2, 5, 64, 10_000])
def test_the_text_put_together_holds_the_surrogate_whatever_the_cuts(secret, piece, chunk):
    said = f'so "{VALUE}" it is\n'
    stream = stream_of(cut(said, piece))
    scrubber = DeltaScrubber(Scrubber([secret]))

    kept = [scrubber.feed(part) for part in cut(stream, chunk)]

    assert [len(part) for part in kept] == [len(part) for part in cut(stream, chunk)]
    assert text_of(stream) == said, "the key was there"
    heard = Scrubber([secret]).scrub(text_of(b"".join(kept)).encode()).decode()
    assert heard == said.replace(VALUE, secret.surrogate)
    hidden = VALUE[len(PUBLIC) :]
    assert all(hidden[i : i + 8] not in text_of(b"".join(kept)) for i in range(len(hidden) - 7))


def test_a_stream_without_a_secret_is_left_alone(secret):
    stream = stream_of(cut('nothing "here" \\ to hide', 3))

    assert DeltaScrubber(Scrubber([secret])).feed(stream) == stream
