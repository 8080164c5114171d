"""The bytes of a run come as they were, also where few of them are kept at once."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

import replay.erasure.streams as room
from replay.events.kinds import OutputWritten
from tests.support.recordings import ListReader, Recording, effects

CACHE_BYTES = 1_000


def test_what_is_kept_stays_bounded_and_the_oldest_goes_first(monkeypatch):
    monkeypatch.setattr(room, "_CACHE_BYTES_MAX", CACHE_BYTES)
    run = effects(Recording(), 40)
    streams = room.RunStreams(ListReader(run.entries))

    pieces = [bytes(piece.data) for piece in streams.pieces()]
    kept = list(streams._known)

    assert len(pieces) > 40
    assert sum(len(streams.data(ordinal) or b"") for ordinal in kept) <= CACHE_BYTES
    assert kept == list(streams.sizes)[-len(kept) :], "the newest"
    assert len(kept) < len(streams.sizes)
    # To find the oldest of a plain dict from which many were dropped takes the longer, the more.
    assert isinstance(streams._known, OrderedDict)


def test_what_was_dropped_is_read_again(monkeypatch):
    run = effects(Recording(), 40)
    whole = room.RunStreams(ListReader(run.entries))
    expected = [piece.data for piece in whole.pieces()]
    monkeypatch.setattr(room, "_CACHE_BYTES_MAX", CACHE_BYTES)
    streams = room.RunStreams(ListReader(run.entries))

    assert [piece.data for piece in streams.pieces()] == expected
    assert [streams.data(n) for n in streams.sizes] == [whole.data(n) for n in whole.sizes]


def test_a_body_whose_head_is_not_here_any_more_is_put_together_whole():
    run = Recording()
    halves = [b"." * 5000 + b"Jane ", b"Doe" + b"." * 5000]
    for half in halves:
        run.add(OutputWritten(stream="stdout", marks=()), body=half)
    gone = run.entries[1].brought[0]
    without = msgspec.structs.replace(gone, data=None, salt=b"", state="erased")
    entry = run.entries[1]
    run.entries[1] = msgspec.structs.replace(entry, brought=(without, *entry.brought[1:]))
    assert gone.data.endswith(b"\n")
    assert run.entries[2].parts[0] == gone.ordinal, "both records list the head"

    pieces = list(room.RunStreams(ListReader(run.entries)).pieces())

    assert any(piece.whole and b"Jane Doe" in piece.data for piece in pieces)
