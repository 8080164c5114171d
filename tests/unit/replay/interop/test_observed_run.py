"""Any cassette becomes a run that verifies, or is refused; a key in it is in no record."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.dialects.anthropic import dialect
from replay.errors import ReplayError
from replay.interop.observed_run import observe_cassette
from replay.log.fsck import check
from replay.log.memory import MemoryStore
from replay.secrets.patterns import find_secret_values

KEY = "sk-ant-api03-" + "Zq7" * 30
TEXT = st.text(max_size=20) | st.sampled_from(
    ["", "\r\n", "a\x00b", "\u202e", KEY, f"Bearer {KEY}"]
)
HEADERS = st.dictionaries(
    TEXT | st.sampled_from(["Authorization", "Cookie", "Set-Cookie", "Date", "Content-Encoding"]),
    TEXT | st.lists(TEXT, max_size=2),
    max_size=3,
)
CASSETTES = st.lists(
    st.fixed_dictionaries(
        {
            "request": st.fixed_dictionaries(
                {
                    "method": TEXT,
                    "uri": TEXT
                    | st.sampled_from(
                        [
                            "https://api.anthropic.com/v1/messages",
                            f"http://u:{KEY}@h:1/p?key={KEY}&q=1#f",
                            "http://h\u00e9/\u00fc?\u00df=\ud7ff",
                            "//",
                            "http://[::1]:8/",
                        ]
                    ),
                    "headers": HEADERS,
                    "body": TEXT | st.none(),
                }
            ),
            "response": st.fixed_dictionaries(
                {
                    "status": st.fixed_dictionaries({"code": st.integers(1, 999), "message": TEXT}),
                    "headers": HEADERS,
                    "body": st.fixed_dictionaries({"string": TEXT}),
                }
            ),
        }
    ),
    max_size=3,
)


@given(CASSETTES)
def test_any_cassette_verifies_or_is_refused_and_no_key_is_left(interactions):
    data = json.dumps({"version": 1, "interactions": interactions}).encode()
    try:
        run = observe_cassette(data, name="c.json", dialects=(dialect,), entropy=bytes)
    except ReplayError:
        return
    store = MemoryStore()
    store.append(run.entries)

    found = check(store)

    assert (found.integrity, found.completeness, found.observed) == ("ok", "sealed", True)
    assert found.root == run.root.hex()
    for entry in run.entries:
        for data in (entry.raw, *(part.data or b"" for part in entry.brought)):
            for start, stop in find_secret_values(data):
                assert data[start:stop] != KEY.encode()


def test_the_same_file_gives_the_same_run_id_and_the_date_it_claims():
    interaction = {
        "request": {"method": "GET", "uri": "http://h/", "headers": {}, "body": None},
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {"Date": ["Sat, 21 Nov 2026 10:00:00 GMT"]},
            "body": {"string": "x"},
        },
    }
    data = json.dumps({"version": 1, "interactions": [interaction]}).encode()

    one = observe_cassette(data, name="a.json", dialects=(), entropy=bytes)
    other = observe_cassette(data, name="b.json", dialects=(), entropy=lambda n: b"\1" * n)

    assert one.run == other.run
    assert one.root != other.root
    assert one.entries[0].header.time == 1_795_255_200_000_000
    assert [entry.header.kind for entry in one.entries] == [
        "RunStarted",
        "RequestSent",
        "WireObserved",
        "ResponseStarted",
        "ChunksReceived",
        "ResponseEnded",
        "RunSealed",
    ]
