"""A check keeps the last parts at hand; an older one is read again, and judged the same."""

from __future__ import annotations

import pytest

from replay.events.digest import part_commitment
from replay.events.entry import Part
from replay.log import seen_parts
from replay.log.seen_parts import SeenParts, kind_of_head


@pytest.fixture
def parts():
    data = [b'{"kind":"RunStarted","n":%d}' % n for n in range(7)] + [b"plain"]
    return {
        n: Part(
            ordinal=n,
            salt=bytes(16),
            commitment=part_commitment(bytes(16), each),
            size=len(each),
            data=each,
        )
        for n, each in enumerate(data)
    }


def seen(parts, read):
    found = SeenParts(read)
    for part in parts.values():
        found.listed.append(part.size.to_bytes(8, "little") + part.commitment)
        found.begins.append(kind_of_head(part.data))
    return found


def test_parts_that_were_let_go_of_are_listed_as_they_were(parts, monkeypatch):
    monkeypatch.setattr(seen_parts, "_KEPT", 2)
    asked = []

    def read(ordinals):
        asked.append(list(ordinals))
        return {ordinal: parts[ordinal] for ordinal in ordinals}

    whole, short = seen(parts, None), seen(parts, read)
    short.forget()

    assert len(short) == len(whole) == 8
    assert len(short.listed) == 2
    for refs in ([0], [7], [6, 1, 7, 1], [5, 4]):
        assert short.listed_at(refs) == whole.listed_at(refs)
    assert [short.begins_at(n) for n in range(8)] == [whole.begins_at(n) for n in range(8)]
    assert asked[:3] == [[0], [1], [4, 5]]


def test_a_part_whose_data_are_gone_is_listed_by_what_it_said(parts, monkeypatch):
    monkeypatch.setattr(seen_parts, "_KEPT", 2)
    gone = {n: _without_data(part) for n, part in parts.items()}
    short = seen(parts, lambda ordinals: {n: gone[n] for n in ordinals})
    short.forget()

    assert short.listed_at([0]) == parts[0].size.to_bytes(8, "little") + parts[0].commitment
    assert short.begins_at(0) is None


def test_without_a_reader_nothing_is_let_go_of(parts, monkeypatch):
    monkeypatch.setattr(seen_parts, "_KEPT", 2)
    whole = seen(parts, None)
    whole.forget()

    assert len(whole.listed) == 8


def _without_data(part):
    return Part(
        ordinal=part.ordinal,
        salt=b"",
        commitment=part.commitment,
        size=part.size,
        data=None,
        state="erased",
    )
