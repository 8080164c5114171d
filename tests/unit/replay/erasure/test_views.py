"""A text is found under each encoding, and traced to the bytes that hold it."""

import base64
import gzip
import io
import json
import random
import zipfile
import zlib
from urllib.parse import quote_plus

import pytest

from replay.erasure.passages import Passages
from replay.erasure.search import search_run
from replay.erasure.views import VIEW_BYTES_MAX, views_of
from replay.events.kinds import OutputWritten
from tests.contract.entries import Chain
from tests.support.bundle_forging import stored

SENTENCE = 'She said "forty-two" at 12 Café Lane — twice.'


def found_in(data, text=SENTENCE):
    """Where a text stands, in the bytes as given."""
    passages = Passages([text])
    return {
        view.source(start, stop)
        for view in views_of(data)
        for start, stop in passages.spans(view.data)
    }


def zipped(text):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("other.txt", "x" * 100)
        members.writestr("notes/said.txt", text)
    return file.getvalue()


def streamed(text, width=5):
    deltas = [text[n : n + width] for n in range(0, len(text), width)]
    events = [{"type": "start", "index": 0}]
    events += [{"index": 0, "delta": {"type": "text_delta", "text": each}} for each in deltas]
    return b"".join(b"event: x\ndata: " + json.dumps(each).encode() + b"\n\n" for each in events)


def small_window(text):
    packer = zlib.compressobj(wbits=9)
    return packer.compress(text.encode()) + packer.flush()


ENCODED = {
    "as it is": SENTENCE.encode(),
    "JSON": json.dumps(SENTENCE).encode(),
    "JSON with its own characters": json.dumps(SENTENCE, ensure_ascii=False).encode(),
    "JSON in JSON": json.dumps({"arguments": json.dumps({"text": SENTENCE})}).encode(),
    "percent": quote_plus(SENTENCE).encode(),
    "base64": base64.b64encode(SENTENCE.encode()),
    "base64 for addresses": base64.urlsafe_b64encode(SENTENCE.encode() + b"\xff\xfe?>"),
    "base64 in lines": base64.encodebytes(SENTENCE.encode() * 3),
    "base64 in JSON": json.dumps({"data": base64.b64encode(SENTENCE.encode()).decode()}).encode(),
    "gzip": gzip.compress(SENTENCE.encode()),
    "deflate": zlib.compress(SENTENCE.encode()),
    "zip": zipped(SENTENCE),
    "zip in base64": base64.b64encode(zipped(SENTENCE)),
    "server-sent events": streamed(SENTENCE),
    "compressed events": gzip.compress(streamed(SENTENCE)),
    "one object a line": b"\n".join(
        json.dumps({"response": SENTENCE[n : n + 4]}).encode() for n in range(0, len(SENTENCE), 4)
    ),
    "events that are counted by an index": b"".join(
        b"data:"
        + json.dumps({"index": n, "token": {"text": SENTENCE[n : n + 3]}}).encode()
        + b"\n\n"
        for n in range(0, len(SENTENCE), 3)
    ),
    "one array": json.dumps(
        [{"parts": [{"text": SENTENCE[n : n + 3]}]} for n in range(0, len(SENTENCE), 3)], indent=1
    ).encode(),
    "a form": SENTENCE.replace(" ", "+").encode(),
    "bytes as Python shows them": repr(SENTENCE.encode())[2:-1].encode(),
    "base64 in the path of an address": b"/download/" + base64.b64encode(SENTENCE.encode()),
    "base64 in indented lines": base64.encodebytes(SENTENCE.encode() * 3).replace(b"\n", b"\n  "),
    "deflate with a small window": small_window(SENTENCE),
    "gzip with a false sum": gzip.compress(SENTENCE.encode())[:-8] + bytes(8),
    "wrapped": SENTENCE.replace(" ", "\n  ").encode(),
}


@pytest.mark.parametrize("how", list(ENCODED))
def test_a_text_is_found_under_an_encoding_and_traced_into_it(how):
    before, after = b'{"other": "words", "here": ', b", and more words behind it}"
    alone = how in {
        "deflate",
        "deflate with a small window",
        "server-sent events",
        "events that are counted by an index",
        "compressed events",
        "one array",
        "one object a line",
    }
    data = ENCODED[how] if alone else before + ENCODED[how] + after

    found = found_in(data)

    assert found
    first = 0 if alone else len(before)
    for start, stop in found:
        assert (
            first <= start < stop <= first + len(ENCODED[how]) + (len(after) if "zip" in how else 0)
        )


@pytest.mark.parametrize("text", ["jane@x.org", "12 Elm St", "Jane Doe at the end of a line of it"])
def test_a_short_text_and_the_last_line_of_base64_are_found(text):
    assert found_in(base64.b64encode(text.encode()), text)
    assert found_in(base64.encodebytes(b"." * (57 - len(text) // 2) + text.encode()), text)


def test_half_of_a_pair_hides_nothing_of_its_stream():
    lines = [rb'{"t":"Jane ", "u":"\ud83d\""}', rb'{"t":"Doe, 7 Mill Road"}']

    assert found_in(b"\n".join(lines), "Jane Doe, 7 Mill Road")


def test_what_goes_on_behind_a_piece_and_is_packed_is_said_to_be_unread():
    packed = gzip.compress(random.Random(3).randbytes(5000))

    def said(data, **options):
        stopped = []
        for _ in views_of(data, stopped=stopped.append, **options):
            pass
        return stopped

    assert set(said(packed[:2000], goes_on=True)) == {"a packed member behind its first piece"}
    assert said(packed[:2000]) == said(packed + b"plain", goes_on=True) == []


def test_a_text_is_traced_to_no_more_than_its_own_bytes():
    data = b'{"a": "one \\" two", "b": "' + json.dumps(SENTENCE)[1:-1].encode() + b'", "c": "\\n"}'

    (span,) = found_in(data)

    assert data[slice(*span)] == json.dumps(SENTENCE)[1:-1].encode()


def test_a_text_of_a_stream_is_traced_to_the_events_that_hold_it():
    text = "Before it all. " + SENTENCE + " And behind it."
    data = streamed(text)

    ((start, stop),) = found_in(data)

    assert json.loads(data[start:].split(b"\n")[0])["delta"]["text"] == text[15:20]
    assert b"behind" not in data[start:stop]


@pytest.mark.parametrize("how", ["nothing", "another text"])
def test_what_is_not_there_is_not_found(how):
    data = b"" if how == "nothing" else streamed(SENTENCE.replace("forty", "thirty"))

    assert found_in(data) == set()


def test_a_bomb_is_decoded_up_to_the_limit_only():
    bomb = gzip.compress(gzip.compress(bytes(6 << 20)))

    assert sum(len(view.data) for view in views_of(bomb, 1 << 20)) < 3 << 20
    assert VIEW_BYTES_MAX < 1 << 30


@pytest.mark.parametrize("data", [b"A" * 300_000, b"PK\x03\x04" * 60_000, b"data: {" * 40_000])
def test_what_only_looks_encoded_costs_no_more_than_its_size(data):
    assert sum(len(view.data) for view in views_of(data)) < 4 * len(data)


def test_a_limit_that_stops_a_decoding_is_said():
    def said(data, size_max=VIEW_BYTES_MAX):
        stopped = []
        for _ in views_of(data, size_max, stopped=stopped.append):
            pass
        return stopped

    packed = gzip.compress(b"x" * 5000, mtime=0)
    deep = b"deep"
    for _ in range(7):
        deep = gzip.compress(deep + b" " * 5000, mtime=0)

    assert said(packed) == said(packed + zipped("more")) == []
    assert said(packed, 100)[:1] == ["a packed member behind its first 100 bytes"]
    assert set(said(deep)) == {"what is packed more than 5 times"}
    assert said(packed * 4100)[:1] == ["packed members behind the first 4096"]
    assert any("together" in each for each in said(b'{"a":"\\n' + b"x" * 500 + b'"}', 100))


def test_a_search_of_a_run_names_the_record_that_a_limit_hid_something_in():
    packed = b"deep"
    for _ in range(6):
        packed = gzip.compress(packed + b" " * 5000, mtime=0)
    chain = Chain(3)
    entries = [
        chain.next(),
        chain.record(OutputWritten(stream="stdout", marks=()), packed),
        chain.record(OutputWritten(stream="stderr", marks=()), b"plain"),
        chain.seal(),
    ]

    found = search_run(stored(entries), Passages([SENTENCE]))

    assert found.limits == ((1, "what is packed more than 5 times"),)
