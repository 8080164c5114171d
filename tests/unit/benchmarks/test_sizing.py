"""A chat takes disk for what is said, not for what is sent again. Bytes, not times."""

from __future__ import annotations

import importlib.util

import pytest

from benchmarks.chats import recorded_chat

pytestmark = [
    pytest.mark.imports_sdk,
    pytest.mark.skipif(
        importlib.util.find_spec("anthropic") is None, reason="anthropic is not installed"
    ),
]


def test_a_chat_twice_as_long_takes_twice_the_bytes(tmp_path):
    sizes = []
    for turns in (20, 40):
        directory = tmp_path / str(turns)
        directory.mkdir()
        sizes.append(recorded_chat(turns, directory, stream=False))
    short, long = sizes

    assert long.sent > 3.5 * short.sent
    assert long.bundle < 2.1 * short.bundle
    assert long.log < 2.3 * short.log


@pytest.mark.full
@pytest.mark.parametrize(("stream", "limit"), [(False, 300_000), (True, 600_000)])
def test_two_hundred_turns_take_a_bundle_of_a_few_times_their_text(tmp_path, stream, limit):
    sizes = recorded_chat(200, tmp_path, stream=stream)

    assert 90_000 < sizes.unique < 100_000
    assert sizes.sent > 9_000_000
    assert sizes.bundle <= limit
