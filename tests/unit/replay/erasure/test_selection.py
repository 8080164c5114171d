"""What is named by event takes its words along, and is refused while they would come back."""

import gzip
import json
import random
import zlib

import msgspec
import pytest

import replay.erasure.streams as streams_module
from replay.erasure.passages import Passages
from replay.erasure.search import search_run
from replay.erasure.selection import select
from replay.errors import ErasureError, NotFoundError
from replay.events.kinds import (
    ChunksReceived,
    EffectReturned,
    EffectStarted,
    OutputWritten,
    RequestSent,
    ResponseEnded,
    ResponseStarted,
)
from tests.support.recordings import ListReader, Recording

PERSON = "Jane Doe, 7 Mill Road"
#: Positions of the records of `a_run`.
ASKED, ANSWERED, PRINTED, ASKED_AGAIN, OTHER = 1, 2, 3, 4, 5


def raw(value):
    return msgspec.Raw(json.dumps(value).encode())


def a_run():
    """An effect whose answer is printed and handed to another effect, in other words around it."""
    run = Recording()
    run.add(EffectStarted(name="look_up", arguments=raw({"number": 2})))
    run.add(EffectReturned(value=raw(PERSON)), answers=ASKED, part=0)
    run.add(OutputWritten(stream="stdout", marks=()), body=f"letter to {PERSON}\n".encode())
    run.add(EffectStarted(name="send", arguments=raw({"text": f"Hello {PERSON}!"})))
    run.add(EffectReturned(value=raw("sent on its way today")), answers=ASKED_AGAIN, part=0)
    return ListReader(run.seal().entries)


def events_of(selected):
    return {selected.found.streams.brought_by[part] for part in selected.parts}


def test_an_input_takes_all_along_that_holds_its_words_later():
    selected = select(a_run(), [ANSWERED], None, None)

    assert events_of(selected) == {ANSWERED, PRINTED, ASKED_AGAIN}


@pytest.mark.parametrize("event", [PRINTED, ASKED_AGAIN])
def test_what_was_computed_from_an_input_is_refused_and_the_input_named(event):
    with pytest.raises(ErasureError) as refused:
        select(a_run(), [event], None, None)

    assert refused.value.where == f"events {ANSWERED} (EffectReturned)"
    assert f"--event {ANSWERED}" in refused.value.hint


def test_with_its_input_it_goes():
    assert events_of(select(a_run(), [ANSWERED, PRINTED], None, None)) == {
        ANSWERED,
        PRINTED,
        ASKED_AGAIN,
    }


def test_words_that_take_the_input_along_make_the_event_go_too():
    selected = select(a_run(), [PRINTED], Passages([PERSON]), None)

    assert events_of(selected) == {ANSWERED, PRINTED, ASKED_AGAIN}


def test_what_is_computed_from_no_input_goes_alone():
    assert events_of(select(a_run(), [ASKED], None, None)) == {ASKED}


def test_an_input_behind_the_words_leaves_them_and_says_where():
    run = Recording()
    run.add(EffectStarted(name="say", arguments=raw({"text": f"This is {PERSON}"})))
    run.add(EffectReturned(value=raw(f"This is {PERSON}")), answers=1, part=0)

    selected = select(ListReader(run.seal().entries), [2], None, None)

    assert (events_of(selected), selected.left) == ({2}, (1,))


def test_what_an_event_only_repeats_is_not_its_own():
    run = Recording()
    run.add(EffectStarted(name="say", arguments=raw({"text": PERSON})))
    run.add(EffectStarted(name="say", arguments=raw({"text": PERSON})))

    with pytest.raises(NotFoundError, match="nothing is there to erase"):
        select(ListReader(run.seal().entries), [2], None, None)


def exchange(body, coding, name="content-encoding"):
    """A request, its response in a coding, and what the program printed of it."""
    run = Recording()
    asked = run.add(
        RequestSent(method="POST", path="/x", query="", headers=(), credentials=()), body=b"{}"
    )
    headers = ((name, coding),)
    run.add(
        ResponseStarted(status=200, headers=headers, http_version="HTTP/1.1", reason="OK"),
        answers=asked,
    )
    for n, half in enumerate((body[: len(body) // 2], body[len(body) // 2 :])):
        run.add(ChunksReceived(chunks=((len(half), 1),)), body=half, answers=asked, part=n)
    run.add(ResponseEnded(), answers=asked)
    run.add(OutputWritten(stream="stdout", marks=()), body=f"letter to {PERSON}\n".encode())
    return ListReader(run.seal().entries)


def test_a_compressed_answer_cut_over_records_goes_as_a_whole():
    reader = exchange(gzip.compress(f"It is {PERSON} there".encode()), "gzip")

    assert events_of(select(reader, [], Passages([PERSON]), None)) == {3, 4, 6}


def test_words_that_may_come_back_from_an_answer_in_an_unknown_coding_are_refused():
    reader = exchange(b"\x1b\x14\x00\xf8 what brotli made of it", "br")

    with pytest.raises(ErasureError) as refused:
        select(reader, [], Passages([PERSON]), None)
    assert "3 (ChunksReceived), 4 (ChunksReceived)" in refused.value.where

    selected = select(reader, [3, 4], Passages([PERSON]), None)
    assert events_of(selected) == {3, 4, 6}
    assert selected.found.unread == (1,)


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip", "zstd"])
@pytest.mark.parametrize("name", ["content-encoding", "Content-Encoding"])
def test_an_answer_that_is_not_what_its_coding_says_is_named_as_unread(coding, name):
    raw_deflate = zlib.compress(f"It is {PERSON} there".encode())[2:-4]

    found = search_run(exchange(raw_deflate, coding, name), Passages(["nothing of that"]))

    assert found.unread == (1,)


def test_a_packed_answer_longer_than_a_piece_is_named_as_far_as_it_was_not_read(monkeypatch):
    monkeypatch.setattr(streams_module, "_PIECE_BYTES", 1000)
    monkeypatch.setattr(streams_module, "_OVERLAP_BYTES", 100)
    noise = random.Random(3).randbytes(5000)
    packed = gzip.compress(noise + f"It is {PERSON} there".encode())

    found = search_run(exchange(packed, "gzip"), Passages([PERSON]))

    assert found.unread == (1,)
    assert "a packed member behind its first piece" in {why for _, why in found.limits}


def test_what_only_a_reading_knows_takes_the_whole_answer():
    reader = exchange(b"\x1b\x14\x00\xf8 what brotli made of it", "br")

    selected = select(reader, [], Passages([PERSON]), lambda request, response: (PERSON,))

    assert events_of(selected) == {3, 4, 6}
