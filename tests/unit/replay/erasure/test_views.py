"""A text is found under each encoding, and traced to the bytes that hold it."""

import base64
import gzip
import io
import json
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
    "wrapped": SENTENCE.replace(" ", "\n  ").encode(),
}


@pytest.mark.parametrize("how", list(ENCODED))
def test_a_text_is_found_under_an_encoding_and_traced_into_it(how):
    before, after = b'{"other": "words", "here": ', b", and more words behind it}"
    alone = how in {"deflate", "server-sent events", "compressed events", "one object a line"}
    data = ENCODED[how] if alone else before + ENCODED[how] + after

    found = found_in(data)

    assert found
    first = 0 if alone else len(before)
    for start, stop in found:
        assert (
            first <= start < stop <= first + len(ENCODED[how]) + (len(after) if "zip" in how else 0)
        )


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
