"""Part lists as deltas: what goes in comes out, and what is malformed is refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.errors import IntegrityError
from replay.events import refs as module
from replay.events.header import Header
from replay.events.refs import RefsDecoder, RefsEncoder

HEADER = Header(
    causes=(),
    commitment="0" * 64,
    index=0,
    kind="RequestSent",
    lamport=0,
    media="json",
    participant=0,
    seq=0,
    size=0,
    task=0,
    time=0,
    v=1,
)


def header(task=0, kind="RequestSent"):
    return msgspec.structs.replace(HEADER, task=task, kind=kind)


PATHS = st.builds(header, st.integers(0, 2), st.sampled_from(["RequestSent", "OutputWritten"]))
LISTS = st.lists(st.integers(0, 2**53 - 1) | st.integers(0, 5), max_size=8).map(tuple)


@given(st.lists(st.tuples(PATHS, LISTS), max_size=20))
def test_lists_of_any_paths_survive_their_stored_form(sequence):
    encoder, decoder = RefsEncoder(), RefsDecoder()

    for path, refs in sequence:
        assert decoder.decode(path, encoder.encode(path, refs)) == refs


def test_a_chat_costs_the_same_in_every_turn():
    """Each turn repeats all before it, between what stands in front and what stands behind."""
    encoder = RefsEncoder()
    sizes = []
    for turn in range(1000):
        messages = range(10, 10 + 2 * turn + 1)
        sizes.append(len(encoder.encode(header(), (0, 1, *messages, 7))))

    assert max(sizes) < 20


def test_paths_do_not_mix():
    encoder = RefsEncoder()
    encoder.encode(header(task=0), (1, 2, 3))

    assert encoder.encode(header(task=1), (1, 2, 3)) == b"\x00\x00\x03\x01\x02\x03"
    assert encoder.encode(header(task=0), (1, 2, 3)) == b"\x03\x00\x00"


def test_the_end_of_a_task_forgets_its_lists():
    encoder, decoder = RefsEncoder(), RefsDecoder()
    lists = [(0, "RequestSent"), (1, "RequestSent"), (0, "TaskEnded"), (0, "RequestSent")]

    stored = [encoder.encode(header(task=task, kind=kind), (1, 2, 3)) for task, kind in lists]

    assert [each[0] for each in stored] == [0, 0, 0, 0]
    assert encoder.encode(header(task=1, kind="RequestSent"), (1, 2, 3)) == b"\x03\x00\x00"
    for (task, kind), each in zip(lists, stored, strict=True):
        assert decoder.decode(header(task=task, kind=kind), each) == (1, 2, 3)


def test_a_run_of_many_tasks_keeps_few_lists():
    encoder, decoder = RefsEncoder(), RefsDecoder()
    for task in range(1000):
        for kind in ("RequestSent", "TaskEnded"):
            here = header(task=task, kind=kind)
            decoder.decode(here, encoder.encode(here, (task, task + 1)))

    assert encoder._previous == decoder._previous == {}


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x00\x00", id="no count"),
        pytest.param(b"\x00\x00\x01", id="fewer than counted"),
        pytest.param(b"\x00\x00\x00\x05", id="more than counted"),
        pytest.param(b"\x00\x00\x01\x80", id="number cut short"),
        pytest.param(b"\x03\x00\x00", id="more in front than there were"),
        pytest.param(b"\x01\x02\x00", id="more in all than there were"),
        pytest.param(b"\x00\x00\x01" + b"\xff" * 9 + b"\x01", id="oversized number"),
    ],
)
def test_a_malformed_list_is_refused(stored):
    decoder = RefsDecoder()
    decoder.decode(header(), b"\x00\x00\x02\x01\x02")

    with pytest.raises(IntegrityError):
        decoder.decode(header(), stored)


def test_a_list_over_the_limit_is_refused(monkeypatch):
    """Deltas double: without a limit, forty small records make a list of a billion."""
    monkeypatch.setattr(module, "PARTS_PER_PAYLOAD_MAX", 3)

    with pytest.raises(IntegrityError):
        RefsDecoder().decode(header(), b"\x00\x00\x04\x01\x01\x01\x01")


@given(st.binary(max_size=30))
def test_any_bytes_are_decoded_or_refused(stored):
    try:
        refs = RefsDecoder().decode(header(), stored)
    except IntegrityError:
        return
    assert RefsDecoder().decode(header(), RefsEncoder().encode(header(), refs)) == refs
